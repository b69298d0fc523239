"""Serves roots in forked children that are traced by strace: a fault costs no program start.

A process that has imported everything forks one supervisor a run, and that one, while it is still
alone, the processes that become its worker and its reader (:mod:`embryos`). All of them run the
program's own code from ``serve_once`` on. ``python forked.py`` takes runs as JSON lines and answers
each with one.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from embryos import fork_ahead
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper
from world import config_of, serve

import img2imgd.pool.worker
import img2imgd.reader.preparing
import img2imgd.reader.sandbox  # noqa: F401 - what its children import is there before they are
from img2imgd import log
from img2imgd.app import inbox_loop, loops
from img2imgd.app.daemon import Daemon
from img2imgd.dispatch import faults
from img2imgd.errors import Img2imgdError
from img2imgd.pool import assembling, staging

ROLES = ("start", "inbox", "dispatch", "staging", "assembling", "reader")
Role = Literal["start", "inbox", "dispatch", "staging", "assembling", "reader"]

T = TypeVar("T")
_HUNG = 40.0  # seconds


@dataclass(frozen=True)
class Run:
    """Serve a root once. The thread of ``role`` is traced with these arguments for strace."""

    root: str
    mode: Literal["move", "keep"] = "move"
    role: Role | None = None
    strace: tuple[str, ...] = ()
    timeout: float = 20.0


@dataclass(frozen=True)
class Ran:
    """``code`` is the exit code, or minus the signal; ``trace`` what strace wrote."""

    code: int
    trace: str

    @property
    def hung(self) -> bool:
        """True when it had to be ended, since it did not end by itself."""
        return self.code == -signal.SIGALRM


class Forks:
    """The process that forks, as seen by a test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def run(self, run: Run) -> Ran:
        """Serve once, and wait until no process of it is left."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(run)), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the forking process has died"
        return Ran(**json.loads(answer))

    def close(self) -> None:
        """End it."""
        self._process.communicate()


# In the forking process


def main() -> None:
    """Serve runs until the end of the input."""
    for line in sys.stdin:
        plain = json.loads(line)
        ran = _serve(Run(**{**plain, "strace": tuple(plain["strace"])}))
        sys.stdout.write(json.dumps(asdict(ran)) + "\n")
        sys.stdout.flush()


def _serve(run: Run) -> Ran:
    lifeline, alive = os.pipe()  # closed when the last process of the run is gone
    called, calling = os.pipe()  # a thread's id, when it is ready to be traced
    tokens, token = os.pipe2(os.O_NONBLOCK)  # whoever takes the one in it is traced, none after
    os.write(token, b"t")
    child = os.fork()
    if not child:
        os.close(lifeline)
        os.close(called)
        _supervisor(run, calling, tokens)
    for descriptor in (alive, calling, tokens, token):
        os.close(descriptor)
    tracer: subprocess.Popen[bytes] | None = None
    trace = Path(run.root).with_name("trace")
    trace.unlink(missing_ok=True)
    if run.role is not None and (thread := os.read(called, 20)):
        tracer = subprocess.Popen(
            ["strace", "-qq", "-o", trace, *run.strace, "-p", thread.decode()],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    os.close(called)
    if not select.select([lifeline], [], [], _HUNG)[0]:
        os.kill(child, signal.SIGALRM)
    _, status = os.waitpid(child, 0)
    os.close(lifeline)
    if tracer is not None:
        tracer.wait()
    text = trace.read_text(errors="replace") if trace.exists() else ""
    return Ran(os.waitstatus_to_exitcode(status), text)


# In the forked supervisor


def _supervisor(run: Run, calling: int, tokens: int) -> None:
    """Become a supervisor; never returns."""
    code = 1
    try:
        log_file = os.open(f"{run.root}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log_file, 1)
        os.dup2(log_file, 2)
        log.configure("INFO")
        faulthandler.enable(2)
        gate = functools.partial(_gate, run.role, calling, tokens)
        _make_quick()
        fork_ahead(functools.partial(_become, gate))
        _gate_threads(gate)
        gate("start")
        code = int(serve(config_of(Path(run.root), run.mode), run.timeout).exit_code)
    except Img2imgdError as error:
        sys.stderr.write(f"img2imgd: {error}\n")
        code = int(error.exit_code)
    except BaseException:
        logging.getLogger("img2imgd").exception("serve_once raised")
    finally:
        os._exit(code)


def _gate(wanted: Role | None, calling: int, tokens: int, role: Role) -> None:
    """Wait until this thread is traced, if it is the one."""
    if role != wanted or not _taken(tokens):
        return
    os.write(calling, str(threading.get_native_id()).encode())
    status = Path("/proc/thread-self/status")
    deadline = time.monotonic() + 10
    while "TracerPid:\t0\n" in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.005)  # strace stops the thread right after it has attached itself


def _taken(tokens: int) -> bool:
    try:
        return bool(os.read(tokens, 1))
    except BlockingIOError:
        return False


def _make_quick() -> None:
    """Pauses after faults are the program's patience, and not what is tested here."""
    faults._FIRST_PAUSE = 0.02
    inbox_loop.AFTER_A_BUG = 0.05
    InotifyMoveEventGrouper.delay = 0.01  # its thread's end waits for as long
    original = Daemon.serve
    Daemon.serve = lambda self, tick, seconds: original(self, tick, seconds / 5)  # type: ignore[method-assign,assignment]


def _gate_threads(gate: Callable[[Role], None]) -> None:
    for owner, role in ((loops.InboxLoop, "inbox"), (loops.DispatchLoop, "dispatch")):
        owner.run = _gated(owner.run, role, gate)  # type: ignore[method-assign]


def _gated(original: Callable[[Any], None], role: Any, gate: Callable[[Role], None]) -> Any:
    def run(self: Any) -> None:
        gate(role)
        original(self)

    return run


def _become(gate: Callable[[Role], None], module: str) -> None:
    """What a forked child does before it is the worker or the reader."""
    if module == "img2imgd.pool.process":
        staging._MOST_THREADS = 1  # so that all of their calls are one thread's
        staging.write_frame = _gated_at_first(staging.write_frame, "staging", gate)
        assembling._write = _gated_at_first(assembling._write, "assembling", gate)
    else:
        gate("reader")


def _gated_at_first(
    original: Callable[..., T], role: Role, gate: Callable[[Role], None]
) -> Callable[..., T]:
    """A thread that writes is traced from its first file on."""
    first = iter([True])

    def write(*what: Any) -> T:
        if next(first, False):
            gate(role)
        return original(*what)

    return write


if __name__ == "__main__":
    main()

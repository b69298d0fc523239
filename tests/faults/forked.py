"""Serves roots in forked children that are traced by strace: a fault costs no program start.

A process that has imported everything forks one supervisor a run, and that one, while it is still
alone, the processes that become its worker and its reader. All of them run the program's own code
from ``serve_once`` on. ``python forked.py`` takes runs as JSON lines and answers each with one.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import logging
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper
from world import config_of, serve

from img2imgd import log
from img2imgd.app import loops
from img2imgd.app.daemon import Daemon
from img2imgd.dispatch import faults
from img2imgd.errors import Img2imgdError
from img2imgd.pool import assembling, reading, worker
from img2imgd.pool.supervision import WorkerPool
from img2imgd.reader import process as reader
from img2imgd.reader.protocol import ReaderLimits

ROLES = ("start", "inbox", "dispatch", "worker", "assembling", "reader")
Role = Literal["start", "inbox", "dispatch", "worker", "assembling", "reader"]

Become = Callable[[Connection, Any], None]

_SPARE = 2  # workers and readers made ahead: one to be killed, one to take its place
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
        os.dup2(log_file, 2)
        log.configure("INFO")
        faulthandler.enable(2)
        gate = functools.partial(_gate, run.role, calling, tokens)
        _make_quick()
        _prepare_children(gate)
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
    loops._AFTER_A_BUG = 0.05
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


class _Prepared:
    """A process made ahead that waits to be told what to become."""

    def __init__(self, become: Become, earlier: Sequence[_Prepared]) -> None:
        context = multiprocessing.get_context("fork")
        self.ours, self.theirs = context.Pipe()
        told, self._tell = context.Pipe(duplex=False)
        not_its_own = [self.ours, self._tell]
        for other in earlier:
            not_its_own += [other.ours, other.theirs, other._tell]
        self._process: BaseProcess = context.Process(
            target=_embryo, args=(become, self.theirs, told, not_its_own), daemon=True
        )
        self._process.start()
        told.close()

    def tell(self, what: object) -> None:
        """Let it become what it was made for."""
        self.theirs.close()
        self._tell.send(what)

    def wait(self, timeout: float) -> int | None:
        """As of a Popen."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("reader", timeout)
        return self._process.exitcode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)


def _embryo(
    become: Become, theirs: Connection, told: Connection, not_its_own: Sequence[Connection]
) -> None:
    for connection in not_its_own:
        connection.close()  # else no end of the supervisor would be heard of
    try:
        what = told.recv()
    except EOFError:
        os._exit(0)  # nobody needed it
    become(theirs, what)


def _prepare_children(gate: Callable[[Role], None]) -> None:
    """Workers and readers are forked now, while there is one thread and no lock is held."""

    def become_worker(pipe: Connection, what: tuple[str, bool, str]) -> None:
        gate("worker")
        _gate_assembling(gate)
        worker.main(pipe, *what)  # type: ignore[arg-type]

    def become_reader(connection: Connection, limits: str) -> None:
        gate("reader")
        reader.main([str(connection.fileno()), limits])

    workers: list[_Prepared] = []
    readers: list[_Prepared] = []
    for _ in range(_SPARE):
        workers.append(_Prepared(become_worker, [*workers, *readers]))
        readers.append(_Prepared(become_reader, [*workers, *readers]))
    loops.WorkerPool = functools.partial(WorkerPool, context=_Context(workers))  # type: ignore[misc,assignment]
    start_reader = reading.ReaderProcess._start

    def start(self: reading.ReaderProcess) -> Any:
        if not readers:
            return start_reader(self)
        child = readers.pop()
        child.tell(json.dumps(asdict(self._limits or ReaderLimits())))
        child.ours.recv_bytes(100)
        return reading._Child(child, child.ours)  # type: ignore[arg-type]

    reading.ReaderProcess._start = start  # type: ignore[method-assign]


class _Context:
    """What WorkerPool asks of a multiprocessing context; once none is left, the real one."""

    def __init__(self, workers: list[_Prepared]) -> None:
        self._workers = workers
        self._real = multiprocessing.get_context("spawn")

    def Pipe(self, duplex: bool) -> tuple[Connection, Connection]:  # noqa: N802 - theirs
        if not self._workers:
            return self._real.Pipe(duplex)  # type: ignore[return-value]
        return self._workers[-1].ours, self._workers[-1].theirs

    def Process(self, **keywords: Any) -> Any:  # noqa: N802 - theirs
        if not self._workers:
            return self._real.Process(**keywords)
        return _Started(self._workers.pop(), keywords["args"][1:])


class _Started:
    def __init__(self, process: _Prepared, what: object) -> None:
        self._process = process
        self.start = functools.partial(process.tell, what)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)


def _gate_assembling(gate: Callable[[Role], None]) -> None:
    """The worker's thread for animations and sheets is traced from its first one on."""
    original = assembling._write
    first = iter([True])

    def write(assembly: Any) -> str:
        if next(first, False):
            gate("assembling")
        return original(assembly)

    assembling._write = write


if __name__ == "__main__":
    main()

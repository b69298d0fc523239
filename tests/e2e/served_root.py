"""A root folder that the installed program serves as a subprocess, and what a test sees of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, read_ledger
from waiting import wait_until

PROGRAM = str(Path(sys.executable).with_name("img2imgd"))

CONFIG = """\
root: {root}
engine: {{backend: {backend}, device: cpu}}
limits: {{min_free_gb: 0}}
inboxes:
  - path: {root}/inbox
    settle: {settle}
    rescan: {rescan}
    pair_wait: {pair_wait}
    orphan_after: {orphan_after}
{extra}"""


def pause(seconds: float) -> None:
    """Let time pass where the passing of time is what a test is about."""
    threading.Event().wait(seconds)


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    command: str


def processes() -> Iterator[Process]:
    """Every process that has a command line; zombies have none."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            command = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # gone while we looked
        if command:
            yield Process(int(folder.name), int(stat.rpartition(")")[2].split()[1]), command)


def descendants(pid: int) -> list[Process]:
    """The children of a process, and theirs."""
    table = list(processes())
    found: list[Process] = []
    parents = {pid}
    while parents:
        children = [process for process in table if process.parent in parents]
        found += children
        parents = {child.pid for child in children}
    return found


@dataclass
class RunningDaemon:
    """``img2imgd run`` as a child of the test."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it wrote on stderr so far."""
        return self.log_file.read_text(errors="replace")

    def child(self, marker: str) -> int | None:
        """The pid of the worker (``pool.process``) or reader (``reader.process``), if any."""
        return next((p.pid for p in descendants(self.pid) if marker in p.command), None)

    @property
    def worker(self) -> int | None:
        """The worker's pid."""
        return self.child("pool.process")

    def stop(
        self,
        number: signal.Signals = signal.SIGTERM,
        grace: float = 20.0,
        *,
        to_all: bool = False,
    ) -> int:
        """Send a signal, to its children as well if wanted; the exit code."""
        os.killpg(self.pid, number) if to_all else self.process.send_signal(number)
        return self.process.wait(grace)

    def kill(self) -> list[Process]:
        """SIGKILL to the daemon alone; the children it had."""
        children = descendants(self.pid)
        self.process.kill()
        self.process.wait(10)
        return children


@dataclass
class ServedRoot:
    """A root with its config; starts the program on it."""

    path: Path
    config: Path
    daemons: list[RunningDaemon] = field(default_factory=lambda: list[RunningDaemon]())

    @property
    def inbox(self) -> Path:
        """Where drops go."""
        return self.path / "inbox"

    @property
    def outbox(self) -> Path:
        """Where pictures come out."""
        return self.path / "outbox"

    @property
    def done(self) -> Path:
        """Where served inputs go."""
        return self.path / "done"

    @property
    def failed(self) -> Path:
        """Where inputs that could not be served go."""
        return self.path / "failed"

    def write_config(
        self,
        *,
        backend: str = "fake",
        settle: float = 0.3,
        rescan: float = 1.0,
        pair_wait: float = 0.4,
        orphan_after: float = 1.5,
        extra: str = "",
    ) -> None:
        """Write the config; ``extra`` is YAML that goes on at the level of an inbox's keys."""
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            CONFIG.format(
                root=self.path, backend=backend, settle=settle, rescan=rescan,
                pair_wait=pair_wait, orphan_after=orphan_after, extra=extra,
            )
        )  # fmt: skip

    def command(
        self, *arguments: str | os.PathLike[str], timeout: float = 120.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the program to its end."""
        return subprocess.run(
            [PROGRAM, *arguments],
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout,
            env={**os.environ, **environment},
        )

    def once(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Serve what is there and return."""
        return self.command("once", "-c", self.config, "--timeout", "20", **environment)

    def launch(self, **environment: str) -> RunningDaemon:
        """Start the daemon; it may not be ready yet."""
        log_file = self.path.parent / f"daemon-{len(self.daemons)}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [PROGRAM, "run", "-c", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own that can be signalled as a whole
                env={**os.environ, **environment},
            )
        self.daemons.append(RunningDaemon(process, log_file))
        return self.daemons[-1]

    def start(self, **environment: str) -> RunningDaemon:
        """Start the daemon and wait until it watches."""
        daemon = self.launch(**environment)
        wait_until(
            lambda: "watching" in daemon.log or daemon.process.poll() is not None,
            "the daemon watches its inbox",
        )
        assert daemon.process.poll() is None, daemon.log
        return daemon

    def jobs(self) -> list[JobRow]:
        """Every job that the ledger knows, oldest first."""
        ledger = read_ledger(self.path / "state" / "ledger.sqlite")
        if ledger is None:
            return []
        try:
            return ledger.jobs_in(*JobState)
        finally:
            ledger.close()

    def staged_frames(self) -> int:
        """How many frames are painted and on disk, not published yet."""
        ledger = read_ledger(self.path / "state" / "ledger.sqlite")
        if ledger is None:
            return 0
        try:
            return sum(
                frame.state is FrameState.STAGED
                for row in ledger.jobs_in(JobState.RUNNING)
                for frame in ledger.frames(row.id)
            )
        finally:
            ledger.close()

    def served(self, count: int) -> bool:
        """True when so many jobs have ended, inputs archived."""
        return sum(row.state.ended and row.archived for row in self.jobs()) >= count

    def wait_served(self, count: int, seconds: float = 40.0) -> None:
        """Wait until so many jobs have ended."""
        wait_until(lambda: self.served(count), f"{count} jobs ended", seconds)

    def status(self) -> dict[str, object]:
        """What ``img2imgd status --json`` says."""
        result = self.command("status", "--json", "-c", self.config)
        assert result.returncode == 0, result.stderr
        report: dict[str, object] = json.loads(result.stdout)
        return report

    def outputs(self) -> list[Path]:
        """Every file in the outbox that people see, sorted."""
        return visible_files(self.outbox)


def visible_files(folder: Path) -> list[Path]:
    """All files below a folder but for those of hidden folders."""
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )

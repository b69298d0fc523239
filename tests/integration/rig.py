"""The real parts put together, stepped by the test: folders, SQLite, reader, worker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.config import Config
from img2imgd.dispatch import Dispatch
from img2imgd.inbox import Inbox
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger, open_ledger
from img2imgd.pool.reading import ReaderProcess
from img2imgd.pool.supervision import WorkerPool

DEADLINE = 30.0  # seconds that anything waited for may take
SIDECAR = "prompt: a lake\nseed: 7\n"


class Crash(BaseException):
    """What a test raises where the process would have been killed."""


class Rig:
    """One daemon's parts. The inbox's clock belongs to the test: :meth:`look` moves it on."""

    def __init__(
        self, config: Config, reader: ReaderProcess, shared: WorkerPool | None = None
    ) -> None:
        self.config = config
        self.reader = reader
        self._shared = shared
        self.root = config.root
        self.folder = config.inboxes[0].path
        self.spool = self.folder / ".img2imgd"
        self.now = 1000.0
        self._ledgers: list[Ledger] = []
        self._pools: list[WorkerPool] = []
        self.start()

    def start(self) -> None:
        """A new process: nothing but the folders and the ledger's file is known to it."""
        self.ledger = self.open()
        if "ledger_id" not in self.ledger.facts():
            self.ledger.set_facts(ledger_id=os.urandom(4).hex())
        self.inbox = self.new_inbox()
        self.pool = self.new_pool()
        self.dispatch = Dispatch(self.config, self.ledger, self.pool, self.reader)

    def crash(self) -> None:
        """The process is gone, its worker (if not shared) and its locks on the ledger too."""
        self.close()
        self.start()

    def lose_ledger(self) -> None:
        """The process is gone, and the ledger's file with it."""
        self.close()
        for path in self.config.state.iterdir():
            path.unlink()
        self.start()

    def open(self) -> Ledger:
        """A connection to the ledger that is closed at the end of the test."""
        ledger = open_ledger(self.config.state / "ledger.sqlite")
        ledger.sql.execute("PRAGMA synchronous=OFF")  # no power fails in these tests
        self._ledgers.append(ledger)
        return ledger

    def new_inbox(self, *, drain: bool = False) -> Inbox:
        """An inbox as a process that just started has it."""
        return Inbox(
            self.config, self.config.inboxes[0], self.ledger,
            lambda path: self.reader.inspect(path).infotext, self.reader.glance,
            pages=self.reader, drain=drain,
        )  # fmt: skip

    def new_pool(self) -> WorkerPool:
        """A pool whose worker ends with the test, or the shared one, rid of former frames."""
        if self._shared is not None:
            deadline = time.monotonic() + DEADLINE
            while self._shared.admitted and time.monotonic() < deadline:
                self._shared.poll(0.05)
            self._shared.poll(0)
            return self._shared
        self._pools.append(WorkerPool("fake"))
        return self._pools[-1]

    def close(self) -> None:
        """End the workers and what is being read; close the ledger's connections."""
        self.dispatch._starting.stop()
        self.dispatch._starting._preparing._thread.shutdown()
        for pool in self._pools:
            pool.stop(2)
            pool._free()  # its descriptors; hundreds of rigs have more than a process may open
        for ledger in self._ledgers:
            ledger.close()
        self._pools.clear()
        self._ledgers.clear()

    # The inbox

    def drop(self, rel: str | bytes, content: str | bytes = SIDECAR) -> Path:
        """Put a file into the inbox."""
        path = self.folder / (os.fsdecode(rel) if isinstance(rel, bytes) else rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def picture(self, rel: str | bytes, grey: int = 200) -> Path:
        """Put a small picture into the inbox."""
        path = self.folder / (os.fsdecode(rel) if isinstance(rel, bytes) else rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = (
            Image.linear_gradient("L").resize((32, 32)).point([v * grey // 255 for v in range(256)])
        )
        image.save(path, format="PNG")
        return path

    def pair(self, rel: str, grey: int = 200) -> None:
        """Put a picture and its sidecar into the inbox; ``rel`` has no suffix."""
        self.picture(f"{rel}.png", grey)
        self.drop(f"{rel}.yaml")

    def look(self, *after: float) -> None:
        """Scan now, and again after each of these seconds."""
        self.inbox.step(self.now)
        for seconds in after:
            self.now += seconds
            self.inbox.step(self.now)

    def claim(self) -> list[JobRow]:
        """See what is there, let it settle, and claim it."""
        self.look(2.5, 11)
        return self.jobs()

    def jobs(self, *states: JobState) -> list[JobRow]:
        """The jobs in these states, or all, oldest first."""
        return self.ledger.jobs_in(*(states or tuple(JobState)))

    def waits(self) -> dict[str, str]:
        """What lies in the inbox and why."""
        return {rel: why for _, rel, why in self.ledger.waiting()}

    # The dispatcher

    def until(self, condition: Callable[[], bool]) -> None:
        """Step the dispatcher until something is so."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            states = [(row.spec.rel, row.state, row.reason) for row in self.jobs()]
            assert time.monotonic() < deadline, f"not so after {DEADLINE} s: {states}"
            self.dispatch.step(0.05)

    def read_ahead(self, pictures: int) -> None:
        """Step the dispatcher until so many pictures are being read, beginning none of their jobs.

        A quick reader would otherwise have a job begun in the very step that asked for its picture.
        """
        starting = self.dispatch._starting
        prepare = starting.prepare
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(starting, "prepare", lambda row, model: prepare(row, model) and False)
            self.until(lambda: len(starting._readings) == pictures)

    def serve(self) -> list[JobRow]:
        """Step the dispatcher until every job has ended and is archived."""
        self.until(lambda: all(row.state.ended and row.archived for row in self.jobs()))
        return self.jobs()

    # What lies where

    def tree(self, folder: Path) -> list[str]:
        """All files below a folder but those of hidden folders, as sorted relative paths."""
        return sorted(
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if not path.is_dir()
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        )

    def inputs(self) -> list[str]:
        """Names of all inputs, wherever they are: inbox, spool, done, failed (reasons aside)."""
        spool = [p.name for p in self.spool.glob("*/in/*") if not p.name.startswith(".")]
        spool += [p.name for p in self.spool.glob("*-sidecar/*")]
        open_ = [Path(rel).name for rel in self.tree(self.folder)]
        ended = [*self.tree(self.config.done), *self.tree(self.config.failed)]
        names = [Path(rel).name for rel in ended if not rel.endswith(".reason.txt")]
        return sorted([*spool, *open_, *names])

    def outputs(self) -> list[str]:
        """The outbox's files."""
        return self.tree(self.config.outbox)

    def reason(self, rel: str) -> str:
        """The text of a reason file in failed."""
        return (self.config.failed / f"{rel}.reason.txt").read_text()

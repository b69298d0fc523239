"""The real program: ``img2imgd run`` with a model that is loaded, and ``img2imgd once``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from img2imgd.ledger import open_ledger

from .cases import Case

PROGRAM = str(Path(sys.executable).with_name("img2imgd"))
_LOOK = 0.004  # seconds between two looks at the ledger, once a drop is served
_SELDOM = 0.05  # seconds between two looks at the outbox: each takes a core from what is measured
_PATIENCE = 3600.0
HELD_BACK = 0.6  # seconds: watchdog tells late of a drop that follows a file's leaving the inbox


@dataclass(frozen=True)
class Drop:
    """A picture with its sidecar."""

    name: str
    picture: Path
    sidecar: str


class Root:
    """Folders and a config. Files settle at once, so no wait is in any figure."""

    def __init__(self, folder: Path, sources: dict[str, Path], backend: str = "diffusers") -> None:
        self.folder = folder
        self.inbox, self.outbox = folder / "inbox", folder / "outbox"
        self._outside = folder / "outside"  # the same disk, so that a drop is one rename
        self.inbox.mkdir(parents=True)
        self._outside.mkdir()
        models = "".join(
            f"  {name}: {{source: {path}}}\n" for name, path in sources.items() if name != "demo"
        )
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"root: {folder}\nengine: {{backend: {backend}, device: cpu}}\n"
            f"limits: {{min_free_gb: 0}}\noffline: true\n"
            f"inboxes: [{{path: {self.inbox}, settle: 0}}]\n"
            + (f"models:\n{models}" if models else "")
        )

    def drop(self, drops: Collection[Drop]) -> dict[str, float]:
        """Put drops into the inbox, whole at once; gives the moment of each, before its rename."""
        for drop in drops:
            shutil.copyfile(drop.picture, self._outside / f"{drop.name}.png")
            (self._outside / f"{drop.name}.yaml").write_text(drop.sidecar)
        moments: dict[str, float] = {}
        for drop in drops:
            moments[drop.name] = time.perf_counter()
            for suffix in (".yaml", ".png"):
                (self._outside / (drop.name + suffix)).rename(self.inbox / (drop.name + suffix))
        return moments

    def published(self) -> dict[str, float]:
        """When the outputs of which drop came into the outbox: a rename is a file's last change."""
        if not self.outbox.exists():
            return {}
        offset = time.time() - time.perf_counter()
        found: dict[str, float] = {}
        with os.scandir(self.outbox) as entries:
            for entry in entries:
                name, moment = entry.name.partition("_")[0], entry.stat().st_ctime - offset
                found[name] = min(moment, found.get(name, moment))
        return found

    def clear(self) -> None:
        """Take what was published."""
        for path in self.outbox.iterdir():
            if path.name[0] != ".":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def moments(self, name: str) -> tuple[float, float, float]:
        """When a drop was claimed, started and ended, by the ledger (seconds since 1970)."""
        self.wait_archived()
        return self._asked(
            "SELECT claimed_at, started_at, ended_at FROM jobs WHERE stem = ?", name.encode()
        )

    def wait_archived(self) -> None:
        """Until nothing is left to do for any job."""
        while self._asked("SELECT count(*) FROM jobs WHERE archived = 0")[0]:
            time.sleep(_LOOK)

    def _asked(self, question: str, *values: object) -> tuple[float, ...]:
        ledger = open_ledger(self.folder / "state" / "ledger.sqlite")
        try:
            return ledger.sql.execute(question, values).fetchone()
        finally:
            ledger.close()


class Program:
    """A command of img2imgd on a root, and when it said what."""

    def __init__(self, command: str, root: Root) -> None:
        self.root = root
        self.began = time.perf_counter()
        self._lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [PROGRAM, command, "-c", root.config],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def worker(self) -> int | None:
        """The process id of its worker, if it has one."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        listed = children.parent.parent.glob("*/children") if children.exists() else []
        for child in " ".join(path.read_text() for path in listed).split():
            if "img2imgd.pool.process" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        return None

    def said(self, words: str) -> float:
        """When it first logged a line with these words."""
        return next(moment for moment, line in self._lines if words in line)

    def wait_for(self, names: Collection[str]) -> dict[str, float]:
        """The moment when each drop's outputs were in the outbox."""
        deadline = time.perf_counter() + _PATIENCE
        while True:
            published = self.root.published()
            found = {name: published[name] for name in names if name in published}
            if len(found) == len(names):
                return found
            if self._process.poll() is not None or time.perf_counter() > deadline:
                raise RuntimeError("".join(line for _, line in self._lines[-40:]))
            time.sleep(_SELDOM)

    def end(self) -> float:
        """The moment when a command ended that ends by itself."""
        if self._process.wait(_PATIENCE) != 0:
            self._reading.join(5)
            raise RuntimeError("".join(line for _, line in self._lines[-40:]))
        ended = time.perf_counter()
        self._reading.join(5)
        return ended

    def stop(self) -> None:
        """End a daemon."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(120)
        self._reading.join(5)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append((time.perf_counter(), line))


class Daemon:
    """``img2imgd run`` that has painted something of a case already, so its model is loaded."""

    def __init__(self, root: Root, case: Case, picture: Path) -> None:
        self.root = root
        self.program = Program("run", root)
        self._picture = picture
        self._served = 0
        self.serve([("warm", case.sidecar(case.pictures[0]))])

    def serve(self, sidecars: Collection[tuple[str, str]]) -> dict[str, float]:
        """Drop the picture once with each sidecar; seconds from each drop to its outputs.

        Then wait: neither what is measured next nor the next drop is to meet the end of this one.
        """
        took = self.collect(self.drop(sidecars))
        self.rest()
        return took

    def rest(self) -> None:
        """Wait until the daemon has nothing to do."""
        self.root.wait_archived()
        time.sleep(HELD_BACK)

    def drop(self, sidecars: Collection[tuple[str, str]]) -> dict[str, float]:
        """Drop only; the moments by the names that the drops got."""
        self._served += 1
        drops = [Drop(f"{name}-{self._served}", self._picture, text) for name, text in sidecars]
        return self.root.drop(drops)

    def collect(self, dropped: dict[str, float]) -> dict[str, float]:
        """Wait for drops; seconds from each drop to its outputs, which are then taken."""
        seen = self.program.wait_for(dropped)
        self.root.clear()
        return {name: seen[name] - moment for name, moment in dropped.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()


def once(root: Root, drop: Drop) -> dict[str, float]:
    """``img2imgd once`` on one drop: the seconds of its parts."""
    root.drop([drop])
    program = Program("once", root)
    ended = program.end()
    claimed, loaded = program.said("claimed"), program.said("model loaded")
    published = program.said("published")
    return {
        "start": claimed - program.began,
        "load": loaded - claimed,
        "once": published - loaded,
        "end": ended - published,
    }

"""Random interleavings of what people, time, crashes and full disks do, as rules."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from crashing import LEDGER_STEPS, Countdown, counted
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from people import APART, DEFAULTS, World
from rig import Crash

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import why_not_retried

Maker = Callable[[], World]

FOLDERS = st.sampled_from(["", "sub"])
STEMS = st.sampled_from(["a", "b"])
PICTURES = st.sampled_from([".png", ".jpg"])
SIDECARS = st.sampled_from([".yaml", ".yaml", ".png.yaml", ".txt.yml", ".yml"])
WHICH = st.integers(0, 9)
SECONDS = st.sampled_from([0.1, 2.5, 2.5, 11.0, 11.0, 11.0, 700.0])
FRESH = st.sampled_from([None, "", "sub"])
FRAMES = st.sampled_from([1, 1, 2, 0])
LONG = 5000.0  # seconds: more than anything waits for


def disk_full(step: str) -> Exception:
    """As the step would fail on a full disk."""
    if step in LEDGER_STEPS:
        return EnvironmentFault("The ledger cannot be written: database or disk is full.")
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), step)


class Interleavings(RuleBasedStateMachine):
    """What people and the daemon do. What must be so then, the two kinds of inbox say."""

    def __init__(self, make: Maker) -> None:
        super().__init__()
        self.world = make()
        self.fresh = itertools.count()

    def path(self, folder: str, stem: str, suffix: str) -> Path:
        return self.world.folder / folder / f"{stem}{suffix}"

    # People

    @rule(folder=FOLDERS, stem=STEMS, suffix=PICTURES, by_rename=st.booleans())
    def drops_a_picture(self, folder: str, stem: str, suffix: str, by_rename: bool) -> None:
        content = self.world.new_picture()
        self.world.put(self.free(folder, stem, suffix), content, by_rename=by_rename)

    @rule(folder=FOLDERS, stem=STEMS, suffix=SIDECARS, frames=FRAMES)
    def drops_a_sidecar(self, folder: str, stem: str, suffix: str, frames: int) -> None:
        self.world.put(self.free(folder, stem, suffix), self.world.new_document(frames))

    @rule(folder=FOLDERS, stem=STEMS)
    def drops_a_pair(self, folder: str, stem: str) -> None:
        self.drops_a_sidecar(folder, stem, ".yaml", 1)
        self.drops_a_picture(folder, stem, ".png", False)

    @rule(folder=FOLDERS, there=st.booleans())
    def changes_defaults(self, folder: str, there: bool) -> None:
        path = self.free(folder, DEFAULTS, "")
        if there:
            content = self.world.new_document(1)
            self.world.people.defaults.add(self.world.people.made * APART)
            self.world.put(path, content)
        elif path.exists():
            self.world.remove(path)

    @precondition(lambda self: self.world.people.writer is None)
    @rule(folder=FOLDERS, stem=STEMS, sidecar=st.booleans())
    def begins_to_write(self, folder: str, stem: str, sidecar: bool) -> None:
        content = self.world.new_document(1) if sidecar else self.world.new_picture()
        self.world.hold_open(self.path(folder, stem, ".yaml" if sidecar else ".png"), content)

    @precondition(lambda self: self.world.people.writer is not None)
    @rule(count=st.sampled_from([1, 30, None]))
    def writes_on(self, count: int | None) -> None:
        self.world.write_on(count)

    @rule(which=WHICH, folder=FOLDERS, stem=STEMS)
    def renames(self, which: int, folder: str, stem: str) -> None:
        path = self.one_dropped(which)
        if path and path.name != DEFAULTS:  # as a sidecar it would rightly be served once more
            self.world.rename(path, self.free(folder, self.new_stem(stem), path.suffix))

    @rule(which=WHICH, mode=st.booleans())
    def touches(self, which: int, mode: bool) -> None:
        if path := self.one_dropped(which):
            path.chmod(0o600) if mode else os.utime(path)

    @rule(which=WHICH)
    def removes(self, which: int) -> None:
        if path := self.one_dropped(which):
            self.world.remove(path)

    @rule(where=st.sampled_from(["done", "failed", "outbox"]), which=WHICH)
    def squats(self, where: str, which: int) -> None:
        specs = [row.spec for row in self.world.jobs()]
        spec = specs[which % len(specs)] if specs else None
        rel = spec.rel if spec else "a.png"
        if spec and spec.outputs and where == "outbox":
            rel = f"{spec.outputs.folder}/{spec.outputs.name}"
        self.world.squat(self.world.root / where / rel)

    @rule(which=WHICH)
    def takes_an_output(self, which: int) -> None:
        self.world.take_output(which)

    @rule(which=WHICH)
    def cancels(self, which: int) -> None:
        if job := self.one_job(which):
            self.world.ledger.give_order("cancel", job)

    @rule(which=WHICH)
    def asks_for_a_retry(self, which: int) -> None:
        if job := self.one_job(which):
            self.world.order_retry(job)

    @rule(before=st.integers(0, 12), at=st.integers(1, 60), steps=st.integers(1, 30))
    def cancels_and_crashes(self, before: int, at: int, steps: int) -> None:
        self.world.ledger.set_paused(False)
        stem = f"c{next(self.fresh)}"
        self.drops_a_sidecar("", stem, ".yaml", 3)
        self.drops_a_picture("", stem, ".png", False)
        self.look(0)
        self.look(2.5)
        self.serves(before)
        self.cancels(0)
        with contextlib.suppress(Crash), self.fault(Countdown(at), None, calls=True):
            self.serves(steps)
        self.nothing_is_lost()
        self.world.crash()

    @rule(which=WHICH, at=st.integers(1, 40))
    def asks_for_a_retry_and_crashes(self, which: int, at: int) -> None:
        tried = [row.id for row in self.world.jobs() if not why_not_retried(row)]
        if tried:
            self.world.order_retry(tried[which % len(tried)])
            with contextlib.suppress(Crash), self.fault(Countdown(at), None, calls=True):
                self.look(0)
            self.nothing_is_lost()
            self.world.crash()

    @rule(paused=st.booleans())
    def pauses_or_resumes(self, paused: bool) -> None:
        self.world.ledger.set_paused(paused)

    # The daemon

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.look(0)
        self.look(seconds)

    @rule(steps=st.integers(1, 30))
    def serves(self, steps: int) -> None:
        for _ in range(steps):
            self.world.dispatch.step(0)

    @rule(fresh=FRESH, seconds=SECONDS, at=st.integers(1, 90), steps=st.integers(0, 40))
    def crashes(self, fresh: str | None, seconds: float, at: int, steps: int) -> None:
        with contextlib.suppress(Crash), self.fault(Countdown(at), fresh, calls=True):
            self.look(seconds)
            self.serves(steps)
        self.nothing_is_lost()
        self.world.crash()

    @rule(
        fresh=FRESH, seconds=SECONDS, at=st.integers(1, 50), lasting=st.integers(1, 30),
        steps=st.integers(0, 40),
    )  # fmt: skip
    def the_disk_is_full(
        self, fresh: str | None, seconds: float, at: int, lasting: int, steps: int
    ) -> None:
        with self.fault(Countdown(at, disk_full, lasting), fresh):
            self.look(seconds)
            self.serves(steps)

    @contextmanager
    def fault(
        self, countdown: Countdown, fresh: str | None, *, calls: bool = False
    ) -> Generator[None]:
        """Something fails in here, often while a ``fresh`` pair (in this folder) is claimed."""
        if fresh is not None:
            self.drops_a_pair(fresh, "a")
        self.look(0)
        try:
            with counted(countdown, calls=calls):
                yield
        finally:
            self.world.interrupted = True

    @rule()
    def starts_again(self) -> None:
        self.world.dispatch.stop(1)
        self.world.crash()

    def look(self, seconds: float) -> None:
        """As the inbox's loop does."""
        self.is_looked_at()
        self.world.now += seconds
        try:
            self.world.inbox.step(self.world.now)
            self.world.interrupted = False
        except EnvironmentFault:
            pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    # What must be so

    def is_looked_at(self) -> None:
        """The inbox is as people have left it, just before the daemon looks."""

    def nothing_is_lost(self) -> None:
        """Whatever was dropped is there."""
        raise NotImplementedError

    def all_has_ended(self) -> None:
        """When all has settled, everything is served."""
        world = self.world
        self.nothing_is_lost()
        assert [path.name for path in world.spool.iterdir() if path.is_dir()] == []
        assert [*(world.config.outbox / ".img2imgd").iterdir()] == []
        assert all(row.state.ended and row.archived for row in world.jobs())
        frames: dict[tuple[str, int], set[int]] = defaultdict(set)
        for _, sha256, seed in world.outputs_seen():
            frames[sha256, seed // APART].add(seed % APART)
        cancelled = {row.spec.asked.seed for row in world.jobs() if row.published and row.reason
                     and "Cancelled by hand" in row.reason}  # fmt: skip
        for (_, number), indexes in frames.items():
            whole = set(range(world.people.frames[number * APART]))
            assert indexes == whole or (number * APART in cancelled and indexes < whole), indexes
        assert not world.ledger.orders("cancel")
        assert not world.ledger.orders("retry")

    # Helpers

    @invariant()
    def files_of_others_are_untouched(self) -> None:
        for path, content in self.world.people.squatters.items():
            assert path.read_bytes() == content, path

    def teardown(self) -> None:
        try:
            self.settle()
            self.all_has_ended()
        finally:
            if self.world.people.writer is not None:
                self.world.people.writer.file.close()
            self.world.close()
            shutil.rmtree(self.world.root)

    def settle(self) -> None:
        """Time passes until there is nothing left to do."""
        self.world.ledger.set_paused(False)
        if self.world.people.writer is not None:
            self.world.write_on(None)
        for seconds in (0, 2.5, 11, LONG, LONG, 2.5, 11, LONG):
            self.look(seconds)
            self.world.serve()
        self.look(0)
        self.serves(3)

    def new_stem(self, stem: str) -> str:
        """The stem that a file is given when it is renamed."""
        return stem

    def one_job(self, which: int) -> str | None:
        jobs = self.world.jobs()
        return jobs[-1 - which % len(jobs)].id if jobs else None

    def one_dropped(self, which: int) -> Path | None:
        dropped = self.world.dropped()
        return dropped[which % len(dropped)] if dropped else None

    def free(self, folder: str, stem: str, suffix: str) -> Path:
        """The path, or another while a writer holds that one."""
        path = self.path(folder, stem, suffix)
        writer = self.world.people.writer
        if writer is not None and writer.path == path:
            return self.path(folder, f"{stem}{next(self.fresh)}", suffix)
        return path

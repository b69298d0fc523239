"""Random interleavings of people, time, crashes and full disks: nothing lost, twice, or half."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashing import LEDGER_STEPS, Countdown, counted
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from people import APART, DEFAULTS, World, digest, is_picture, is_retry
from rig import Crash

from img2imgd.config import Config
from img2imgd.dispatch import faults
from img2imgd.errors import EnvironmentFault
from img2imgd.job import JobState
from img2imgd.pool.reading import ReaderProcess

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
    """Moves drops; :class:`Keeping` lets them stay."""

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

    @rule(folder=FOLDERS)
    def drops_a_list(self, folder: str) -> None:
        content = self.world.new_document(1, "images: [a.png, b.png]\n")
        self.world.put(self.free(folder, "list", ".yaml"), content)

    @rule(folder=FOLDERS, there=st.booleans())
    def changes_defaults(self, folder: str, there: bool) -> None:
        path = self.free(folder, DEFAULTS, "")
        if there:
            self.world.put(path, self.world.new_document(1))
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
        if path := self.one_dropped(which):
            self.world.rename(path, self.free(folder, stem, path.suffix))

    @rule(which=WHICH, mode=st.booleans())
    def touches(self, which: int, mode: bool) -> None:
        if path := self.one_dropped(which):
            path.chmod(0o600) if mode else os.utime(path)

    @rule(which=WHICH)
    def removes(self, which: int) -> None:
        if path := self.one_dropped(which):
            self.world.remove(path)

    @rule(which=WHICH, folder=FOLDERS)
    def puts_back_from_failed(self, which: int, folder: str) -> None:
        failed = [rel for rel in self.world.tree(self.world.config.failed) if is_retry(rel)]
        if failed:
            path = self.world.config.failed / failed[which % len(failed)]
            self.world.put_back(path, self.free(folder, "again", path.suffix))

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
        with counted(countdown, calls=calls):
            yield

    @rule()
    def starts_again(self) -> None:
        self.world.dispatch.stop(1)
        self.world.crash()

    def look(self, seconds: float) -> None:
        """As the inbox's loop does."""
        self.world.now += seconds
        try:
            self.world.inbox.step(self.world.now)
        except EnvironmentFault:
            pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    # What must be so

    @invariant()
    def nothing_is_lost(self) -> None:
        copies = self.world.copies()
        lost = [name for content, name in self.world.people.alive.items() if content not in copies]
        assert not lost, lost

    @invariant()
    def no_output_twice_and_none_of_a_half(self) -> None:
        outputs = self.world.outputs_seen()
        assert not [output for output, count in outputs.items() if count > self.allowed(output[1])]

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
        if self.world.people.writer is not None:
            self.world.write_on(None)
        for seconds in (0, 2.5, 11, LONG, LONG, 2.5, 11, LONG):
            self.look(seconds)
            self.world.serve()
        self.look(0)

    def all_has_ended(self) -> None:
        world = self.world
        self.nothing_is_lost()
        self.no_output_twice_and_none_of_a_half()
        places = {c: found for c, found in world.copies().items() if c in world.people.alive}
        copies = {world.people.alive[c]: found for c, found in places.items() if len(found) > 1}
        assert sum(len(found) - 1 for found in copies.values()) <= self.copied_to_failed(), copies
        left = [rel for rel in world.tree(world.folder) if Path(rel).name != DEFAULTS]
        assert left == [], left
        seen = {output[1] for output in world.outputs_seen()}
        for rel in world.tree(world.config.done):
            path = world.config.done / rel
            if is_picture(path) and path not in world.people.squatters:
                assert digest(path.read_bytes()) in seen, f"{rel} is done without an output"
        self.frames_are_complete()
        self.nothing_is_left_over()

    def nothing_is_left_over(self) -> None:
        world = self.world
        assert [path.name for path in world.spool.iterdir() if path.is_dir()] == []
        assert [*(world.config.outbox / ".img2imgd").iterdir()] == []
        assert all(row.state.ended and row.archived for row in world.jobs())
        published = [row.published for row in world.jobs() if row.state is JobState.DONE]
        assert len(set(published)) + len(world.taken) >= len(published)

    def frames_are_complete(self) -> None:
        frames: dict[tuple[str, int], set[int]] = defaultdict(set)
        for _, sha256, seed in self.world.outputs_seen():
            frames[sha256, seed // APART].add(seed % APART)
        for (_, number), indexes in frames.items():
            assert indexes == set(range(self.world.people.frames[number * APART])), indexes

    def copied_to_failed(self) -> int:
        """How many pictures in done were copied for a late sidecar that could not be served."""
        ends = [(row.spec.subject.how, row.archive) for row in self.world.jobs()]
        return sum(
            how == "copy" and plan is not None and plan.kind == "failed" for how, plan in ends
        )

    def allowed(self, sha256: str) -> int:
        """How often one picture may be served with one seed."""
        return 1 + self.world.people.again[sha256] if sha256 in self.world.people.whole else 0

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


@pytest.fixture
def make_world(
    make_config: Callable[..., Config], reader: ReaderProcess, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., World]:
    """A maker of worlds. No power fails, and the dispatcher tries again at once."""

    def fsync(_: int) -> None:
        pass

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # thousands of faults
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.0)
    number = itertools.count()

    def make(mode: str) -> World:
        world = World(make_config(root=f"world-{next(number)}", mode=mode), reader)
        world.begin()
        return world

    return make


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    """One reader for every world."""
    process = ReaderProcess(timeout=30)
    yield process
    process.close()


def play(machine: type[Interleavings], make: Maker, *, in_full: bool) -> None:
    """Play a machine: a set of examples that is always the same, or, in full, many at random."""
    run_state_machine_as_test(
        lambda: machine(make),
        settings=settings(
            max_examples=2000 if in_full else 60,
            stateful_step_count=50,
            deadline=None,
            database=None,
            derandomize=not in_full,
            print_blob=True,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(3600)
def test_drops_that_move_are_served_once_whatever_comes_in_between(
    make_world: Callable[[str], World], pytestconfig: pytest.Config
) -> None:
    in_full = bool(pytestconfig.getoption("faults_in_full", default=False))
    play(Interleavings, lambda: make_world("move"), in_full=in_full)

"""Whatever people, time, crashes and full disks do: nothing is lost, nothing twice or half."""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from interleavings import FOLDERS, WHICH, Interleavings, Maker
from people import APART, DEFAULTS, World, digest, is_picture, is_retry, seed_in

from img2imgd.config import Config
from img2imgd.dispatch import faults
from img2imgd.job import JobState
from img2imgd.pool.reading import ReaderProcess

OTHER_SIDECARS = (".png.yaml", ".yml", ".txt.yml")
SETTLE = 2.0  # seconds, as the config has it
DEFAULT = -1  # for the seed of whatever defaults there are
Asked = tuple[str, str, int]


class Moving(Interleavings):
    """An inbox whose drops are moved: each content is in one place, each served once."""

    @rule(folder=FOLDERS)
    def drops_a_list(self, folder: str) -> None:
        content = self.world.new_document(1, "images: [a.png, b.png]\n")
        self.world.put(self.free(folder, "list", ".yaml"), content)

    @rule(which=WHICH, folder=FOLDERS)
    def puts_back_from_failed(self, which: int, folder: str) -> None:
        failed = [rel for rel in self.world.tree(self.world.config.failed) if is_retry(rel)]
        if failed:
            path = self.world.config.failed / failed[which % len(failed)]
            self.world.put_back(path, self.free(folder, "again", path.suffix))

    @invariant()
    def nothing_is_lost(self) -> None:
        copies = self.world.copies()
        lost = [name for content, name in self.world.people.alive.items() if content not in copies]
        assert not lost, lost

    @invariant()
    def no_output_twice_and_none_of_a_half(self) -> None:
        outputs = self.world.outputs_seen()
        assert not [output for output, count in outputs.items() if count > self.allowed(output[1])]

    def all_has_ended(self) -> None:
        super().all_has_ended()
        world = self.world
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

    def copied_to_failed(self) -> int:
        """How many files in done may be in failed, or have been: copies that jobs have of them.

        Of a picture for a late sidecar that could not be served, of a shared sidecar.
        """
        return sum(
            entry.how == "copy"
            for row in self.world.jobs()
            for entry in row.spec.files
            if row.archive is not None and row.archive.kind == "failed"
        )

    def allowed(self, sha256: str) -> int:
        """How often one picture may be served with one seed."""
        return 1 + self.world.people.again[sha256] if sha256 in self.world.people.whole else 0


@dataclass(frozen=True)
class Look:
    """What a picture and its document were from a moment on; ``seed`` is None without a prompt."""

    sha256: str
    seed: int | None
    since: float


class Keeping(Interleavings):
    """An inbox whose drops stay: each look that lasts is served once, and nothing is touched."""

    def __init__(self, make: Maker) -> None:
        super().__init__(make)
        self.looks: dict[str, list[Look]] = defaultdict(list)

    def path(self, folder: str, stem: str, suffix: str) -> Path:
        return super().path(folder, stem, ".yaml" if suffix in OTHER_SIDECARS else suffix)

    def new_stem(self, stem: str) -> str:
        return f"{stem}{next(self.fresh)}"  # a content is told by its picture's name

    def is_looked_at(self) -> None:
        folder = self.world.folder
        for rel in self.world.tree(folder):
            path = folder / rel
            if is_picture(path):
                look = Look(digest(path.read_bytes()), self.seed_for(path), self.world.now)
                known = self.looks[rel]
                if not known or (known[-1].sha256, known[-1].seed) != (look.sha256, look.seed):
                    known.append(look)

    def seed_for(self, picture: Path) -> int | None:
        """The seed that a picture is painted with; DEFAULT, whatever the defaults are then."""
        sidecar = picture.with_suffix(".yaml")
        if sidecar.exists():
            return seed_in(sidecar.read_bytes())
        homes = [picture.parent, self.world.folder]
        return DEFAULT if any((home / DEFAULTS).exists() for home in homes) else None

    def served_at_most(self) -> Counter[Asked]:
        """How often each picture (name, SHA-256) may have been served with each seed."""
        most: Counter[Asked] = Counter()
        for rel, looks in self.looks.items():
            ends = [*(look.since for look in looks[1:]), self.world.now]
            unchanged: dict[str, float] = {}  # since when the picture itself has been so
            for look, end in zip(looks, ends, strict=True):
                unchanged = {look.sha256: unchanged.get(look.sha256, look.since)}
                # A sidecar that is gone needs no time to settle.
                since = unchanged[look.sha256] if look.seed == DEFAULT else look.since
                if look.seed is not None and end - since >= SETTLE:
                    most[Path(rel).name, look.sha256, look.seed] += 1
        return most

    def served(self) -> Counter[Asked]:
        """How often each was, by its first frame."""
        found: Counter[Asked] = Counter()
        for (name, sha256, seed), count in self.world.outputs_seen().items():
            if seed % APART == 0:
                asked = DEFAULT if seed in self.world.people.defaults else seed
                found[name, sha256, asked] += count
        return found

    @invariant()
    def nothing_is_lost(self) -> None:
        copies = self.world.copies()
        for content, name in self.world.people.alive.items():
            assert "inbox" in copies[content], name

    @invariant()
    def each_look_that_lasted_is_served_once_at_most(self) -> None:
        self.is_looked_at()
        again = self.world.people.again
        too_often = self.served() - self.served_at_most()
        too_often = {look: n for look, n in too_often.items() if n > again[look[1]]}
        assert not too_often, too_often

    def all_has_ended(self) -> None:
        super().all_has_ended()
        self.each_look_that_lasted_is_served_once_at_most()
        served = self.served()
        for rel in self.world.tree(self.world.folder):
            look = self.looks[rel][-1] if rel in self.looks else None
            given_up = any(row.state is JobState.CANCELLED and row.spec.rel == rel
                           for row in self.world.jobs())  # fmt: skip
            if look is not None and look.seed is not None and not given_up:
                assert served[Path(rel).name, look.sha256, look.seed], f"{rel}: {look}"


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
            max_examples=2000 if in_full else 40,
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
    in_full = bool(pytestconfig.getoption("faults_in_full"))
    play(Moving, lambda: make_world("move"), in_full=in_full)


@pytest.mark.timeout(3600)
def test_saves_of_files_that_stay_are_served_once_whatever_comes_in_between(
    make_world: Callable[[str], World], pytestconfig: pytest.Config
) -> None:
    in_full = bool(pytestconfig.getoption("faults_in_full"))
    play(Keeping, lambda: make_world("keep"), in_full=in_full)

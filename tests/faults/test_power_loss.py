"""The power fails before each durable step of a job on ext4: what is found then is made good."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from crashing import Countdown, counted
from disks import Disk, needs_mounts
from invariants import Drop, Verdict, check
from local_pool import LocalPool
from rig import Rig
from world import config_of, misspelt, put, shared, single, sweep

from img2imgd.app import folders
from img2imgd.config import Config
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.pool.reading import ReaderProcess

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally

pytestmark = needs_mounts


class DurableRig(Rig):
    """A rig whose ledger waits for the disk, as the daemon's does."""

    def open(self) -> Ledger:
        """A connection that is closed at the end of the test."""
        self._ledgers.append(open_ledger(self.config.state / "ledger.sqlite"))
        return self._ledgers[-1]

    def new_pool(self) -> LocalPool:
        """A worker in this process, whose steps count too."""
        pool = LocalPool()
        self._pools.append(pool)
        return pool

    def serve_all(self) -> None:
        """From drops, or from whatever is found, to the end."""
        self.look(1, 1)
        self.serve()
        self.look(1)


class Snapshots(Countdown):
    """Copies the disks before each step."""

    def __init__(self, disks: list[Disk], folder: Path) -> None:
        super().__init__(None)
        self.taken: list[tuple[str, list[Path]]] = []
        self._disks = disks
        self._folder = folder

    def step(self, name: str) -> None:
        super().step(name)
        images = [self._folder / f"{self.steps}-{n}" for n in range(len(self._disks))]
        for disk, image in zip(self._disks, images, strict=True):
            disk.copy(image)
        self.taken.append((f"{self.steps}: before {name}", images))


@dataclass
class Machine:
    """A root on disks whose power fails."""

    config: Config
    disks: list[Disk]
    reader: ReaderProcess

    def states(self, drops: tuple[Drop, ...]) -> list[tuple[str, list[Path]]]:
        """Serve the drops; the states of the disks on the way."""
        folder = self.disks[0].image.parent / "states"
        folder.mkdir()
        folders.make_all(self.config)
        rig = DurableRig(self.config, self.reader)
        try:
            put(self.config, drops)
            for disk in self.disks:
                disk.sync()
            snapshots = Snapshots(self.disks, folder)
            with counted(snapshots, calls=True):
                rig.serve_all()
                snapshots.step("the end")
        finally:
            rig.close()
        check(self.config, drops).assert_fine("with the power on")
        return snapshots.taken

    @contextmanager
    def found(self, images: list[Path]) -> Iterator[None]:
        """The machine is switched on again with the disks in this state."""
        for disk, image in zip(self.disks, images, strict=True):
            disk.unmount()
            disk.mount(image)
        try:
            yield
        finally:
            for disk in self.disks:
                disk.unmount()

    def after_power_loss(self, images: list[Path], drops: tuple[Drop, ...]) -> list[Verdict]:
        """What is found, and what becomes of it."""
        with self.found(images):
            at_once = check(self.config, drops, ended=False)
            rig = DurableRig(self.config, self.reader)
            try:
                rig.serve_all()
            finally:
                rig.close()
            for folder in (self.config.done, self.config.failed):
                for half in folder.rglob(".*.part"):
                    half.unlink()  # hidden, and removed by the daemon's upkeep after a day
            return [at_once, check(self.config, drops)]


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    """One reader for every machine."""
    process = ReaderProcess(timeout=30)
    yield process
    process.close()


@pytest.fixture
def make_machine(tmp_path: Path, reader: ReaderProcess) -> Iterator[Callable[..., Machine]]:
    """A maker of machines; ``apart`` puts the folder done on a disk of its own."""
    machines: list[Machine] = []

    def make(mode: Literal["move", "keep"] = "move", *, apart: bool = False) -> Machine:
        disks = [Disk.make(tmp_path / "disk", tmp_path / "mounted")]
        config = config_of(tmp_path / "mounted" / "root", mode)
        if apart:
            disks.append(Disk.make(tmp_path / "other-disk", tmp_path / "other"))
            config = replace(config, done=tmp_path / "other" / "done")
        machines.append(Machine(config, disks, reader))
        return machines[-1]

    try:
        yield make
    finally:
        for machine in machines:
            for disk in machine.disks:
                disk.unmount(lazily=True)
        shutil.rmtree(tmp_path / "states", ignore_errors=True)


CASES = {
    "a single picture": ((single(),), "move", False),
    "a sweep": ((sweep(),), "move", False),
    "a shared sidecar": ((shared(),), "move", False),
    "a sidecar that fails": ((misspelt(),), "move", False),
    "a picture that stays": ((single(),), "keep", False),
    "a sweep that stays": ((sweep(),), "keep", False),
    "done on another disk": ((single(), shared("both", 8)), "move", True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.timeout(1800)
def test_a_power_loss_at_any_step_loses_nothing(
    case: str,
    make_machine: Callable[..., Machine],
    points: Points,
    tally: Tally,
) -> None:
    drops, mode, apart = CASES[case]
    machine = make_machine(mode, apart=apart)
    states = machine.states(drops)
    assert len(states) > 20, "a job has more steps than that: were they counted?"
    for where, images in points.of(states, 6):
        verdicts = machine.after_power_loss(images, drops)
        tally.count("power loss", *verdicts)
        for verdict in verdicts:
            verdict.assert_fine(where)


def test_without_fsync_a_half_output_is_found(
    make_machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the test can fail: names reach the disk before what they name."""
    fsync = os.fsync

    def only_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            fsync(descriptor)

    machine = make_machine()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", only_folders)
        *_, (_, images) = machine.states((single(),))
    with machine.found(images):
        verdict = check(machine.config, (single(),), ended=False)
    assert verdict.half_visible, verdict

"""The checker finds every violation that is planted, and none where all is well."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import pytest
from invariants import Drop, check
from world import config_of, misspelt, picture, put, serve, shared, single, sweep

from img2imgd.config import Config

Served = tuple[Config, tuple[Drop, ...]]

DROPS = (
    single(),
    sweep(),
    shared(),
    misspelt(),
    single("twin", 5),
    single("sub/twin", 5),  # of the same content, and a drop of its own
)
AGAIN = single("again", 6)  # dropped twice, one after the other
KEPT = (single(), sweep())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    """For each mode a root on which everything was served, with a copy of it beside."""
    roots: dict[str, Served] = {}
    modes: tuple[Literal["move", "keep"], ...] = ("move", "keep")
    for mode in modes:
        config = config_of(tmp_path_factory.mktemp(mode) / "root", mode)
        rounds = [(*DROPS, AGAIN), (AGAIN,)] if mode == "move" else [KEPT]
        for drops in rounds:
            put(config, drops)
            serving = get_context("spawn").Process(target=serve, args=(config,))
            serving.start()
            serving.join()
        roots[mode] = config, tuple(chain(*rounds))
        shutil.copytree(config.root, config.root.with_name("as served"))
    return roots


@pytest.fixture
def world(request: pytest.FixtureRequest, served: dict[str, Served]) -> Iterator[Served]:
    """A served root, of mode ``move`` unless a test says otherwise; what it does is undone."""
    config, drops = served[getattr(request, "param", "move")]
    yield config, drops
    shutil.rmtree(config.root)
    shutil.copytree(config.root.with_name("as served"), config.root)


def one(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def sql(config: Config, text: str) -> None:
    with sqlite3.connect(config.state / "ledger.sqlite") as connection:
        connection.execute(text)
    connection.close()


def cut(path: Path, left: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])


def copied(path: Path, name: str) -> None:
    shutil.copy(path, path.with_name(name))


@pytest.mark.parametrize("world", ["move", "keep"], indirect=True)
def test_a_root_on_which_all_was_served_is_fine(world: Served) -> None:
    config, drops = world
    check(config, drops).assert_fine()
    check(config, drops, ended=False).assert_fine()


Plant = Callable[[Config], object]
OF_BOTH_MODES: dict[str, tuple[str, Plant]] = {
    "an output is gone": ("lost", lambda c: one(c.outbox, "cat_*").unlink()),
    "a job's folder is gone": ("lost", lambda c: shutil.rmtree(one(c.outbox, "sub/dog_*"))),
    "an output is there twice": (
        "duplicated", lambda c: copied(one(c.outbox, "cat_*"), "again.png")),
    "a sweep is there twice": (
        "duplicated", lambda c: shutil.copytree(one(c.outbox, "sub/dog_*"), c.outbox / "again")),
    "a sheet is there twice": (
        "duplicated", lambda c: copied(one(c.outbox, "sub/dog_*/*_sheet.png"), "again.png")),
    "a second job of a drop": ("duplicated", lambda c: sql(
        c, "INSERT INTO jobs SELECT 'x', inbox, rel, stem, state, spec, claimed_at, started_at,"
        " ended_at, attempts, suspect, reason, published, archive, archived, bundle, NULL"
        " FROM jobs WHERE rel = CAST('cat.png' AS BLOB)")),
    "an output is half": ("half_visible", lambda c: cut(one(c.outbox, "cat_*"), 0.6)),
    "a PNG lacks its last chunk": ("half_visible", lambda c: cut(one(c.outbox, "cat_*"), 0.99)),
    "an output is empty": ("half_visible", lambda c: cut(one(c.outbox, "cat_*"), 0)),
    "a GIF is half": ("half_visible", lambda c: cut(one(c.outbox, "sub/dog_*/*.gif"), 0.9)),
    "a frame of a folder is missing": (
        "half_visible", lambda c: one(c.outbox, "sub/dog_*/*_01_*.png").unlink()),
    "a sheet is missing": (
        "half_visible", lambda c: one(c.outbox, "sub/dog_*/*_sheet.png").unlink()),
    "a hidden file is in the outbox": (
        "half_visible", lambda c: (c.outbox / ".3f.part").write_bytes(b"")),
    "a hidden file is in a job's folder": (
        "half_visible", lambda c: (one(c.outbox, "sub/dog_*") / ".3f.part").write_bytes(b"")),
    "a job is open": ("disagreements", lambda c: sql(
        c, "UPDATE jobs SET state='running' WHERE rel = CAST('cat.png' AS BLOB)")),
    "a job is not archived": ("disagreements", lambda c: sql(c, "UPDATE jobs SET archived=0")),
    "a job is not known": ("disagreements", lambda c: sql(
        c, "DELETE FROM jobs WHERE rel = CAST('cat.png' AS BLOB)")),
    "a frame is not published": (
        "disagreements", lambda c: sql(c, "UPDATE frames SET state='staged'")),
    "where it was published is not known": (
        "disagreements", lambda c: sql(c, "UPDATE jobs SET published=''")),
    "a name is still reserved": (
        "disagreements", lambda c: sql(c, "INSERT INTO reserved VALUES('a', 'b', 'c')")),
    "a spool folder is left over": (
        "disagreements", lambda c: (c.inboxes[0].path / ".img2imgd" / "job").mkdir()),
    "a staging folder is left over": (
        "disagreements", lambda c: (c.outbox / ".img2imgd" / "job").mkdir()),
    "a picture that no job made": (
        "disagreements", lambda c: (c.outbox / "x.png").write_bytes(picture(99))),
    "there is no ledger": (
        "disagreements", lambda c: (c.state / "ledger.sqlite").unlink()),
}  # fmt: skip
OF_MOVE: dict[str, tuple[str, Plant]] = {
    "a file is lost": ("lost", lambda c: (c.done / "cat.png").unlink()),
    "a file is cut short": ("lost", lambda c: cut(c.done / "cat.png", 0.9)),
    "one of two twins is lost": ("lost", lambda c: (c.done / "twin.png").unlink()),
    "a shared sidecar is lost": ("lost", lambda c: (c.done / "trio.yaml").unlink()),
    "a file is there twice": ("duplicated", lambda c: copied(c.done / "cat.png", "cat~2.png")),
    "a file is in two places": (
        "duplicated", lambda c: shutil.copy(c.done / "cat.png", c.inboxes[0].path)),
    "a served file is in failed": (
        "disagreements", lambda c: (c.done / "cat.png").rename(c.failed / "cat.png")),
    "a file is still in the inbox": (
        "disagreements", lambda c: (c.done / "cat.png").rename(c.inboxes[0].path / "cat.png")),
    "a second drop of a name is not known": ("disagreements", lambda c: sql(
        c, "DELETE FROM jobs WHERE id = (SELECT max(id) FROM jobs"
        " WHERE rel = CAST('again.png' AS BLOB))")),
    "a stranger is in done": ("disagreements", lambda c: (c.done / "x").write_bytes(b"x")),
    "a reason is missing": (
        "disagreements", lambda c: (c.failed / "bad.png.reason.txt").unlink()),
    "a shared sidecar is not archived": (
        "disagreements", lambda c: sql(c, "UPDATE bundles SET ended=0")),
    "a half file is in done": (
        "half_visible", lambda c: (c.done / ".3f.part").write_bytes(b"")),
}  # fmt: skip
OF_KEEP: dict[str, tuple[str, Plant]] = {
    "an original is gone": ("lost", lambda c: (c.inboxes[0].path / "cat.png").unlink()),
    "an original is changed": ("lost", lambda c: cut(c.inboxes[0].path / "cat.png", 0.9)),
    "an original was renamed": (
        "lost",
        lambda c: (c.inboxes[0].path / "cat.png").rename(c.inboxes[0].path / "cat2.png")),
    "a copy is in done": (
        "duplicated", lambda c: shutil.copy(c.inboxes[0].path / "cat.png", c.done)),
}  # fmt: skip


WRONG = {
    "move": {**OF_BOTH_MODES, **OF_MOVE},
    "keep": {**OF_BOTH_MODES, **OF_KEEP},
}


@pytest.mark.parametrize(
    ("world", "what"),
    [(mode, what) for mode, wrong in WRONG.items() for what in wrong],
    indirect=["world"],
)
def test_what_is_wrong_is_found(what: str, world: Served) -> None:
    config, drops = world
    kind, plant = WRONG[config.inboxes[0].mode][what]
    plant(config)
    verdict = check(config, drops)
    assert getattr(verdict, kind), verdict
    assert not verdict.fine


def test_a_drop_that_was_not_served_is_lost_and_unknown(
    world: Served,
) -> None:
    config, drops = world
    verdict = check(config, (*drops, single("other", 9)))
    assert verdict.lost
    assert verdict.disagreements
    assert not verdict.duplicated


def test_more_or_fewer_outputs_than_asked_are_found(
    world: Served,
) -> None:
    config, drops = world
    dog = drops[1]
    assert check(config, (*drops[:1], replace(dog, frames=3), *drops[2:])).half_visible
    assert check(config, (*drops[:1], replace(dog, frames=1), *drops[2:])).disagreements


def test_after_a_crash_one_whole_copy_anywhere_is_enough(
    world: Served,
) -> None:
    config, drops = world
    spool = config.inboxes[0].path / ".img2imgd" / "job" / "in"
    spool.mkdir(parents=True)
    (config.done / "cat.png").rename(spool / "cat.png")
    check(config, drops, ended=False).assert_fine()
    keeping = replace(config.inboxes[0], path=config.root / "tablet", mode="keep")
    beside = replace(config, inboxes=(*config.inboxes, keeping))
    check(beside, drops, ended=False).assert_fine()
    (spool / "cat.png").unlink()
    assert check(config, drops, ended=False).lost


def test_half_a_job_is_never_to_be_seen(world: Served) -> None:
    config, drops = world
    one(config.outbox, "sub/dog_*/*.gif").unlink()
    assert check(config, drops, ended=False).half_visible

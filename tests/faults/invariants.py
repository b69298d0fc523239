"""The invariants of the folders: nothing lost, nothing twice, nothing half, the ledger agrees.

Files are told by their content and outputs by the recipe they carry, so give every drop pixels of
its own; two drops of the same content are two drops, and are counted as such.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from files import decode, ends_whole, fingerprints
from img2imgd.config import Config
from img2imgd.errors import shown
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, Ledger, read_ledger
from img2imgd.outputs.reasons import reason_name
from img2imgd.outputs.recipe import Recipe
from img2imgd.outputs.staging import STAGING
from img2imgd.pairing.kinds import PICTURE_SUFFIXES
from img2imgd.reader.carriers import recipe_in

Output = tuple[str, str, int | None]  # the picture's name, its SHA-256, the frame; None: of all


@dataclass(frozen=True)
class Drop:
    """Files that belong together: path in the inbox → content, and what shall become of them.

    ``frames`` and ``assemblies`` (animations and sheets) are asked for per picture; ``end`` is the
    folder the files end in. With several inboxes, ``inbox`` is the place of this one among them.
    """

    files: Mapping[str, bytes]
    frames: int = 1
    assemblies: int = 0
    end: Literal["done", "failed", "inbox"] = "done"
    inbox: int = 0

    @property
    def pictures(self) -> list[str]:
        """The paths of its pictures."""
        return [rel for rel in self.files if Path(rel).suffix.casefold() in PICTURE_SUFFIXES]

    def outputs(self) -> Iterator[Output]:
        """Everything that is to be seen of it in the outbox."""
        for rel in self.pictures if self.end == "done" else ():
            name, digest = shown(Path(rel).name), hashlib.sha256(self.files[rel]).hexdigest()
            yield from ((name, digest, index) for index in range(self.frames))
            yield from [(name, digest, None)] * self.assemblies


@dataclass
class Verdict:
    """What is not as it should be, in short texts; all empty is fine."""

    lost: list[str] = field(default_factory=lambda: list[str]())
    duplicated: list[str] = field(default_factory=lambda: list[str]())
    half_visible: list[str] = field(default_factory=lambda: list[str]())
    disagreements: list[str] = field(default_factory=lambda: list[str]())

    @property
    def fine(self) -> bool:
        """True when every invariant holds."""
        return not (self.lost or self.duplicated or self.half_visible or self.disagreements)

    def assert_fine(self, where: str = "") -> None:
        """Fail with everything that does not hold."""
        assert self.fine, f"{where}: {self}"


def check(
    config: Config, drops: Sequence[Drop], *, ended: bool = True, ledger_lost: bool = False
) -> Verdict:
    """Look at folders and ledger while nothing runs.

    ``ended`` False is for the moment after a crash: then every file needs one whole copy in some
    place, and what is visible must be whole and not too much, but nothing needs to have come to its
    end. A ledger that was lost in between knows not all that ended before.
    """
    verdict = Verdict()
    places = _places(config)
    _check_inputs(config, drops, places, verdict, ended=ended)
    _check_outputs(config, drops, verdict, ended=ended)
    _check_halves(config, verdict, ended=ended)
    if ended:
        _check_reasons(config, drops, places["failed"], verdict)
        _check_leftovers(config, verdict)
        _check_ledger(config, drops, verdict, ledger_lost=ledger_lost)
    return verdict


Place = list[tuple[str, bytes]]  # path and content of each file


def _places(config: Config) -> dict[str, Place]:
    """Where whole copies may be; those in the spool of a keeping inbox are no originals."""
    spools = [inbox.path / STAGING for inbox in config.inboxes if inbox.mode == "move"]
    return {
        "inbox": [file for inbox in config.inboxes for file in _files(inbox.path)],
        "spool": [
            file
            for spool in spools
            for folder in (*spool.glob("*/in"), *spool.glob("*-sidecar"))
            for file in _files(folder)
        ],
        "done": _files(config.done),
        "failed": _files(config.failed),
    }


def _files(folder: Path) -> Place:
    return [(os.fsdecode(rel), content) for rel, content in fingerprints(folder).items()]


def _check_inputs(
    config: Config,
    drops: Sequence[Drop],
    places: Mapping[str, Place],
    verdict: Verdict,
    *,
    ended: bool,
) -> None:
    """Every file as often as it was dropped, and, once all has ended, where it belongs."""
    expected: dict[str, Counter[bytes]] = {place: Counter() for place in places}
    names: dict[bytes, str] = {}
    lying = [dict(_files(inbox.path)) for inbox in config.inboxes]
    for drop in drops:
        keeps = config.inboxes[drop.inbox].mode == "keep"
        for rel, content in drop.files.items():
            expected["inbox" if keeps else drop.end][content] += 1
            names[content] = rel
            if keeps and lying[drop.inbox].get(rel) != content:
                verdict.lost.append(f"{rel} is not in the keeping inbox as it was")
    found = {place: Counter(content for _, content in files) for place, files in places.items()}
    for content, name in names.items():
        asked = sum(expected[place][content] for place in expected)
        there = {place: found[place][content] for place in found if found[place][content]}
        if sum(there.values()) < asked:
            verdict.lost.append(f"{name}: {asked} dropped, whole copies: {there or 'none'}")
        elif ended and sum(there.values()) > asked:
            verdict.duplicated.append(f"{name}: {asked} dropped, whole copies: {there}")
        elif ended and any(found[place][content] != expected[place][content] for place in found):
            verdict.disagreements.append(f"{name} lies in {there}")
    if ended:
        own_copies = {f"{Path(rel).name}.yaml" for drop in drops for rel in drop.pictures}
        verdict.disagreements += [
            f"{rel} in {place} is nothing that was dropped"
            for place in found
            for rel, content in places[place]
            if content not in names
            and not rel.endswith(".reason.txt")
            and not (place == "failed" and Path(rel).name in own_copies)
        ]


def _check_outputs(config: Config, drops: Sequence[Drop], verdict: Verdict, *, ended: bool) -> None:
    """Whole pictures, each as often as asked; of a job, all frames or none."""
    asked = Counter(output for drop in drops for output in drop.outputs())
    seen: Counter[Output] = Counter()
    for rel, content in _files(config.outbox):
        output = _read_output(config.outbox / rel, content, verdict)
        if output is not None:
            seen[output] += 1
            if output not in asked:
                verdict.disagreements.append(f"nobody asked for {rel}")
    visible: Counter[tuple[str, str]] = Counter()  # how many jobs of a picture
    for (name, digest, index), count in seen.items():
        per_job = asked[name, digest, index] / max(asked[name, digest, 0], 1)
        jobs = math.ceil(count / per_job) if per_job else 0
        visible[name, digest] = max(visible[name, digest], jobs)
    for (name, digest, index), most in asked.items():
        what = f"{name}: {'animations and sheets' if index is None else f'frame {index}'}"
        there, jobs = seen[name, digest, index], asked[name, digest, 0]
        if there > most:
            verdict.duplicated.append(f"{what}: {there} of {most} in the outbox")
        elif there < most * visible[name, digest] / jobs:
            verdict.half_visible.append(f"{what}: {there} of {most}, with others of the job there")
        elif there < most and ended:
            verdict.lost.append(f"{what}: {there} of {most} in the outbox")


def _read_output(path: Path, content: bytes, verdict: Verdict) -> Output | None:
    try:
        with Image.open(path) as image:
            decode(image)
            form = image.format
    except (OSError, SyntaxError, ValueError) as error:
        verdict.half_visible.append(f"{path.name} cannot be decoded: {error}")
        return None
    if not ends_whole(content, form):
        verdict.half_visible.append(f"{path.name} lacks its end")
        return None
    text = recipe_in(content)
    if text is None:
        verdict.disagreements.append(f"{path.name} carries no recipe")
        return None
    recipe = Recipe.from_json(text, path.name)
    return recipe.picture.name, recipe.picture.sha256, recipe.index


def _check_halves(config: Config, verdict: Verdict, *, ended: bool) -> None:
    """Files under temporary names: never visible, and gone when all has ended."""
    for folder in (config.outbox, config.done, config.failed):
        for path in folder.rglob(".*"):
            rel = path.relative_to(folder)
            if rel.parts[0] != STAGING and (ended or folder == config.outbox):
                verdict.half_visible.append(f"{rel} in {folder.name}")


def _check_reasons(config: Config, drops: Sequence[Drop], failed: Place, verdict: Verdict) -> None:
    there = {Path(rel).name for rel, _ in failed if rel.endswith(".reason.txt")}
    for drop in drops:
        for rel in (drop.pictures or list(drop.files)[:1]) if drop.end == "failed" else ():
            if reason_name(Path(rel).name) not in there:
                verdict.disagreements.append(f"{rel} failed, and no reason says why")


def _check_leftovers(config: Config, verdict: Verdict) -> None:
    """Spool and staging hold nothing but their locks and the ledger's mark."""
    for folder in [*(inbox.path for inbox in config.inboxes), config.outbox]:
        for path in (folder / STAGING).iterdir():
            if path.name not in ("lock", "ledger"):
                verdict.disagreements.append(f"left over in {folder.name}: {path.name}")


def _check_ledger(
    config: Config, drops: Sequence[Drop], verdict: Verdict, *, ledger_lost: bool
) -> None:
    ledger = read_ledger(config.state / "ledger.sqlite")
    if ledger is None:
        verdict.disagreements.append("there is no ledger")
        return
    try:
        rows = ledger.jobs_in(*JobState)
        for row in rows:
            verdict.disagreements += [f"{row.spec.rel}: {text}" for text in _doubts(row, ledger)]
            if row.state is JobState.DONE and not (config.outbox / row.published).exists():
                verdict.lost.append(f"{row.spec.rel}: {row.published} is not in the outbox")
        (names,) = ledger.sql.execute("SELECT count(*) FROM reserved").fetchone()
        if names:
            verdict.disagreements.append(f"{names} names are still reserved")
        for bundle in ledger.open_bundles():
            verdict.disagreements.append(f"the shared sidecar {bundle.rel} was not archived")
    finally:
        ledger.close()
    served = Counter(
        (row.spec.inbox, row.spec.rel) for row in rows if row.state is not JobState.REPLACED
    )
    asked = Counter(
        (str(config.inboxes[drop.inbox].path), rel)
        for drop in drops
        for rel in (drop.pictures if drop.end != "inbox" else ())
    )
    for (inbox, rel), most in asked.items():
        jobs = served[inbox, rel]
        if jobs > most:
            verdict.duplicated.append(f"{rel}: {jobs} jobs in the ledger, {most} dropped")
        elif jobs < most and not ledger_lost:
            verdict.disagreements.append(f"{rel}: {jobs} jobs in the ledger, {most} dropped")


def _doubts(row: JobRow, ledger: Ledger) -> Iterator[str]:
    """What a row of the ledger says that cannot be when all has ended."""
    if not row.state.ended:
        yield f"its job is {row.state.value}"
    elif not row.archived:
        yield "its job is not archived"
    if row.state is JobState.DONE:
        if not row.published:
            yield "done, but where it was published is not known"
        for frame in ledger.frames(row.id):
            if frame.state not in (FrameState.PUBLISHED, FrameState.FAILED):
                yield f"done, but frame {frame.index} is {frame.state.value}"

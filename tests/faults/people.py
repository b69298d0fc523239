"""A rig and the people around it: what they drop, move and take away, and what must be so then."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from local_pool import AtOnce, LocalPool
from PIL import Image
from rig import Rig

from img2imgd.ledger import retried_from
from img2imgd.outputs.recipe import Recipe
from img2imgd.pairing.kinds import PICTURE_SUFFIXES
from img2imgd.pool.supervision import WorkerPool
from img2imgd.reader.carriers import find_recipe

DEFAULTS = "_defaults.yaml"
Output = tuple[str, str, int]  # the picture's name and SHA-256, the seed
APART = 10  # between the seeds of two documents: a job's frames have the seeds from there on


@dataclass
class Writer:
    """A program that holds a file open and has not written all of it."""

    path: Path
    file: BinaryIO
    rest: bytes
    whole: bytes


@dataclass
class People:
    """What was dropped whole and not taken back, and what else people did."""

    alive: dict[bytes, str] = field(default_factory=lambda: dict[bytes, str]())
    frames: dict[int, int] = field(default_factory=lambda: dict[int, int]())  # seed → how many
    squatters: dict[Path, bytes] = field(default_factory=lambda: dict[Path, bytes]())
    writer: Writer | None = None
    whole: set[str] = field(default_factory=lambda: set[str]())  # SHA-256 of all that was dropped
    again: Counter[str] = field(default_factory=lambda: Counter[str]())  # put back from failed
    defaults: set[int] = field(default_factory=lambda: set[int]())  # their seeds
    made: int = 0


class World(Rig):
    """The daemon's parts with its worker in this process, and its people."""

    def start(self) -> None:
        """A new process, which reads pictures when it asks for them."""
        super().start()
        self.dispatch._starting._preparing._thread = AtOnce()  # type: ignore[assignment]

    def new_pool(self) -> WorkerPool:
        """A pool that ends with the process that is simulated."""
        self._pools.append(LocalPool())
        return self._pools[-1]

    def begin(self) -> None:
        """Nobody has done anything yet."""
        self.people = People()
        self.seen: dict[Path, tuple[bytes, list[Output]]] = {}
        self.taken: list[Output] = []  # what people took
        self.interrupted = False  # a claim, perhaps, whose files the next look puts back
        (self.root / "mine").mkdir()

    # Contents, each made once

    def new_picture(self) -> bytes:
        """A picture of its own."""
        self.people.made += 1
        file = io.BytesIO()
        number = self.people.made
        Image.new("RGB", (16, 16), (number % 256, number // 256, 77)).save(file, "PNG")
        return file.getvalue()

    def new_document(self, frames: int, head: str = "") -> bytes:
        """A sidecar or defaults with a seed of its own; ``frames`` 0 makes a broken one."""
        self.people.made += 1
        seed = self.people.made * APART
        self.people.frames[seed] = frames
        broken = "" if frames else "promt: x\n"
        keys = f"prompt: a lake\nseed: {seed}\nn: {max(frames, 1)}\nsheet: false\n"
        return f"{head}{broken}{keys}".encode()

    # What people do

    def put(self, path: Path, content: bytes, *, by_rename: bool = False) -> None:
        """Write a file whole, in place or under another name first."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.overwritten(path)
        if by_rename:
            half = self.root / "mine" / "half"
            half.write_bytes(content)
            half.replace(path)
        else:
            path.write_bytes(content)
        self.dropped_whole(path, content)

    def dropped_whole(self, path: Path, content: bytes) -> None:
        """From now on this content must not be lost."""
        self.people.alive[content] = path.name
        self.people.whole.add(digest(content))

    def overwritten(self, path: Path) -> None:
        """Whatever has this name in the inbox is no more."""
        if path.is_file():
            self.people.alive.pop(path.read_bytes(), None)

    def hold_open(self, path: Path, content: bytes) -> None:
        """Begin to write a file and keep it open."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.overwritten(path)
        file = path.open("wb", buffering=0)
        file.write(content[:20])
        self.people.writer = Writer(path, file, content[20:], content)

    def write_on(self, count: int | None) -> None:
        """Write more of the held file; None: the rest, and close it."""
        writer = self.people.writer
        assert writer is not None
        count = len(writer.rest) if count is None else min(count, len(writer.rest) - 1)
        writer.file.write(writer.rest[:count])
        writer.rest = writer.rest[count:]
        if not writer.rest:
            places = [writer.path, *(self.spool.glob("*/in/*") if self.interrupted else ())]
            held = os.fstat(writer.file.fileno())
            assert any(path.exists() and os.path.samestat(path.stat(), held) for path in places), (
                "taken while open"
            )
            writer.file.close()
            self.dropped_whole(writer.path, writer.whole)
            self.people.writer = None

    def dropped(self) -> list[Path]:
        """The files of the inbox that nobody holds open."""
        held = self.people.writer.path if self.people.writer else None
        return [path for rel in self.tree(self.folder) if (path := self.folder / rel) != held]

    def rename(self, path: Path, target: Path) -> None:
        """Rename a file within the inbox, replacing what is there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if path != target:
            self.overwritten(target)
        path.replace(target)

    def remove(self, path: Path) -> None:
        """Take a file out of the inbox."""
        self.overwritten(path)
        path.unlink()

    def put_back(self, path: Path, target: Path) -> None:
        """Move a file from failed into the inbox, to have it served again."""
        if path not in self.people.squatters:
            self.people.again[digest(path.read_bytes())] += 1
            self.rename(path, target)

    def order_retry(self, job: str) -> None:
        """Have a job served once more: its picture may be, then."""
        row = self.ledger.job(job)
        if row is not None:
            places = (retried_from(row), self.spool / row.id / "in" / row.spec.subject.name)
            found = [path.read_bytes() for path in places if path is not None and path.is_file()]
            self.people.again.update(map(digest, found[:1]))
        self.ledger.give_order("retry", job)

    def squat(self, path: Path) -> None:
        """Put a file where the daemon wants to put its own."""
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            content = f"mine {path.name} {len(self.people.squatters)}".encode()
            path.write_bytes(content)
            self.people.squatters[path] = content

    def take_output(self, index: int) -> None:
        """Take a published file or folder out of the outbox."""
        tops = sorted({Path(rel) for rel in self._published()})
        if tops:
            path = self.config.outbox / tops[index % len(tops)]
            self.taken += [output for rel in self._below(path) for output in self._outputs_of(rel)]
            path.rename(self.root / "mine" / f"taken-{len(list((self.root / 'mine').iterdir()))}")

    # What must be so

    def copies(self) -> dict[bytes, list[str]]:
        """Where each content lies, by the places it may lie in."""
        found: dict[bytes, list[str]] = defaultdict(list)
        spool = [*self.spool.glob("*/in/*"), *self.spool.glob("*-sidecar/*")]
        places = {
            "inbox": [self.folder / rel for rel in self.tree(self.folder)],
            "spool": [path for path in spool if not path.name.startswith(".")],
            "done": [self.config.done / rel for rel in self.tree(self.config.done)],
            "failed": [self.config.failed / rel for rel in self.tree(self.config.failed)],
        }
        for place, paths in places.items():
            for path in paths:
                found[path.read_bytes()].append(place)
        return found

    def outputs_seen(self) -> Counter[Output]:
        """Every output that was ever published."""
        files = [self.config.outbox / rel for rel in self.outputs()]
        made = [output for path in files for output in self._outputs_of(path)]
        return Counter([*made, *self.taken])

    def _published(self) -> list[str]:
        """Outputs as they were published: files, and folders of frames."""
        squatters = {str(p.relative_to(self.config.outbox)) for p in self.people.squatters
                     if p.is_relative_to(self.config.outbox)}  # fmt: skip
        found = [rel for rel in self.outputs() if rel not in squatters]
        folders = {str(Path(rel).parent) for rel in found if "_" in Path(rel).parent.name}
        return [*(rel for rel in found if str(Path(rel).parent) not in folders), *folders]

    def _below(self, path: Path) -> list[Path]:
        return [path] if path.is_file() else sorted(path.iterdir())

    def _outputs_of(self, path: Path) -> list[Output]:
        """What an output tells of itself; it is read once, and must be whole."""
        if path in self.people.squatters:
            return []
        content = path.read_bytes()
        known = self.seen.get(path)
        if known is not None and known[0] == content:
            return known[1]
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            text = find_recipe(image)
        assert text is not None, f"{path} carries no recipe"
        recipe = Recipe.from_json(text, path.name)
        seed = recipe.frame.seed
        assert isinstance(seed, int)
        told = [(recipe.picture.name, recipe.picture.sha256, seed)]
        self.seen[path] = (content, told)
        return told


def is_picture(path: Path) -> bool:
    """True for names that pictures have."""
    return path.suffix in PICTURE_SUFFIXES


def seed_in(document: bytes) -> int | None:
    """The seed of a document that is whole and not broken."""
    found = re.search(rb"^(?!promt).*seed: (\d+)\nn: \d\nsheet: false\n$", document, re.DOTALL)
    return int(found[1]) if found else None


def is_retry(rel: str) -> bool:
    """True for what a person may put back from failed."""
    return not rel.endswith((".reason.txt", ".png.yaml", ".jpg.yaml"))


def digest(content: bytes) -> str:
    """As recipes tell a picture."""
    return hashlib.sha256(content).hexdigest()

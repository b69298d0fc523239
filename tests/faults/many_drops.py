"""Drops of every kind, and people who make them slowly and several at once."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from invariants import Drop
from world import SINGLE, misspelt, picture, shared, single, sweep

KEEPING = 1  # the inbox that keeps its files
AT_ONCE = 4  # drops that are being made at a time
LIST = "prompt: a lake\nseed: 7\nimages: {}\n"

Kind = Callable[[str, int], Sequence[Drop]]


def kept(drop: Drop) -> Drop:
    """The same in the inbox that keeps its files."""
    return replace(drop, inbox=KEEPING)


def listed(stem: str, seed: int, images: str) -> Drop:
    """Two pictures and a sidecar that names them."""
    return Drop({
        f"{stem}-a.png": picture(seed),
        f"{stem}-b.jpg": picture(seed + 1, "JPEG"),
        f"{stem}-list.yaml": LIST.format(images).encode(),
    })  # fmt: skip


def twins(stem: str, seed: int) -> Drop:
    """One picture under two names."""
    return Drop({**single(f"{stem}-one", seed).files, **single(f"{stem}-other", seed).files})


def cut(stem: str, seed: int) -> Drop:
    """A picture that was not copied to its end."""
    return Drop({f"{stem}.png": picture(seed)[:400], f"{stem}.yaml": SINGLE}, end="failed")


def with_defaults(stem: str, seed: int) -> Sequence[Drop]:
    """A folder whose defaults hold a prompt, and two pictures without a word."""
    return (
        Drop({f"{stem}/_defaults.yaml": SINGLE}, end="inbox"),
        Drop({f"{stem}/{stem}-a.png": picture(seed), f"{stem}/below/{stem}-b.png": picture(seed)}),
    )


ANY_ORDER: Sequence[Kind] = (
    lambda stem, seed: [single(stem, seed)],
    lambda stem, seed: [single(f"sub-{seed % 7}/deep/{stem}", seed)],
    lambda stem, seed: [sweep(stem, seed)],
    lambda stem, seed: [sweep(f"sub-{seed % 7}/{stem}", seed)],
    lambda stem, seed: [twins(stem, seed)],
    lambda stem, seed: [misspelt(stem, seed)],
    lambda stem, seed: [cut(stem, seed)],
    lambda stem, seed: [listed(stem, seed, f"[{stem}-a.png, {stem}-b.jpg]")],
    lambda stem, seed: [Drop({f"{stem}.png": picture(seed)}, end="failed")],
    lambda stem, seed: [Drop({f"{stem}.yaml": b"prompt: number %d" % seed}, end="failed")],
    lambda stem, seed: [Drop({f"{stem}.docx": b"number %d" % seed}, end="failed")],
    lambda stem, seed: [kept(single(stem, seed))],
    lambda stem, seed: [kept(sweep(stem, seed))],
    lambda stem, seed: [kept(misspelt(stem, seed))],
    lambda stem, seed: [kept(Drop({f"{stem}.png": picture(seed)}, end="inbox"))],
    lambda stem, seed: [kept(Drop({f"{stem}.docx": b"number %d" % seed}, end="inbox"))],
    with_defaults,
)
# The sidecar comes last, or a picture alone would be taken for all that there is. Where a name is
# used again it does so, too: alone it would be a late one of the picture before.
SIDECAR_LAST: Sequence[Kind] = (
    lambda stem, seed: [shared(stem, seed)],
    lambda stem, seed: [kept(shared(stem, seed))],
    lambda stem, seed: [listed(stem, seed, f"['{stem}-[ab].*']")],
    lambda _, seed: [single(f"again-{seed % 5}", 5)],
    lambda _, seed: [single(f"sub-{seed % 7}/again", 5)],
)


def drops_of_every_kind(rng: random.Random, count: int) -> list[Drop]:
    """So many drops in any order; their files are to be written in the order that they have."""
    made: list[Drop] = []
    while len(made) < count:
        number = len(made)
        kind = rng.choice([*ANY_ORDER, *SIDECAR_LAST])
        for drop in kind(f"n{number}", 2 * number):
            files = list(drop.files.items())
            if kind in ANY_ORDER:
                rng.shuffle(files)
            made.append(replace(drop, files=dict(files)))
    return made


def jobs_of(drop: Drop) -> int:
    """How many jobs it becomes; a file that is refused alone is one, too."""
    return 0 if drop.end == "inbox" else len(drop.pictures) or len(drop.files)


class People:
    """Make one drop after the other, never more than ``AT_ONCE`` at a time.

    A name is used again when all that had it before is in done.
    """

    def __init__(self, rng: random.Random, root: Path, drops: Sequence[Drop]) -> None:
        self._rng = rng
        self._done = root / "done"
        self._inboxes = [root / "inbox", root / "tablet"]
        self._to_come = iter(drops)
        self._making: list[tuple[Drop, Iterator[None]]] = []
        self._begun: Counter[str] = Counter()
        self.made: list[Drop] = []
        self.all_made = False

    def go_on(self, *, begin: bool) -> None:
        """Write something of a drop; ``begin`` allows for a new one."""
        if begin and len(self._making) < AT_ONCE:
            if (drop := next(self._to_come, None)) is not None:
                self._making.append((drop, self._make(drop)))
            elif not self._making:
                self.all_made = True
        if self._making:
            drop, steps = self._rng.choice(self._making)
            if next(steps, "made") == "made":
                self._making.remove((drop, steps))
                self.made.append(drop)

    def _make(self, drop: Drop) -> Iterator[None]:
        first = next(iter(drop.files))
        before = self._begun[first]
        self._begun[first] += 1
        while self._in_done(first) < before:
            yield
        for rel, content in drop.files.items():
            path = self._inboxes[drop.inbox] / rel
            path.parent.mkdir(parents=True, exist_ok=True)
            yield  # meanwhile others do something
            yield from self._rng.choice([in_one_go, in_two, under_another_name])(path, content)

    def _in_done(self, rel: str) -> int:
        """How often a name is there, numbered or not."""
        path = self._done / rel
        name = re.compile(rf"{path.stem}(~\d+)?{path.suffix}")
        return sum(bool(name.fullmatch(other.name)) for other in path.parent.glob("*"))


def in_one_go(path: Path, content: bytes) -> Iterator[None]:
    """Write a file."""
    path.write_bytes(content)
    yield from ()


def in_two(path: Path, content: bytes) -> Iterator[None]:
    """The first half, and the rest when others have done something."""
    with path.open("wb", buffering=0) as file:
        file.write(content[: len(content) // 2])
        yield
        file.write(content[len(content) // 2 :])


def under_another_name(path: Path, content: bytes) -> Iterator[None]:
    """As browsers and rsync do, with a rename at the end."""
    half = path.with_name(f".{path.name}.part")
    half.write_bytes(content)
    yield
    half.rename(path)

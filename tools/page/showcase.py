"""A root folder that is worth showing: the demo's sketches, painted by the embedded model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from img2imgd.sketches import SKETCHES

CONFIG = """\
root: {root}
limits: {{min_free_gb: 0}}
status: {{listen: "127.0.0.1:{port}"}}
inboxes:
  - path: {root}/inbox
    settle: 0.3
    rescan: 1
    pair_wait: 1
    orphan_after: {orphan_after}
"""

_LOOKS = ("an oil painting", "a watercolour", "an ink drawing", "a photo", "pop art", "pixel art")
_TIMES = ("at sunset", "on a sunny day", "at night", "in the fog", "at dawn", "in a storm")
_WORDS = {
    "house": "a red house and a tree in the hills",
    "boat": "a sailing boat on the sea",
    "hills": "a lake with mountains",
    "castle": "a castle on a hill",
    "lighthouse": "a lighthouse on a cliff by the sea",
    "bridge": "a stone bridge over a river",
    "balloon": "a balloon over green hills",
    "cactus": "a cactus in the desert",
}


@dataclass(frozen=True)
class Drop:
    """A sketch with its sidecar; ``name`` is the file's, without an ending."""

    name: str
    sketch: str
    sidecar: str

    def into(self, inbox: Path) -> None:
        """Put both into an inbox."""
        SKETCHES[self.sketch]().save(inbox / f"{self.name}.png")
        (inbox / f"{self.name}.yaml").write_text(self.sidecar, encoding="utf-8")


def singles(count: int) -> list[Drop]:
    """Pictures of every sketch in looks and times that change."""
    names = list(_WORDS)
    drops: list[Drop] = []
    for number in range(count):
        sketch = names[number % len(names)]
        look = _LOOKS[(number * 5 + number // len(names)) % len(_LOOKS)]
        time = _TIMES[(number + number // len(names)) % len(_TIMES)]
        sidecar = (
            f"prompt: {look} of {_WORDS[sketch]} {time}\n"
            f"strength: {(0.68, 0.72, 0.76)[number % 3]}\nguidance_scale: 6\nseed: {187 + number}\n"
        )
        drops.append(Drop(f"{sketch}-{number:02}", sketch, sidecar))
    return drops


STYLES = Drop(
    "harbour", "boat",
    "prompt: a sailing boat on the sea at sunset\n"
    "style: [turner, andy warhol, hokusai, van gogh]\n"
    "strength: 0.68\nguidance_scale: 6\nseed: 187\n",
)  # fmt: skip

MORPH = Drop(
    "mountain lake", "hills",
    "prompt: an oil painting of a lake with mountains at sunset\nguidance_scale: 6\nseed: 187\n"
    "sweep:\n  strength: {from: 0.05, to: 0.95, step: 0.03}\n",
)  # fmt: skip

MORPHS = Drop(
    "castle in two hands", "castle",
    "prompt: a castle on a hill at dawn\nstyle: [hokusai, van gogh]\nguidance_scale: 6\nseed: 12\n"
    "sweep:\n  strength: {from: 0.1, to: 0.9, step: 0.1}\n",
)  # fmt: skip

BROKEN = (
    Drop("bridge by night", "bridge", "prompt: a stone bridge\nstrenght: 0.7\n"),
    Drop("lighthouse draft", "lighthouse", "prompt: a lighthouse by the sea\nmodel: sd35\n"),
)


def write_config(folder: Path, port: int, orphan_after: float = 600) -> Path:
    """A config for a root below this folder; the path of the file."""
    root = folder / "studio"
    (root / "inbox").mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(root=root, port=port, orphan_after=orphan_after), "utf-8")
    return path

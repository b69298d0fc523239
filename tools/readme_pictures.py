"""Compose the README's pictures from what ``img2imgd demo DIR`` made: run the demo first.

python tools/readme_pictures.py DIR docs/pictures
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

SIDE = 256  # pixels of a tile; the embedded model's are enlarged twofold
GAP = 12


def main(demo: Path, target: Path) -> None:
    """Write sketch.png, styles.png, strengths.png and morph.gif."""
    target.mkdir(parents=True, exist_ok=True)
    inputs, outbox = demo / "done", demo / "outbox"
    house = _newest(outbox.glob("house_*.png"))
    _row([inputs / "house.png", house]).save(target / "sketch.png", optimize=True)
    styles = sorted(_newest(outbox.glob("boat_*/")).glob("*.png"))
    _row([inputs / "boat.png", *styles]).save(target / "styles.png", optimize=True)
    sweep = _newest(outbox.glob("hills_*/"))
    frames = sorted(sweep.glob("*.png"))
    chosen = [frames[index] for index in (0, 8, 14, 20, 25, 30)]
    _row(chosen).save(target / "strengths.png", optimize=True)
    shutil.copyfile(next(sweep.glob("*.gif")), target / "morph.gif")


def _row(paths: list[Path]) -> Image.Image:
    row = Image.new("RGB", (len(paths) * (SIDE + GAP) - GAP, SIDE), "white")
    for number, path in enumerate(paths):
        with Image.open(path) as picture:
            tile = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        row.paste(tile, (number * (SIDE + GAP), 0))
    return row


def _newest(paths: Iterable[Path]) -> Path:
    return max(paths, key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

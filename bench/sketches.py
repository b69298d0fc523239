"""How clean a drawing on paper becomes by ``prepare: sketch``, and what that costs.

The drawings and what was done to them (paper, shade, skew, noise) are those of ``tools/papers``, so
that the truth is known: where the paper is bare, how dark each stroke is, how far the sheet lies
askew. Costs are those of the reader's process for an A4 page of 600 dpi, side by side with
``prepare: none``.

Prints tables, writes ``bench/results/sketches.json``. Run: ``python bench/sketches.py``;
``--picture FILE`` shows five drawings as they were seen and what became of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.papers import (
    CREAM,
    INK,
    PENCIL,
    SOFT_PENCIL,
    WHITE,
    YELLOW,
    Light,
    Seen,
    Sheet,
    cat,
    flower,
    hills,
    house,
    photographed,
    scanned,
)
from tools.phone import Shot, photograph

from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.paper import find_drawing, look_at
from img2imgd.reader.paper.light import find_lighting, level
from img2imgd.reader.protocol import SizeRule

SIZE = (1000, 1400)
A4_600 = (4960, 7016)
WHITE_ENOUGH, DRAWN = 250, 0.25
SCANS = {
    "pencil, white paper": (PENCIL, WHITE, Light(), 0.008),
    "pencil, cream, shade and shadow": (PENCIL, CREAM, Light(0.35, 0.4), 0.012),
    "ink, yellow, shade and fold": (INK, YELLOW, Light(0.3, 0.0, 0.08), 0.008),
    "soft pencil, cream, warm light, shadow": (
        SOFT_PENCIL, CREAM, Light(0.4, 0.3, 0.0, (1.0, 0.94, 0.8)), 0.015),
}  # fmt: skip
TURNED = (-12.0, -5.0, -2.3, -0.7, 0.7, 2.3, 5.0, 12.0)
ACROSS = Shot(outline=((1.1, 0.3), (0.7, 0.34), (0.55, 0.5), (0.5, 0.75), (0.4, 1.1), (1.1, 1.1)))
SHOWN, GAP = 320, 14  # pixels of the picture: the width of a drawing, and what is between


def levelled(seen: Seen) -> tuple[float, float]:
    """Share of the bare paper that is white then, and of their contrast that strokes keep."""
    picture = np.asarray(level(seen.picture, find_lighting(seen.picture)), np.float32)
    dark = Image.fromarray((seen.darkness * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(7))
    bare, drawn = np.asarray(dark) < 5, seen.darkness > DRAWN
    kept = (1 - picture.mean(axis=2) / 255)[drawn].mean() / seen.darkness[drawn].mean()
    return float((picture.min(axis=2)[bare] >= WHITE_ENOUGH).mean()), float(kept)


def skew_error(ruling: str) -> float:
    """By how many degrees a ruled sheet is turned wrongly at most."""
    off: list[float] = []
    for turned in TURNED:
        picture = scanned(Sheet(flower(), size=SIZE, ruling=ruling), turned, Light(0.2)).picture
        look = look_at(picture, picture.size)
        rule = SizeRule(512, prepare="sketch")
        off.append(abs(find_drawing(look, picture.size, rule).turned - turned))
    return max(off)


def seconds(folder: Path) -> dict[str, float]:
    """Of the clock, by rule, for the page of 35 megapixels."""
    page = folder / "page.png"
    scanned(Sheet(house(), size=SIZE)).picture.resize(A4_600).save(page, compress_level=1)
    reader, found = ReaderProcess(), {}
    try:
        reader.inspect(page)  # it has started
        for name in ("none", "sketch", "auto"):
            rule = SizeRule(768, prepare=name)  # type: ignore[arg-type]
            began = time.monotonic()
            reader.prepare(page, folder / "out.png", rule)
            found[name] = time.monotonic() - began
    finally:
        reader.close()
    return found


def show(folder: Path, target: Path) -> None:
    """Five drawings as they were seen, and below what became of them."""
    wide = Light(0.35, 0.35)
    drawings = [
        photographed(Sheet(house(), SOFT_PENCIL, SIZE)),
        photograph(Sheet(house(), SOFT_PENCIL, SIZE, paper=CREAM, coloured="crayon"), ACROSS),
        scanned(Sheet(flower(), PENCIL, SIZE, ruling="lined"), 3.0, Light(0.2, 0.4)),
        photographed(Sheet(hills(), INK, SIZE, coloured="wash"), desk="grey", light=wide),
        scanned(
            Sheet(cat(), PENCIL, SIZE, paper=YELLOW, coloured="crayon"), 2.5,
            Light(0.15, 0.0, 0.05), around=(0.03, 0.03, 0.03),
        ),
    ]  # fmt: skip
    reader, columns = ReaderProcess(), []
    try:
        for number, seen in enumerate(drawings):
            source, clean = folder / f"{number}.png", folder / f"{number}-clean.png"
            seen.picture.save(source, compress_level=1)
            reader.prepare(source, clean, SizeRule(768, multiple=8, prepare="sketch"))
            with Image.open(clean) as image:
                columns.append([_narrow(seen.picture), _narrow(image)])
    finally:
        reader.close()
    upper, lower = (max(column[row].height for column in columns) for row in (0, 1))
    board = Image.new("RGB", (len(columns) * (SHOWN + GAP) + GAP, upper + lower + 3 * GAP), "#777")
    for at, (seen_as, clean_as) in enumerate(columns):
        board.paste(seen_as, (GAP + at * (SHOWN + GAP), GAP))
        board.paste(clean_as, (GAP + at * (SHOWN + GAP), upper + 2 * GAP))
    board.save(target, quality=84)


def _narrow(image: Image.Image) -> Image.Image:
    height = round(image.height * SHOWN / image.width)
    return image.convert("RGB").resize((SHOWN, height), Image.Resampling.LANCZOS)


def main() -> None:
    """Measure, and show if wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {}
    print(f"| scan | paper ≥ {WHITE_ENOUGH} of 255 | contrast that strokes keep |")
    print("| --- | ---: | ---: |")
    for name, (medium, paper, light, noise) in SCANS.items():
        seen = scanned(Sheet(house(), medium, SIZE, paper=paper), light=light, noise=noise)
        white, kept = results[name] = levelled(seen)
        print(f"| {name} | {white:.1%} | {kept:.0%} |")
    print(f"\n| ruled paper, {len(TURNED)} angles to 12° | worst error |\n| --- | ---: |")
    for ruling in ("lined", "squared"):
        results[ruling] = error = skew_error(ruling)
        print(f"| {ruling} | {error:.2f}° |")
    with tempfile.TemporaryDirectory() as temporary:
        results["seconds"] = cost = seconds(Path(temporary))
        print("\n| A4 at 600 dpi → 768 pixels | seconds |\n| --- | ---: |")
        for rule, took in cost.items():
            print(f"| `prepare: {rule}` | {took:.1f} |")
        if options.picture:
            show(Path(temporary), options.picture)
    target = Path(__file__).parent / "results" / "sketches.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

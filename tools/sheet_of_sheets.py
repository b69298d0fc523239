"""Contact sheets of 1, 5, 31, 60 and 200 frames on one picture, to look at what their layout does.

    python -m tools.sheet_of_sheets FRAMES TARGET.jpg

``FRAMES`` is a folder of paintings, such as the sweep of ``make demo``; they stand in for the
frames of each job in turn. The sheets themselves are left beside the target as PNGs.
"""

from __future__ import annotations

import argparse
from itertools import cycle, islice
from pathlib import Path

from PIL import Image, ImageDraw

from img2imgd.job import plan_frames
from img2imgd.outputs.lettering import font
from img2imgd.outputs.sheet import write_sheet
from img2imgd.outputs.sheet_plan import plan_sheet
from img2imgd.request import RequestKeys, resolve
from img2imgd.request.sweep import SweepKeys

_PROMPT = "an oil painting of a lake with mountains at sunset"
_STRENGTHS = tuple(round(0.05 + 0.03 * at, 2) for at in range(31))
_GUIDANCE = (3.0, 5.0, 7.0, 9.0, 12.0)
_JOBS = {
    "one frame": RequestKeys(),
    "5 styles": RequestKeys(style=("turner", "hokusai", "van gogh", "monet", "andy warhol")),
    "31 strengths": RequestKeys(sweep=SweepKeys.of({"strength": _STRENGTHS})),
    "60: guidance × strength": RequestKeys(
        sweep=SweepKeys.of({"guidance_scale": _GUIDANCE, "strength": _STRENGTHS[6:30:2]})
    ),
    "200 variations": RequestKeys(n=200),
}
_WIDTH, _GAP, _TITLE = 900, 28, 30  # pixels


def main() -> None:
    """Make the sheets, and the picture of them in two columns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    paintings = sorted(arguments.frames.glob("*_strength-*.png"))
    sheets: list[tuple[str, Image.Image]] = []
    for number, (title, keys) in enumerate(_JOBS.items()):
        path = arguments.target.with_name(f"{arguments.target.stem}-{number}.png")
        _write(keys, paintings, path)
        with Image.open(path) as sheet:
            sheets.append((f"{title}, {sheet.width} × {sheet.height} px", sheet.convert("RGB")))
    _compose(sheets).save(arguments.target, quality=88, subsampling=0)


def _write(keys: RequestKeys, paintings: list[Path], target: Path) -> None:
    wanted = keys.over(RequestKeys(prompt=_PROMPT, seed=187, guidance_scale=6, strength=0.65))
    request = resolve(
        [wanted], default_model="demo", models={"demo"}, draw_seed=lambda: 0, max_frames=400,
        name="sheet",
    )  # fmt: skip
    frames = plan_frames(request)
    stand_ins = dict(enumerate(islice(cycle(paintings), len(frames))))
    write_sheet(plan_sheet(request, frames, stand_ins, "hills.png"), target)


def _compose(sheets: list[tuple[str, Image.Image]]) -> Image.Image:
    """Each as wide as the others (a small one as it is), under its title, in two columns."""
    tiles: list[tuple[str, Image.Image]] = []
    for title, sheet in sheets:
        scale = min(1.0, _WIDTH / sheet.width)
        size = (round(sheet.width * scale), round(sheet.height * scale))
        tiles.append((title, sheet.resize(size, Image.Resampling.LANCZOS)))
    bottoms = [_GAP, _GAP]
    places: list[tuple[int, int]] = []
    for _, tile in tiles:
        column = bottoms.index(min(bottoms))
        places.append((_GAP + column * (_WIDTH + _GAP), bottoms[column]))
        bottoms[column] += _TITLE + tile.height + _GAP
    picture = Image.new("RGB", (2 * _WIDTH + 3 * _GAP, max(bottoms)), (226, 226, 226))
    pen = ImageDraw.Draw(picture)
    for (title, tile), (left, top) in zip(tiles, places, strict=True):
        pen.text((left, top), title, (40, 40, 40), font(18, title, bold=True))
        picture.paste(tile, (left, top + _TITLE))
    return picture


if __name__ == "__main__":
    main()

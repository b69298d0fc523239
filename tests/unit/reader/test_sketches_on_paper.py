"""What ``prepare: sketch`` makes of drawings on paper, measured against how they were drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from apart import DRAWINGS, OTHERS, line_art
from directly import prepare
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from tools.papers import (
    CREAM,
    INK,
    PENCIL,
    SOFT_PENCIL,
    SUBJECTS,
    YELLOW,
    Light,
    Medium,
    Seen,
    Sheet,
    Subject,
    cat,
    flower,
    hills,
    house,
    photographed,
    scanned,
)
from tools.phone import Shot, photograph

from img2imgd.reader import preparing
from img2imgd.reader.paper import Drawing, clean, find_drawing, look_at
from img2imgd.reader.paper.light import find_lighting, level
from img2imgd.reader.paper.skew import find_skew
from img2imgd.reader.protocol import Prepared, ReaderLimits, SizeRule

LIMITS = ReaderLimits()
SIZE = (600, 840)


def prepared(
    picture: Image.Image, folder: Path, rule: SizeRule, name: str = "drawing.png"
) -> tuple[Image.Image, Prepared]:
    source, target = folder / name, folder / "prepared.png"
    picture.save(source)
    report = prepare(source, target, rule, LIMITS)
    with Image.open(target) as image:
        image.load()
        assert image.size == (report.width, report.height)
        return image, report


def found(seen: Seen) -> Drawing:
    size = seen.picture.size
    return find_drawing(look_at(seen.picture, size), size, SizeRule(512, prepare="sketch"))


def sketch(seen: Seen) -> tuple[Drawing, Image.Image]:
    drawing = found(seen)
    return drawing, clean(seen.picture, seen.picture.size, drawing, None)


def grown(darkness: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Darkness, with everything that is drawn wider by so many pixels."""
    image = Image.fromarray((darkness * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * by + 1)), np.float32) / 255


@pytest.mark.parametrize(
    ("medium", "paper", "light", "noise"),
    [
        (PENCIL, (1.0, 1.0, 1.0), Light(), 0.008),
        (PENCIL, CREAM, Light(0.35, 0.4), 0.012),
        (INK, YELLOW, Light(0.3, 0.0, 0.08), 0.008),
        (SOFT_PENCIL, CREAM, Light(0.4, 0.3, 0.0, (1.0, 0.94, 0.8)), 0.015),
    ],
)
def test_paper_becomes_white_and_strokes_keep_their_contrast(
    medium: Medium, paper: tuple[float, float, float], light: Light, noise: float
) -> None:
    seen = scanned(Sheet(house(), medium, SIZE, paper=paper), light=light, noise=noise)
    picture = seen.picture
    levelled = np.asarray(level(picture, find_lighting(picture)), np.float32)
    bare = grown(seen.darkness, 3) < 0.02
    assert (levelled.min(axis=2)[bare] >= 250).mean() >= 0.98
    drawn = seen.darkness > 0.25
    kept = (1 - levelled.mean(axis=2) / 255)[drawn].mean() / seen.darkness[drawn].mean()
    assert 0.8 <= kept <= 1.1


def test_colours_stay_what_they_are() -> None:
    seen = scanned(Sheet(hills(), INK, SIZE, coloured="wash"), light=Light(0.3, 0.3))
    sheet = Sheet(hills(), INK, SIZE, coloured="wash").reflectance()
    levelled = np.asarray(level(seen.picture, find_lighting(seen.picture)), np.float32) / 255
    washed = (sheet.max(axis=2) - sheet.min(axis=2)) > 0.15
    assert washed.mean() > 0.05
    assert np.abs(levelled[washed] - sheet[washed]).mean() < 0.07


@pytest.mark.parametrize(
    ("ruling", "turned"), [("lined", -12.0), ("lined", 0.7), ("squared", -2.3), ("squared", 6.0)]
)
def test_ruled_paper_is_turned_upright(ruling: str, turned: float) -> None:
    seen = scanned(Sheet(flower(), size=SIZE, ruling=ruling), turned, Light(0.2))
    assert found(seen).turned == pytest.approx(turned, abs=0.15)


def test_walls_and_a_ground_drawn_by_hand_are_lines_too() -> None:
    drawing = found(scanned(Sheet(house(), INK, SIZE), 4.0))
    assert drawing.turned == pytest.approx(4.0, abs=0.5)  # the hand itself is off by so much
    assert f"turned by {drawing.turned:.1f}° to the left" in drawing.notes[0]


@pytest.mark.parametrize("subject", ["cat", "hills", "flower"])
def test_a_drawing_without_lines_stays_as_it_lies(subject: str) -> None:
    assert found(scanned(Sheet(SUBJECTS[subject](), INK, SIZE), 3.0)).turned == 0.0


def test_lines_turned_further_than_a_sheet_is_laid_askew_are_meant_so() -> None:
    board = np.zeros((600, 600), np.float32)
    ys, xs = np.mgrid[0:600, 0:600]
    board[((ys - xs * np.tan(np.radians(30))) % 60) < 3] = 0.7
    assert find_skew(board) is None


@pytest.mark.parametrize("desk", ["wood", "grey", "dark", "white"])
def test_a_sheet_on_a_desk_is_cut_out_along_its_borders(desk: str) -> None:
    seen = photographed(Sheet(cat(), INK, SIZE), size=(750, 1000), desk=desk)
    drawing, result = sketch(seen)
    assert drawing.look.corners is not None
    off = drawing.look.corners * np.asarray(seen.picture.size) - seen.corners
    assert np.abs(off).max() < 0.01 * 1000  # it is cut a little within its borders
    assert "cut out along the sheet's borders" in drawing.notes[0]
    pixels = np.asarray(result)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert edge.min() >= 235  # nothing of the desk


def test_a_frame_drawn_on_paper_is_no_sheet() -> None:
    sheet = Sheet(cat(), size=SIZE).on_paper()[0].copy()
    sheet[200:206, 100:600] = sheet[800:806, 100:600] = 0.1
    sheet[200:806, 100:106] = sheet[200:806, 594:600] = 0.1
    picture = Image.fromarray((sheet * 255).astype(np.uint8))
    assert look_at(picture, picture.size).corners is None


def test_black_that_a_scanner_leaves_around_a_sheet_is_cut_off() -> None:
    seen = scanned(Sheet(flower(), size=SIZE), 3.0, around=(0.02, 0.02, 0.02))
    drawing, result = sketch(seen)
    assert drawing.look.corners is not None
    pixels = np.asarray(result)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert edge.min() >= 235
    assert (np.asarray(result).min(axis=2) >= 250).mean() > 0.85


@cache
def hills_on_a_sheet() -> Seen:
    """Drawn once, for all that is asked of it."""
    return scanned(Sheet(hills(), INK, (700, 980), place=(0.1, 0.5, 0.5)))


@pytest.mark.parametrize("rule", [
    SizeRule(512, prepare="sketch"), SizeRule(128, prepare="sketch"),
    SizeRule((640, 256), prepare="sketch"), SizeRule("keep", prepare="sketch"),
    SizeRule(512, whole=True, prepare="sketch"),
    SizeRule((256, 512), "contain", prepare="sketch"),
])  # fmt: skip
def test_no_stroke_is_cut_off_and_the_margin_is_small(rule: SizeRule, tmp_path: Path) -> None:
    seen = hills_on_a_sheet()
    image, report = prepared(seen.picture, tmp_path, rule)
    left, top, wide, high = report.inside
    pixels = np.asarray(image.convert("L"))[top : top + high, left : left + wide]
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert rim.min() >= 240
    # As many pixels of ink as were drawn, at the new size.
    scale = wide / report.original[0]
    ink = (255 - pixels.astype(float)).sum() / 255 / scale / (high / report.original[1])
    assert ink == pytest.approx(seen.darkness.sum(), rel=0.12)
    rows, columns = np.nonzero(pixels < 200)
    share = max(np.ptp(columns) / wide, np.ptp(rows) / high)
    assert share > 0.85
    across = (
        np.ptp(columns) / np.ptp(rows) * (report.original[0] / wide) / (report.original[1] / high)
    )
    drawn_rows, drawn_columns = np.nonzero(seen.darkness > 0.3)
    assert across == pytest.approx(np.ptp(drawn_columns) / np.ptp(drawn_rows), rel=0.04)


@pytest.mark.parametrize("corner", [(0.012, 0.012), (0.94, 1.37)], ids=["top left", "bottom right"])
def test_a_signature_in_a_corner_of_the_sheet_belongs_to_the_drawing(
    corner: tuple[float, float],
) -> None:
    x, y = corner
    signed = [[(x + 0.006 * i, y + 0.012 * (i % 2)) for i in range(9)], [(x, y), (x + 0.045, y)]]
    sheet = Sheet(
        Subject([*signed, *([(0.3 + 0.4 * a, 0.5 + 0.4 * b) for a, b in line]
                            for line in cat().lines)]),
        SOFT_PENCIL, SIZE, place=(0, 0, 1),
    )  # fmt: skip
    seen = scanned(sheet)
    drawing = found(seen)
    left, top, wide, high = (value * SIZE[0] for value in drawing.box)
    left, top = left + SIZE[0] / 2, top + SIZE[1] / 2
    rows, columns = np.nonzero(seen.darkness > 0.3)
    assert left <= columns.min() < columns.max() <= left + wide
    assert top <= rows.min() < rows.max() <= top + high


def test_a_phones_photograph_with_a_hard_shadow_becomes_white() -> None:
    sheet = Sheet(house(), SOFT_PENCIL, (500, 700), coloured="crayon", place=(0.15, 0.2, 0.65))
    _, result = sketch(photograph(sheet, Shot((600, 800), blur=0.8)))
    pixels = np.asarray(result).min(axis=2)
    assert (pixels >= 250).mean() > 0.6  # the rest is crayon
    assert result.width / result.height == pytest.approx(1.09, abs=0.12)  # the shadow is cut off
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert edge.min() >= 235


def test_an_empty_sheet_stays_whole_and_says_so(tmp_path: Path) -> None:
    bare = scanned(Sheet(cat(), size=SIZE, place=(2.0, 2.0, 0.1)), light=Light(0.3)).picture
    image, report = prepared(bare, tmp_path, SizeRule(512, multiple=8, prepare="sketch"))
    assert (np.asarray(image) >= 250).mean() > 0.98
    assert np.asarray(image).min() > 220
    assert report.original[0] / report.original[1] == pytest.approx(0.7, rel=0.04)
    assert any("the sheet stays whole" in note for note in report.notes)


def test_of_a_long_strip_nothing_is_cut_off(tmp_path: Path) -> None:
    strip = Image.new("L", (20, 6000), 250)
    for end in (100, 5880):
        strip.paste(60, (0, end, 20, end + 20))
    image, report = prepared(strip, tmp_path, SizeRule("keep", prepare="sketch"))
    assert report.original[1] >= 5800
    dark = np.asarray(image.convert("L")).min(axis=1) < 160
    assert dark[: len(dark) // 4].any()
    assert dark[-len(dark) // 4 :].any()


def test_the_note_says_what_was_done(tmp_path: Path) -> None:
    seen = scanned(Sheet(cat(), size=SIZE, ruling="lined"), 2.0)
    _, report = prepared(seen.picture, tmp_path, SizeRule(512, prepare="sketch"))
    (note,) = report.notes
    assert note.startswith("Prepared as a sketch: turned by 2.0° to the left, paper levelled to")
    assert note.endswith(f"of {SIZE[0]}×{SIZE[1]}.")


def apart(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def test_a_jpeg_that_lies_on_its_side_is_turned_first(tmp_path: Path) -> None:
    seen = photographed(Sheet(house(), SOFT_PENCIL, SIZE), size=(750, 1000))
    exif = Image.Exif()
    exif[0x0112] = 6
    source = tmp_path / "photo.jpg"
    seen.picture.transpose(Image.Transpose.ROTATE_90).save(source, exif=exif, quality=88)
    report = prepare(source, tmp_path / "out.png", SizeRule(256, prepare="sketch"), LIMITS)
    straight, _ = prepared(seen.picture, tmp_path, SizeRule(256, prepare="sketch"))
    with Image.open(tmp_path / "out.png") as turned:
        assert turned.size == (report.width, report.height) == straight.size
        aside = turned.transpose(Image.Transpose.ROTATE_90)
        assert apart(turned, straight) < 0.6 * apart(aside.resize(straight.size), straight)


@pytest.mark.parametrize(
    ("is_one", "pictures"), [(True, DRAWINGS), (False, OTHERS)], ids=["drawings", "others"]
)
def test_drawings_on_paper_are_told_from_all_other_pictures(
    is_one: bool, pictures: dict[str, Callable[[], Image.Image]]
) -> None:
    auto = SizeRule(256, prepare="auto")
    assert len(pictures) >= 12
    judged: dict[str, bool] = {}
    for name, draw in pictures.items():
        picture = draw()
        judged[name] = preparing.drawn_on(picture, picture.size, auto) is not None
    assert judged == dict.fromkeys(pictures, is_one)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_is_no_drawing_on_paper_comes_through_bit_for_bit(suffix: str, tmp_path: Path) -> None:
    for name, picture in (("line", line_art()), ("hills", OTHERS["green hills"]())):
        as_it_is, _ = prepared(picture, tmp_path, SizeRule(256), f"{name}.{suffix}")
        auto, report = prepared(
            picture, tmp_path, SizeRule(256, prepare="auto"), f"{name}.{suffix}"
        )
        assert auto.tobytes() == as_it_is.tobytes()
        assert not any("sketch" in note for note in report.notes)

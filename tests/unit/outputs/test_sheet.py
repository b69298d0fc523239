"""Contact sheets are painted as they are laid out: frames, words and empty places, read back."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from img2imgd.job import plan_frames
from img2imgd.outputs.lettering import font
from img2imgd.outputs.sheet import MAX_PIXELS, MAX_SIDE, paint_label, write_sheet
from img2imgd.outputs.sheet_fitting import lay_out
from img2imgd.outputs.sheet_layout import Box, Label, Layout
from img2imgd.outputs.sheet_measures import line_height
from img2imgd.outputs.sheet_plan import SheetPlan, plan_sheet
from img2imgd.request import Request

Colour = tuple[int, int, int]


def colour(number: int) -> Colour:
    """A colour of its own for each of some hundred frames, none of them grey."""
    return 40 + number % 8 * 25, 30 + number // 8 % 8 * 20, 250 - number // 64 * 40


def request(**keys: Any) -> Request:
    defaults: dict[str, Any] = {
        "prompt": "a cottage by a lake", "negative_prompt": "", "strength": 0.75,
        "guidance_scale": 9.0, "steps": 50, "seed": 187, "model": "sd21",
    }  # fmt: skip
    return Request(**{**defaults, **keys})


def painted(
    folder: Path, count: int, size: tuple[int, int] = (96, 96), suffix: str = ".png"
) -> list[Path]:
    paths = [folder / f"frame{number:03}{suffix}" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", size, colour(number)).save(path)
    return paths


def planned(wanted: Request, paths: Sequence[Path | None], **more: Any) -> SheetPlan:
    frames = plan_frames(wanted)
    assert len(frames) == len(paths)
    there = {number: path for number, path in enumerate(paths) if path}
    return plan_sheet(wanted, frames, there, "cat.png", **more)


def written(
    plan: SheetPlan, folder: Path, frame: tuple[int, int] = (96, 96), **caps: int
) -> tuple[Image.Image, Layout]:
    """The sheet and the layout that it was painted after."""
    note = write_sheet(plan, folder / "sheet.png", **caps)
    layout = lay_out(plan, frame, **{"max_side": MAX_SIDE, "max_pixels": MAX_PIXELS, **caps})
    assert bool(note) == bool(layout.omitted)
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.mode == "RGB"
        assert sheet.size == (layout.width, layout.height)
        sheet.load()
    return sheet, layout


def cropped(sheet: Image.Image, box: Box) -> Image.Image:
    return sheet.crop((box.left, box.top, box.right, box.bottom))


def is_plain(picture: Image.Image, wanted: Colour, tolerance: int = 0) -> bool:
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, wanted))
    return max(high for _, high in difference.getextrema()) <= tolerance


def ink(sheet: Image.Image, box: Box) -> float:
    """How dark a part is on average, from 0 for white paper."""
    return 255 - ImageStat.Stat(cropped(sheet, box).convert("L")).mean[0]


@pytest.mark.parametrize("count", [1, 2, 5, 31])
def test_every_frame_of_a_row_is_in_its_place(tmp_path: Path, count: int) -> None:
    sheet, layout = written(planned(request(n=count), painted(tmp_path, count)), tmp_path)
    for number, tile in enumerate(layout.tiles):
        assert is_plain(cropped(sheet, tile.box), colour(number))


def test_every_frame_of_a_table_of_12_by_5_is_in_its_place(tmp_path: Path) -> None:
    sweep = {
        "guidance_scale": (3.0, 5.0, 7.5, 9.0, 12.0),
        "strength": tuple(n / 20 for n in range(1, 13)),
    }
    sheet, layout = written(planned(request(sweep=sweep), painted(tmp_path, 60)), tmp_path)
    lefts = sorted({tile.box.left for tile in layout.tiles})
    tops = sorted({tile.box.top for tile in layout.tiles})
    side = layout.tiles[0].box.width
    for number in range(60):
        place = Box(lefts[number % 12], tops[number // 12], side, side)
        assert is_plain(cropped(sheet, place), colour(number))


def test_three_styles_by_nine_strengths_and_three_axes_are_painted(tmp_path: Path) -> None:
    paths = painted(tmp_path, 54)
    strengths = tuple(n / 10 for n in range(1, 10))
    for wanted in (
        request(styles=("ink", "oil", "gouache"), sweep={"strength": strengths}),
        request(styles=("ink", "oil", "gouache"), n=2, sweep={"strength": strengths}),
    ):
        plan = planned(wanted, paths[: wanted.frame_count])
        sheet, layout = written(plan, tmp_path)
        number_of = {path: number for number, path in enumerate(paths)}
        assert len(layout.tiles) == wanted.frame_count
        for tile in layout.tiles:
            assert tile.path
            assert is_plain(cropped(sheet, tile.box), colour(number_of[tile.path]))


def test_200_frames_are_reduced_and_stay_in_order(tmp_path: Path) -> None:
    plan = planned(request(n=200), painted(tmp_path, 200, (400, 300)))
    sheet, layout = written(plan, tmp_path, (400, 300))
    assert 0.5 * MAX_PIXELS < sheet.width * sheet.height <= MAX_PIXELS
    for number, tile in enumerate(layout.tiles):
        assert is_plain(cropped(sheet, tile.box), colour(number), tolerance=1)


def test_words_are_written_within_their_boxes_and_the_rest_is_white(tmp_path: Path) -> None:
    plan = planned(request(styles=("ink", "oil jgq"), n=3), painted(tmp_path, 6))
    sheet, layout = written(plan, tmp_path)
    assert all(ink(sheet, label.box) > 2 for label in layout.labels)
    for part in (*layout.tiles, *layout.labels):
        box = part.box
        sheet.paste("white", (box.left - 1, box.top - 1, box.right + 1, box.bottom + 1))
    assert is_plain(sheet, (255, 255, 255))


@pytest.mark.parametrize("size", [12, 13, 18, 25, 40])
def test_the_highest_and_lowest_letters_have_room_in_a_line(size: int) -> None:
    letters = "ẪÅŔ|gjqyẶÇ"
    box = Box(9, 9, 40 * size, line_height(size))
    for bold in (False, True):
        paper = Image.new("RGB", (50 * size, 4 * size), "white")
        paint_label(paper, Label(box, (letters,), size, bold=bold))
        free = Image.new("RGB", paper.size, "white")
        baseline = free.height // 2
        face = font(size, letters, bold=bold)
        ImageDraw.Draw(free).text((9, baseline), letters, (28, 28, 28), face, anchor="ls")
        assert ink(paper, Box(0, 0, *paper.size)) == pytest.approx(ink(free, Box(0, 0, *free.size)))


def test_an_unpainted_frame_is_a_pale_place_with_words(tmp_path: Path) -> None:
    paths: list[Path | None] = [*painted(tmp_path, 3)]
    paths[1] = None
    sheet, layout = written(planned(request(n=3), paths), tmp_path)
    words = [label.box for label in layout.labels if "not painted" in label.lines]
    assert len(words) == 1
    assert ink(sheet, words[0]) > 15
    sheet.paste((246, 246, 246), (words[0].left, words[0].top, words[0].right, words[0].bottom))
    assert is_plain(cropped(sheet, layout.tiles[1].box), (246, 246, 246))


def test_a_job_of_which_nothing_was_painted_has_a_sheet_that_says_so(tmp_path: Path) -> None:
    assert write_sheet(planned(request(n=4), [None] * 4), tmp_path / "sheet.png") == ""
    assert (tmp_path / "sheet.png").exists()


def test_the_input_is_the_first_tile_of_a_grid_and_above_a_table(tmp_path: Path) -> None:
    drop = tmp_path / "input.png"
    Image.new("RGB", (300, 300), (1, 200, 3)).save(drop)  # the frames' size counts, not this
    paths = painted(tmp_path, 4)
    for wanted in (request(n=4), request(n=2, styles=("ink", "oil"))):
        sheet, layout = written(planned(wanted, paths, input_path=drop), tmp_path)
        assert layout.tiles[0].path == drop
        assert is_plain(cropped(sheet, layout.tiles[0].box), (1, 200, 3))
        assert all(tile.box.left >= layout.tiles[0].box.left for tile in layout.tiles)


def test_frames_of_other_sizes_are_fitted_in_the_middle(tmp_path: Path) -> None:
    paths = painted(tmp_path, 3)
    Image.new("RGB", (96, 32), colour(1)).save(paths[1])
    Image.new("RGB", (40, 20), colour(2)).save(paths[2])
    sheet, layout = written(planned(request(n=3), paths), tmp_path)
    wide, small = layout.tiles[1].box, layout.tiles[2].box
    assert is_plain(cropped(sheet, Box(wide.left, wide.top + 32, 96, 32)), colour(1))
    assert is_plain(cropped(sheet, Box(wide.left, wide.top, 96, 30)), (255, 255, 255))
    assert is_plain(cropped(sheet, Box(small.left + 28, small.top + 38, 40, 20)), colour(2))
    assert is_plain(cropped(sheet, Box(small.left, small.top, 96, 36)), (255, 255, 255))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_large_frames_of_every_format_keep_their_colours(tmp_path: Path, suffix: str) -> None:
    paths = painted(tmp_path, 12, (1500, 1000), suffix)
    sheet, layout = written(planned(request(n=12), paths), tmp_path, (1500, 1000), max_side=1600)
    for number, tile in enumerate(layout.tiles):
        assert is_plain(cropped(sheet, tile.box), colour(number), tolerance=6)


def test_transparent_and_grey_files_are_painted_too(tmp_path: Path) -> None:
    paths = painted(tmp_path, 2)
    Image.new("RGBA", (96, 96), (10, 20, 30, 255)).save(paths[0])
    Image.new("L", (96, 96), 77).save(paths[1])
    sheet, layout = written(planned(request(n=2), paths), tmp_path)
    assert is_plain(cropped(sheet, layout.tiles[0].box), (10, 20, 30))
    assert is_plain(cropped(sheet, layout.tiles[1].box), (77, 77, 77))


MEASURING = """
import pickle, re, sys
from pathlib import Path
from img2imgd.outputs.sheet import write_sheet

def highest():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

plan = pickle.loads(Path(sys.argv[1]).read_bytes())
before = highest()
write_sheet(plan, Path(sys.argv[2]), max_side=800)
print(highest() - before)
"""


def test_one_frame_is_in_memory_at_a_time(tmp_path: Path) -> None:
    plan = planned(request(n=16), painted(tmp_path, 16, (2000, 1500)))
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    run = [sys.executable, "-c", MEASURING, tmp_path / "plan", tmp_path / "sheet.png"]
    grown = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert grown * 1024 < 6 * 2000 * 1500 * 3


@pytest.mark.parametrize("cap", [600, 1000, 3000])
def test_the_longest_side_keeps_within_its_cap(tmp_path: Path, cap: int) -> None:
    plan = planned(request(n=31), painted(tmp_path, 31, (256, 256)))
    sheet, _ = written(plan, tmp_path, (256, 256), max_side=cap)
    assert max(sheet.size) <= cap


def test_frames_without_room_are_told_to_the_person(tmp_path: Path) -> None:
    plan = planned(request(n=90), painted(tmp_path, 90))
    note = write_sheet(plan, tmp_path / "sheet.png", max_pixels=400_000)
    shown = int(note.removeprefix("sheet.png shows ").split()[0])
    assert 20 < shown < 90
    assert note == (
        f"sheet.png shows {shown} of 90 frames; there is no room for more in a size that can be "
        "seen."
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "\x00\x07\x1b[2J",
        "line\nline\r\n\u2028line",
        "\ud800",
        "\u202eevil",
        "مرحبا بالعالم",
        "夕焼けの湖",
        "e" + "\u0301" * 3000,
        "x" * 10_000,
        "a cat, " * 1_400,
        "👩‍👩‍👧‍👦 🏳️‍🌈",
    ],
)
def test_any_words_of_strangers_are_painted_within_the_header(tmp_path: Path, prompt: str) -> None:
    wanted = request(prompt=prompt, styles=(prompt or "ink", "oil"), n=2, model=prompt or "demo")
    frames = plan_frames(wanted)
    paths = painted(tmp_path, 4)
    plan = plan_sheet(wanted, frames, dict(enumerate(paths)), f"{prompt}.png")
    sheet, layout = written(plan, tmp_path)
    assert sheet.width < 900
    assert sheet.height < 700
    for tile in layout.tiles:
        assert tile.path
        assert is_plain(cropped(sheet, tile.box), colour(paths.index(tile.path)))


def test_piled_marks_do_not_leave_their_label(tmp_path: Path) -> None:
    plan = planned(request(prompt="e" + "\u0301" * 3000), painted(tmp_path, 1))
    sheet, layout = written(plan, tmp_path)
    top = min(label.box.top for label in layout.labels)
    assert is_plain(cropped(sheet, Box(0, 0, sheet.width, top)), (255, 255, 255))


def test_it_carries_the_text_it_is_given(tmp_path: Path) -> None:
    plan = planned(request(), painted(tmp_path, 1))
    write_sheet(plan, tmp_path / "sheet.png", text={"Software": "img2imgd"})
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.info["Software"] == "img2imgd"


def test_a_frame_that_is_gone_leaves_an_older_sheet_and_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(b"older")
    plan = planned(request(n=2), [*painted(tmp_path, 1), tmp_path / "gone.png"])
    with pytest.raises(FileNotFoundError):
        write_sheet(plan, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frame000.png", "sheet.png"]

"""A sweep becomes a GIF with every frame, for its time, in good colours."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageSequence, ImageStat

from img2imgd.outputs.animation import indexed, write_gif


def sky(size: int, day: float) -> Image.Image:
    """A smooth sky of thousands of colours, from evening (0) to day (1)."""
    down = Image.linear_gradient("L").resize((size, size))
    across = down.transpose(Image.Transpose.ROTATE_90)
    glow = Image.blend(down, across, 0.3)
    return Image.merge(
        "RGB",
        [
            glow.point(lambda value: int(value * 0.8 + 40 * day)),
            down.point(lambda value: int(value * 0.5 + 90 * day)),
            across.point(lambda value: int(120 + value * 0.2 + 80 * day)),
        ],
    )


def staged(folder: Path, pictures: list[Image.Image]) -> list[Path]:
    paths = [folder / f"frame_{index:02}.png" for index in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    return paths


def played(path: Path) -> tuple[list[Image.Image], list[int]]:
    """All frames as shown, and how long each is, in milliseconds."""
    with Image.open(path) as animation:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(animation):
            durations.append(int(frame.info["duration"]))
            frames.append(frame.convert("RGB"))
        return frames, durations


def test_a_sweep_of_31_frames_has_31_frames_of_400_ms(tmp_path: Path) -> None:
    frames = staged(tmp_path, [sky(48, index / 30) for index in range(31)])
    write_gif(frames, tmp_path / "sweep.gif", duration_ms=400)
    _, durations = played(tmp_path / "sweep.gif")
    assert durations == [400] * 31


def test_identical_neighbours_keep_their_frames_and_time(tmp_path: Path) -> None:
    frames = staged(tmp_path, [sky(48, 0.5)] * 31)
    write_gif(frames, tmp_path / "sweep.gif", duration_ms=400)
    _, durations = played(tmp_path / "sweep.gif")
    assert sum(durations) == 31 * 400
    assert len(durations) == 31


def test_frames_are_in_order_and_look_like_their_pictures(tmp_path: Path) -> None:
    pictures = [sky(64, index / 4) for index in range(5)]
    write_gif(staged(tmp_path, pictures), tmp_path / "sweep.gif", duration_ms=100)
    shown, _ = played(tmp_path / "sweep.gif")
    for picture, frame in zip(pictures, shown, strict=True):
        difference = ImageStat.Stat(ImageChops.difference(picture, frame))
        assert max(difference.mean) < 2


def test_a_smooth_sky_does_not_band() -> None:
    # 5×5 is what the eye blends; without dithering the mean is above 1.
    picture = sky(256, 0.3)
    true, shown = (
        image.filter(ImageFilter.BoxBlur(2)) for image in (picture, indexed(picture).convert("RGB"))
    )
    difference = ImageStat.Stat(ImageChops.difference(true, shown))
    assert max(difference.mean) < 0.6


def test_a_picture_of_few_colours_keeps_them_exactly(tmp_path: Path) -> None:
    picture = Image.new("RGB", (32, 32), (250, 240, 10))
    picture.paste((3, 5, 200), (8, 8, 24, 24))
    write_gif(staged(tmp_path, [picture]), tmp_path / "flat.gif", duration_ms=100)
    (shown,), _ = played(tmp_path / "flat.gif")
    assert shown.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("asked", "given"), [(400, 400), (404, 400), (405, 410), (33, 30), (20, 20), (1, 20)]
)
def test_time_is_rounded_to_what_a_gif_can_say(tmp_path: Path, asked: int, given: int) -> None:
    frames = staged(tmp_path, [sky(16, 0), sky(16, 1)])
    write_gif(frames, tmp_path / "a.gif", duration_ms=asked)
    assert played(tmp_path / "a.gif")[1] == [given, given]


@pytest.mark.parametrize("loop", [0, 1, 5])
def test_the_loop_is_as_asked(tmp_path: Path, loop: int) -> None:
    write_gif(
        staged(tmp_path, [sky(16, 0), sky(16, 1)]), tmp_path / "a.gif", duration_ms=50, loop=loop
    )
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.info["loop"] == loop


@pytest.mark.parametrize(
    ("count", "order"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2, 1]), (4, [0, 1, 2, 3, 2, 1])]
)
def test_pingpong_plays_back_without_showing_the_ends_twice(
    tmp_path: Path, count: int, order: list[int]
) -> None:
    greys = [(index * 60 + 10,) * 3 for index in range(count)]
    pictures = [Image.new("RGB", (16, 16), grey) for grey in greys]
    write_gif(staged(tmp_path, pictures), tmp_path / "a.gif", duration_ms=50, pingpong=True)
    shown, durations = played(tmp_path / "a.gif")
    assert [frame.getpixel((8, 8)) for frame in shown] == [greys[index] for index in order]
    assert durations == [50] * len(order)


def test_many_large_frames_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    path = staged(tmp_path, [Image.effect_noise((512, 512), 60).convert("RGB")])[0]
    write_gif([path], tmp_path / "one.gif", duration_ms=50)
    size_of_one = (tmp_path / "one.gif").stat().st_size
    tracemalloc.start()
    try:
        write_gif([path] * 40, tmp_path / "many.gif", duration_ms=50)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "many.gif").stat().st_size > 35 * size_of_one
    assert peak < 8 * size_of_one


def test_an_older_file_is_replaced_and_no_half_is_left(tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    (out / "a.gif").write_bytes(b"older")
    write_gif(staged(tmp_path, [sky(16, 0)]), out / "a.gif", duration_ms=50)
    assert [entry.name for entry in out.iterdir()] == ["a.gif"]
    assert len(played(out / "a.gif")[0]) == 1


def test_a_missing_or_other_sized_frame_leaves_the_older_file(tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    (out / "a.gif").write_bytes(b"older")
    frames = staged(tmp_path, [sky(16, 0), sky(24, 1)])
    with pytest.raises(ValueError, match="frame_01"):
        write_gif(frames, out / "a.gif", duration_ms=50)
    with pytest.raises(FileNotFoundError):
        write_gif([frames[0], tmp_path / "absent.png"], out / "a.gif", duration_ms=50)
    with pytest.raises(ValueError, match="at least one"):
        write_gif([], out / "a.gif", duration_ms=50)
    assert [(entry.name, entry.read_bytes()) for entry in out.iterdir()] == [("a.gif", b"older")]

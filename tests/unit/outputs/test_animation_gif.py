"""GIF's own part: its colours, its clock, its memory, and where its texts stand."""

from __future__ import annotations

import tracemalloc
import weakref
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat
from played import greys, made, order, shown, shown_times, sky, staged, walked

from img2imgd.outputs.animation import write_animation
from img2imgd.outputs.gif import GifContainer, indexed


def test_a_smooth_sky_does_not_band() -> None:
    # 5×5 is what the eye blends; without dithering the mean is above 1.
    picture = sky(256, 0.3)
    true, seen = (
        image.filter(ImageFilter.BoxBlur(2)) for image in (picture, indexed(picture).convert("RGB"))
    )
    difference = ImageStat.Stat(ImageChops.difference(true, seen))
    assert max(difference.mean) < 0.6


@pytest.mark.parametrize("side", [32, 1024])
def test_a_picture_of_few_colours_keeps_them_exactly(tmp_path: Path, side: int) -> None:
    picture = Image.new("RGB", (side, side), (250, 240, 10))
    picture.paste((3, 5, 200), (8, 8, 24, 24))
    picture.putpixel((3, 3), (200, 9, 9))
    (seen,) = shown(made(tmp_path, [picture]))
    assert seen.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("asked", "given"), [(400, 400), (404, 400), (405, 410), (33, 30), (20, 20), (1, 20)]
)
def test_time_is_rounded_to_what_a_gif_can_say(tmp_path: Path, asked: int, given: int) -> None:
    assert shown_times(made(tmp_path, greys(2), duration=asked)) == [given, given]


@pytest.mark.parametrize("loop", [0, 1, 5])
def test_the_loop_is_netscapes_number_of_repeats(tmp_path: Path, loop: int) -> None:
    with Image.open(made(tmp_path, greys(2), loop=loop)) as animation:
        assert animation.info["loop"] == loop


def test_many_large_frames_do_not_pile_up_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: list[weakref.ref[Image.Image]] = []
    most: list[int] = []
    real = GifContainer.pack

    def look(container: GifContainer, picture: Image.Image) -> bytes:
        pictures.append(weakref.ref(picture))
        most.append(sum(one() is not None for one in pictures))
        return real(container, picture)

    monkeypatch.setattr(GifContainer, "pack", look)
    paths = staged(tmp_path, [Image.effect_noise((512, 512), 60).convert("RGB")])
    write_animation(order(paths, tmp_path / "one.gif"))
    size_of_one = (tmp_path / "one.gif").stat().st_size
    tracemalloc.start()
    try:
        write_animation(order(paths * 40, tmp_path / "many.gif"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "many.gif").stat().st_size > 35 * size_of_one
    assert peak < 12 * size_of_one, "blocks"
    assert max(most) <= 12, "pictures"


def test_the_infotext_alone_is_in_front_where_pillow_and_its_readers_look(tmp_path: Path) -> None:
    path = made(tmp_path, greys(3), text={"parameters": "a lake\nSteps: 5"})
    assert walked(path).comments == ["a lake\nSteps: 5"]
    with Image.open(path) as animation:
        for at in (0, 2, 0):
            animation.seek(at)
            assert animation.info.get("comment", b"a lake\nSteps: 5") == b"a lake\nSteps: 5"


def test_an_xmp_packet_of_any_length_leads_readers_to_its_end(tmp_path: Path) -> None:
    # Whatever byte is last taken for a length, the frames behind the packet must be found.
    for length in range(0, 300, 7):
        packet = "<x/>" + "".join(chr(33 + (at * 7 + length) % 90) for at in range(length)) + "ÿ"
        path = made(tmp_path, greys(2), text={"XML:com.adobe.xmp": packet})
        assert walked(path).xmp == packet.encode()
        assert len(shown(path)) == 2

"""The order of chunks that the specifications of WebP and PNG ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from played import greys, made, sky, walked

TEXT = {"XML:com.adobe.xmp": "<x/>", "parameters": "a\nSteps: 5", "Software": "img2imgd"}


@pytest.mark.parametrize(("quality", "pixels"), [(90, b"VP8 "), (99, b"VP8 "), (100, b"VP8L")])
def test_a_webp_has_its_head_then_frames_then_texts(
    tmp_path: Path, quality: int, pixels: bytes
) -> None:
    path = made(tmp_path, greys(2), format="webp", quality=quality, text=TEXT, pingpong=True)
    assert walked(path).names == [
        b"VP8X", b"ANIM", b"ANMF", pixels, b"ANMF", pixels, b"EXIF", b"XMP ",
    ]  # fmt: skip


def test_a_lower_quality_is_a_smaller_webp(tmp_path: Path) -> None:
    noisy = [Image.effect_noise((64, 64), 40).convert("RGB")] * 2
    sizes = [
        made(tmp_path, noisy, format="webp", quality=quality).stat().st_size
        for quality in (10, 60, 99, 100)
    ]
    assert sizes == sorted(set(sizes))


def test_a_webp_says_who_wrote_it_beside_what_it_was_told(tmp_path: Path) -> None:
    path = made(tmp_path, greys(2), format="webp", text={"parameters": "a lake"})
    with Image.open(path) as animation:
        assert str(animation.getexif()[0x131]).startswith("img2imgd ")
        assert animation.getexif().get_ifd(0x8769)[0x9286] == b"UNICODE\0" + "a lake".encode(
            "utf-16-be"
        )


def test_an_apng_has_its_head_and_texts_before_the_first_frame(tmp_path: Path) -> None:
    path = made(tmp_path, greys(3), format="apng", text=TEXT, pingpong=True)
    assert walked(path).names == [
        b"IHDR", b"acTL", b"sRGB", b"iTXt", b"tEXt", b"tEXt", b"fcTL", b"IDAT",
        *[b"fcTL", b"fdAT"] * 3, b"IEND",
    ]  # fmt: skip


def test_the_first_frame_of_an_apng_is_its_still_picture(tmp_path: Path) -> None:
    path = made(tmp_path, [sky(32, 0), sky(32, 1)], format="apng")
    with Image.open(path) as still:
        assert still.format == "PNG"
        assert still.convert("RGB").tobytes() == sky(32, 0).tobytes()
        assert "default_image" not in still.info or not still.info["default_image"]


def test_times_over_a_minute_keep_hundredths_in_an_apng(tmp_path: Path) -> None:
    path = made(tmp_path, greys(2), format="apng", total=400_000, hold=(0, 60_000))
    assert walked(path).times == [200_000, 200_000]

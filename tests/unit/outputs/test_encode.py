"""Pixels become files that any program reads, whole, tagged as sRGB and with their metadata."""

from __future__ import annotations

import dataclasses
import io
import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from sd_parsers import ParserManager

from img2imgd.outputs.encode import encoded, srgb_profile, write_frame
from img2imgd.outputs.infotext import infotext
from img2imgd.outputs.orders import Encoding, FrameFile, Restoration, Tags
from img2imgd.outputs.xmp import SOURCE_TYPE, xmp_packet
from img2imgd.request.outputs import FormatName

WIDTH, HEIGHT = 5, 3
PIXELS = bytes(range(WIDTH * HEIGHT * 3))
FORMATS: tuple[FormatName, ...] = ("png", "jpeg", "webp")
INFOTEXT = infotext(
    "a cottage, 夕焼け",
    "blurry",
    {"Steps": 50, "Sampler": "Euler", "CFG scale": 9.0, "Seed": 187, "Denoising strength": 0.75},
)
TAGS = Tags(INFOTEXT, xmp_packet('{"prompt":"<a & b>"}'), xmp_packet())


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12


def smooth(width: int = 64, height: int = 48) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, height), Image.Resampling.BICUBIC)
    return Image.merge("RGB", (ramp, ramp.rotate(180), Image.new("L", ramp.size, 90)))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def write(path: Path, **changes: object) -> None:
    file = dataclasses.replace(FrameFile(path), **changes)  # type: ignore[arg-type]
    write_frame(file, (WIDTH, HEIGHT), PIXELS)


def test_pixels_of_a_png_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
        assert image.tobytes() == PIXELS


def test_a_png_is_tagged_as_srgb_and_its_texts_stand_before_the_pixels() -> None:
    found = list(chunks(encoded(smooth(), Encoding(), TAGS)))
    kinds = [kind for kind, _ in found]
    assert (b"sRGB", b"\0") in found
    assert (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + TAGS.xmp.encode()) in found
    assert kinds.index(b"sRGB") < kinds.index(b"IDAT")
    assert max(at for at, kind in enumerate(kinds) if kind == b"iTXt") < kinds.index(b"IDAT")
    assert kinds[-1] == b"IEND"


@pytest.mark.parametrize("value", ["夕焼け and Häuser", "Häuser", "line\nline", "x" * 100_000])
def test_any_infotext_comes_back_from_a_png(value: str) -> None:
    image = opened(encoded(smooth(), Encoding(), Tags(value)))
    assert isinstance(image, PngImagePlugin.PngImageFile)
    assert image.text == {"parameters": value}


@pytest.mark.parametrize(
    ("encoding", "most"),
    [
        (Encoding("png"), 0),
        (Encoding("jpeg", 95), 12),
        (Encoding("webp", 95), 12),
        (Encoding("webp", 100), 0),
    ],
    ids=str,
)
def test_every_format_shows_the_picture(encoding: Encoding, most: int) -> None:
    picture = smooth()
    image = opened(encoded(picture, encoding, Tags()))
    assert image.format == encoding.format.upper()
    difference = np.asarray(image, np.int16) - np.asarray(picture, np.int16)
    assert np.abs(difference).max() <= most


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_less_quality_makes_smaller_files(name: FormatName) -> None:
    sizes = [len(encoded(smooth(256, 256), Encoding(name, q), Tags())) for q in (20, 60, 99)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_jpeg_and_webp_carry_an_srgb_profile(name: FormatName) -> None:
    profile = opened(encoded(smooth(), Encoding(name), Tags())).info["icc_profile"]
    assert profile == srgb_profile()
    described = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    assert described.startswith("sRGB")


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_picture_is_the_same_file(name: FormatName) -> None:
    assert encoded(smooth(), Encoding(name), TAGS) == encoded(smooth(), Encoding(name), TAGS)


@pytest.mark.parametrize("name", FORMATS)
def test_sd_parsers_reads_the_parameters_of_every_format(name: FormatName, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(encoded(smooth(), Encoding(name), TAGS))
    read = ParserManager().parse(path)
    assert read is not None
    (sampler,) = read.samplers
    assert [prompt.value for prompt in sampler.prompts] == ["a cottage, 夕焼け"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["blurry"]
    assert sampler.name == "Euler"
    assert sampler.parameters == {"steps": "50", "cfg_scale": "9", "seed": "187"}
    assert read.metadata["Denoising strength"] == "0.75"


@pytest.mark.parametrize("name", FORMATS)
def test_xmp_marks_the_picture_as_made_by_a_model(name: FormatName) -> None:
    packet = opened(encoded(smooth(), Encoding(name), TAGS)).info["xmp"]
    assert packet == TAGS.xmp.encode()
    assert SOURCE_TYPE.encode() in packet


@pytest.mark.parametrize("name", FORMATS)
def test_without_tags_a_file_says_nothing_but_its_colours(name: FormatName) -> None:
    image = opened(encoded(smooth(), Encoding(name), Tags()))
    assert not image.getexif()
    assert set(image.info) <= {
        "srgb", "icc_profile", "loop", "background", "timestamp", "duration",
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression",
    }  # fmt: skip


def test_texts_that_no_jpeg_has_room_for_are_left_out_and_the_mark_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    long = Tags("x" * 40_000, xmp_packet("y" * 70_000), xmp_packet())
    image = opened(encoded(smooth(), Encoding("jpeg"), long))
    assert image.info["xmp"] == long.xmp_alone.encode()
    assert 0x9286 not in image.getexif().get_ifd(0x8769)
    assert "too long for a JPEG" in caplog.text
    webp = opened(encoded(smooth(), Encoding("webp"), long))
    assert webp.info["xmp"] == long.xmp.encode()


def test_a_picture_gets_the_size_of_the_original_without_its_padding(tmp_path: Path) -> None:
    canvas = Image.new("RGB", (64, 64), "white")
    canvas.paste((200, 30, 30), (0, 16, 64, 48))
    restoration = Restoration((0, 16, 64, 32), (300, 150))
    file = FrameFile(tmp_path / "a.png", Encoding(restoration=restoration))
    write_frame(file, canvas.size, canvas.tobytes())
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (300, 150)
        assert image.getcolors() == [(45_000, (200, 30, 30))]


def test_an_older_file_is_replaced_and_no_half_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"older")
    write(tmp_path / "a.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_frame(FrameFile(tmp_path / "a.png"), (64, 64), os.urandom(64 * 64 * 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_wrong_number_of_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough image data"):
        write_frame(FrameFile(tmp_path / "a.png"), (WIDTH, HEIGHT), PIXELS[:-1])
    assert list(tmp_path.iterdir()) == []

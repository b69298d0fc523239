"""Pixels become PNG files that any program reads, whole and with their text."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from img2imgd.outputs.encode import write_png

WIDTH, HEIGHT = 5, 3
PIXELS = bytes(range(WIDTH * HEIGHT * 3))


def chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    data = path.read_bytes()
    position = 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += length + 12


def test_pixels_come_back_as_they_were(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", WIDTH, HEIGHT, PIXELS)
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size) == ("RGB", (WIDTH, HEIGHT))
        assert image.tobytes() == PIXELS


def test_it_is_tagged_as_srgb_and_text_stands_before_the_pixels(tmp_path: Path) -> None:
    text = {"parameters": "a cat\nSteps: 20, Seed: 3", "XML:com.adobe.xmp": "<x:xmpmeta/>"}
    write_png(tmp_path / "a.png", WIDTH, HEIGHT, PIXELS, text)
    found = list(chunks(tmp_path / "a.png"))
    kinds = [kind for kind, _ in found]
    assert (b"sRGB", b"\0") in found
    assert (b"tEXt", b"parameters\0a cat\nSteps: 20, Seed: 3") in found
    assert (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>") in found
    assert kinds.index(b"sRGB") < kinds.index(b"IDAT")
    assert kinds.index(b"iTXt") < kinds.index(b"IDAT")
    assert kinds[-1] == b"IEND"


@pytest.mark.parametrize("value", ["夕焼け and Häuser", "Häuser", "", "line\nline", "x" * 100_000])
def test_any_text_comes_back(tmp_path: Path, value: str) -> None:
    write_png(tmp_path / "a.png", WIDTH, HEIGHT, PIXELS, {"parameters": value})
    with Image.open(tmp_path / "a.png") as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert image.text == {"parameters": value}


def test_an_older_file_is_replaced_and_no_half_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"older")
    write_png(tmp_path / "a.png", WIDTH, HEIGHT, PIXELS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert image.tobytes() == PIXELS


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_png(tmp_path / "a.png", 64, 64, os.urandom(64 * 64 * 3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_the_wrong_number_of_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough image data"):
        write_png(tmp_path / "a.png", WIDTH, HEIGHT, PIXELS[:-1])
    assert list(tmp_path.iterdir()) == []

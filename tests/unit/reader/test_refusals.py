"""Files that are no whole picture of a kind read here: each is refused, and told what it is."""

from __future__ import annotations

import errno
import io
import os
import re
import socket
import struct
import zlib
from pathlib import Path

import pytest
from directly import inspect, prepare
from PIL import Image, ImageFile, TiffImagePlugin

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader import preparing
from img2imgd.reader.protocol import ReaderLimits, SizeRule

LIMITS = ReaderLimits(max_file_mb=1, max_pixels=1_000_000)
RULE = SizeRule(64, multiple=8)


def noise(size: int = 96) -> Image.Image:
    return Image.effect_noise((size, size), 90).convert("RGB")


def encoded(format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    noise().save(file, format_name, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def refusal(path: Path) -> PictureError:
    with pytest.raises(PictureError) as caught:
        prepare(path, path.with_name("prepared.png"), RULE, LIMITS)
    assert not path.with_name("prepared.png").exists()
    assert ascii(path.name).strip("'") in caught.value.message or path.name in caught.value.message
    return caught.value


CUT = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995]


@pytest.mark.parametrize("share", CUT)
@pytest.mark.parametrize(
    "format_name", ["JPEG", "PROGRESSIVE", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM"]
)
def test_a_picture_cut_off_anywhere_is_refused(
    tmp_path: Path, format_name: str, share: float
) -> None:
    whole = (
        encoded("JPEG", progressive=True) if format_name == "PROGRESSIVE" else encoded(format_name)
    )
    path = tmp_path / "cat.bin"
    path.write_bytes(whole[: int(len(whole) * share)])
    error = refusal(path)
    assert re.search("cut off|text, not a picture|no picture of a kind", error.message)
    assert error.advice


@pytest.mark.parametrize("missing", [1, 2, 3, 12, 40])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "BMP", "TIFF"])
def test_the_last_bytes_are_missed(tmp_path: Path, format_name: str, missing: int) -> None:
    path = tmp_path / "cat.bin"
    path.write_bytes(encoded(format_name)[:-missing])
    assert "cut off" in refusal(path).message


@pytest.mark.parametrize("share", CUT)
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_whose_tail_is_still_zeros_is_refused(
    tmp_path: Path, share: float, thumbnail: bool
) -> None:
    exif = Image.Exif()
    if thumbnail:  # has an end marker of its own
        exif.get_ifd(0x8769)[0x927C] = encoded("JPEG")
    whole = encoded("JPEG", exif=exif)
    kept = int(len(whole) * share)
    path = tmp_path / "cat.jpg"
    path.write_bytes(whole[:kept] + bytes(len(whole) - kept))
    assert "cut off" in refusal(path).message


@pytest.mark.parametrize("format_name", ["WEBP", "AVIF"])
def test_a_long_tail_of_zeros_is_refused(tmp_path: Path, format_name: str) -> None:
    whole = encoded(format_name, quality=98)
    kept = len(whole) - 5000
    path = tmp_path / "cat.bin"
    path.write_bytes(whole[:kept] + bytes(5000))
    assert "cut off" in refusal(path).message


@pytest.mark.parametrize("format_name", ["BMP", "TIFF", "PPM"])
def test_a_tail_of_zeros_that_may_be_black_is_noted(tmp_path: Path, format_name: str) -> None:
    whole = encoded(format_name)
    path = tmp_path / "cat.bin"
    path.write_bytes(whole[:-5000] + bytes(5000))
    report = prepare(path, tmp_path / "prepared.png", RULE, LIMITS)
    assert any("ends in zeros" in note for note in report.notes)


def test_a_jpeg_with_something_behind_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(encoded("JPEG") + b"SEFT" + bytes(9000))
    assert prepare(path, tmp_path / "prepared.png", RULE, LIMITS).notes == ()


def test_a_flipped_bit_in_a_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 16
    (tmp_path / "cat.png").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "cat.png").message


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x1cftypisom\0\0\2\0", "film"),
        (b"\0\0\0\x1cftypcrx \0\0\0\1", "Canon camera raw"),
        (b"II*\0\x10\0\0\0CR\2\0", "Canon camera raw"),
        (b"FUJIFILMCCD-RAW 0201", "Fujifilm"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'>", "SVG"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/x-krita", "Krita"),
        (b"PK\x03\x04\x14\0", "zip archive"),
        (b"gimp xcf v011", "GIMP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"a cottage by the lake\n", "text"),
        ("prompt: Häuser am See".encode(), "text"),
        (b"\x93\x12\xfe\x00\x88rubbish", "no picture of a kind"),
        (b"", "empty"),
        (bytes(5000), "nothing but zeros"),
        (b"\x89PNG\r\n\x1a\n", "begins as a PNG"),
    ],
)
def test_the_message_says_what_the_file_is(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(head)
    assert words in refusal(path).message
    with pytest.raises(PictureError, match=re.escape(words)):
        inspect(path, LIMITS)


def test_a_real_postscript_file_is_never_run(tmp_path: Path) -> None:
    noise().save(tmp_path / "drawing.eps")
    assert "PostScript" in refusal(tmp_path / "drawing.eps").message


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1}])
def test_a_camera_raw_file_is_not_taken_for_its_thumbnail(
    tmp_path: Path, tags: dict[int, object]
) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info.tagtype[tag] = 1 if isinstance(value, bytes) else 4
        info[tag] = value
    noise().save(tmp_path / "shot.dng", "TIFF", tiffinfo=info)
    assert "camera raw" in refusal(tmp_path / "shot.dng").message


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    error = refusal(tmp_path / "bomb.png")
    assert "more than 1,000,000 pixels" in error.message
    assert "max_pixels" in error.advice
    with pytest.raises(PictureError, match="pixels"):
        inspect(tmp_path / "bomb.png", LIMITS)


def test_a_picture_of_just_too_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.new("L", (1001, 1000)).save(tmp_path / "large.png")
    assert "pixels" in refusal(tmp_path / "large.png").message
    Image.new("L", (1000, 1000)).save(tmp_path / "fits.png")
    assert inspect(tmp_path / "fits.png", LIMITS).width == 1000


def test_a_result_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    noise().save(tmp_path / "small.png")
    with pytest.raises(PictureError, match="would become 1024×1024"):
        prepare(tmp_path / "small.png", tmp_path / "prepared.png", SizeRule(1024), LIMITS)


def test_a_file_of_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.bmp"
    path.write_bytes(encoded("BMP") + bytes(1_000_000))
    assert "at most 1 MB" in refusal(path).message


def test_a_text_bomb_in_a_png_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    whole = encoded("PNG")
    text = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(50_000_000)))
    (tmp_path / "cat.png").write_bytes(whole[:33] + text + whole[33:])
    assert "unpacks to far too much" in refusal(tmp_path / "cat.png").message


def test_a_line_of_pixels_is_refused_with_advice(tmp_path: Path) -> None:
    Image.new("RGB", (20_000, 1)).save(tmp_path / "line.png")
    error = refusal(tmp_path / "line.png")
    assert "20000×1, too long and narrow" in error.message
    assert "contain" in error.advice


def test_links_pipes_folders_and_sockets_are_refused_at_once(tmp_path: Path) -> None:
    noise().save(tmp_path / "real.png")
    (tmp_path / "link.png").symlink_to("real.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.png"))
        assert "symbolic link" in refusal(tmp_path / "link.png").message
        assert "a pipe" in refusal(tmp_path / "pipe.png").message
        assert "a folder" in refusal(tmp_path / "folder.png").message
        assert "a socket" in refusal(tmp_path / "socket.png").message
    assert "not there any more" in refusal(tmp_path / "gone.png").message


def test_a_name_with_a_newline_cannot_forge_a_line_of_the_message(tmp_path: Path) -> None:
    path = tmp_path / "cat\nall is well.png"
    path.write_bytes(b"text")
    assert "\n" not in refusal(path).message


def test_a_target_that_cannot_be_written_blames_the_disk(tmp_path: Path) -> None:
    noise().save(tmp_path / "cat.png")
    with (
        (tmp_path / "cat.png").open("rb") as file,
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(EnvironmentFault, match="cannot be written: No space left on device"),
    ):
        preparing.prepare(tmp_path / "cat.png", file, full, RULE, LIMITS)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EIO, EnvironmentFault), (errno.ESTALE, EnvironmentFault)]
)
def test_storage_that_fails_while_reading_is_not_the_pictures_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fail(image: ImageFile.ImageFile) -> None:
        raise OSError(number, os.strerror(number))

    noise().save(tmp_path / "cat.bmp")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(kind, match="cannot be read"):
        prepare(tmp_path / "cat.bmp", tmp_path / "prepared.png", RULE, LIMITS)


def test_a_picture_leaves_no_descriptor_open(tmp_path: Path) -> None:
    noise().save(tmp_path / "cat.tif", compression="tiff_lzw")
    (tmp_path / "half.png").write_bytes(encoded("PNG")[:500])
    before = os.listdir("/proc/self/fd")
    prepare(tmp_path / "cat.tif", tmp_path / "prepared.png", RULE, LIMITS)
    inspect(tmp_path / "cat.tif", LIMITS)
    (tmp_path / "prepared.png").unlink()
    refusal(tmp_path / "half.png")
    assert len(os.listdir("/proc/self/fd")) == len(before)

"""HEIC pictures as phones take them: turned once, of any depth, the main one of several."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pillow_heif
import pytest
from directly import inspect
from PIL import ExifTags, Image
from quartered import BLUE, GREEN, LIMITS, RED, YELLOW, corners, near, prepared, quarters

from img2imgd.errors import PictureError
from img2imgd.reader.protocol import ReaderLimits

COLOURS = [RED, GREEN, BLUE, YELLOW]


def heic(image: Image.Image, *more: Image.Image, **options: object) -> bytes:
    """A HEIC file; ``more`` are further pictures in it."""
    made = pillow_heif.from_pillow(image)
    for other in more:
        made.add_from_pillow(other)
    file = io.BytesIO()
    made.save(file, quality=95, chroma=444, **options)
    return file.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refused(path: Path, data: bytes, limits: ReaderLimits = LIMITS) -> PictureError:
    with pytest.raises(PictureError) as caught:
        prepared(written(path, data), limits=limits)
    return caught.value


def test_a_photo_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "IMG_0001.HEIC", heic(quarters()))
    info = inspect(path, LIMITS)
    assert (info.format, info.width, info.height, info.frames) == ("HEIF", 64, 32, 1)
    image, report = prepared(path)
    assert near(corners(image), COLOURS, 6)
    assert report.notes == ()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photo_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Phones write the turn twice: for the container, and in the EXIF data for old programs."""
    inverse = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
               8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = quarters((64, 128))
    if orientation in inverse:
        stored = stored.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = heic(stored, exif=exif.tobytes())
    assert (b"irot" in data) == (orientation != 1)
    path = written(tmp_path / "photo.heic", data)
    info = inspect(path, LIMITS)
    assert (info.width, info.height) == (64, 128)
    image, _ = prepared(path)
    assert image.size == (64, 128)
    assert near(corners(image), COLOURS, 6)


def test_ten_bits_and_transparency(tmp_path: Path) -> None:
    deep = Image.new("I;16", (64, 64), 40_000)
    made = pillow_heif.from_bytes("L;16", deep.size, deep.tobytes())
    file = io.BytesIO()
    made.save(file, quality=95)
    image, _ = prepared(written(tmp_path / "deep.heic", file.getvalue()))
    grey = image.getpixel((32, 32))
    assert isinstance(grey, tuple)
    assert abs(grey[0] - 156) <= 2
    cut = quarters().convert("RGBA")
    cut.paste((0, 0, 0, 0), (0, 0, 32, 16))
    image, report = prepared(written(tmp_path / "cut.heic", heic(cut)))
    assert near(corners(image), [(255, 255, 255), GREEN, BLUE, YELLOW], 8)
    assert report.notes == ("Its transparent parts were laid on white.",)


def test_the_main_one_of_several_is_used_and_said(tmp_path: Path) -> None:
    other = Image.new("RGB", (64, 32), "black")
    path = written(tmp_path / "burst.heic", heic(other, quarters(), primary_index=1))
    image, report = prepared(path)
    assert near(corners(image), COLOURS, 6)
    assert report.notes == ("The main one of its 2 pictures was used.",)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("tail", [False, True])
def test_a_photo_that_is_cut_off_is_refused(tmp_path: Path, share: float, tail: bool) -> None:
    whole = heic(Image.effect_noise((256, 256), 90).convert("RGB"))
    kept = int(len(whole) * share)
    rest = bytes(max(5000, len(whole) - kept)) if tail else b""
    assert "cut off" in refused(tmp_path / "half.heic", whole[:kept] + rest).message


def test_limits_hold(tmp_path: Path) -> None:
    few = ReaderLimits(max_pixels=2000)
    error = refused(tmp_path / "large.heic", heic(quarters()), few)
    assert "more than 2,000 pixels" in error.message


def test_a_coding_that_is_not_read_is_told(tmp_path: Path) -> None:
    data = heic(quarters()).replace(b"hvc1", b"vvc1").replace(b"hvcC", b"vvcC")
    error = refused(tmp_path / "new.heic", data)
    assert "is coded in a way that is not read here" in error.message
    assert "Export it" in error.advice


def test_avif_in_a_general_container_is_still_pillows(tmp_path: Path) -> None:
    file = io.BytesIO()
    quarters().save(file, "AVIF", quality=95)
    data = file.getvalue()
    assert data[8:12] == b"avif"
    path = written(tmp_path / "a.avif", data[:8] + b"mif1" + data[12:])
    assert inspect(path, LIMITS).format == "AVIF"


def test_without_the_library_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refused(tmp_path / "a.heic", heic(quarters()))
    assert "a HEIC picture, which is read only where pillow-heif is installed" in error.message
    assert f"{sys.executable} -m pip install pillow-heif" in error.advice
    assert "Most Compatible" in error.advice

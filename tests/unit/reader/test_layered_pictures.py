"""Krita's and OpenRaster's files: the merged picture in them is read, or it is told why not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from directly import inspect
from PIL import Image
from quartered import BLUE, GREEN, LIMITS, RED, YELLOW, corners, near, prepared, quarters

import documents
from img2imgd.errors import PictureError
from img2imgd.reader.protocol import ReaderLimits

KINDS = [("KRA", documents.KRITA), ("ORA", documents.OPENRASTER)]


def refused(path: Path, data: bytes, limits: ReaderLimits = LIMITS) -> PictureError:
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        inspect(path, limits)
    return caught.value


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("kind", "mimetype"), KINDS)
def test_the_merged_picture_is_what_is_painted_on(
    tmp_path: Path, kind: str, mimetype: bytes, packing: int
) -> None:
    path = tmp_path / "drawing"
    path.write_bytes(documents.layered(quarters(), mimetype, packing=packing))
    info = inspect(path, LIMITS)
    assert (info.format, info.width, info.height, info.frames) == (kind, 64, 32, 1)
    image, report = prepared(path)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 0)
    assert report.notes == ()


def test_transparent_parts_are_laid_on_white(tmp_path: Path) -> None:
    image = quarters().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 32, 16))
    path = tmp_path / "drawing.kra"
    path.write_bytes(documents.layered(image))
    result, report = prepared(path)
    assert near(corners(result), [(255, 255, 255), GREEN, BLUE, YELLOW], 0)
    assert report.notes == ("Its transparent parts were laid on white.",)


def test_a_file_whose_mimetype_does_not_come_first_is_known_by_what_it_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "drawing.ora"
    path.write_bytes(documents.layered(quarters(), b""))
    assert inspect(path, LIMITS).format == "ORA"


@pytest.mark.parametrize(("kind", "mimetype"), KINDS)
def test_a_small_preview_is_not_taken_for_the_picture(
    tmp_path: Path, kind: str, mimetype: bytes
) -> None:
    error = refused(tmp_path / "drawing", documents.layered(None, mimetype))
    assert "without its merged picture (mergedimage.png)" in error.message
    assert "Save it once more" in error.advice


def test_a_merged_picture_that_unpacks_to_too_many_bytes_is_never_unpacked(tmp_path: Path) -> None:
    bomb = documents.layered(bytes(30_000_000))
    assert len(bomb) < 100_000
    assert "more than 20 MB" in refused(tmp_path / "bomb.kra", bomb).message


def test_a_member_that_lies_about_its_size_is_not_believed(tmp_path: Path) -> None:
    bomb = documents.layered(bytes(30_000_000))
    said = (30_000_000).to_bytes(4, "little")
    assert bomb.count(said) == 2
    lying = bomb.replace(said, (1000).to_bytes(4, "little"))
    assert "damaged or cut off" in refused(tmp_path / "bomb.kra", lying).message


def test_a_merged_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    large = documents.layered(Image.new("1", (3000, 3000)))
    assert "more than 4,000,000 pixels" in refused(tmp_path / "large.kra", large).message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    whole = documents.layered(Image.effect_noise((96, 96), 90))
    error = refused(tmp_path / "drawing.kra", whole[: int(len(whole) * share)])
    assert "is a Krita file that is damaged or cut off" in error.message


def test_damage_inside_is_told(tmp_path: Path) -> None:
    whole = bytearray(documents.layered(quarters(), packing=zipfile.ZIP_STORED))
    at = whole.rindex(b"IDAT") + 6
    whole[at] ^= 0xFF
    assert "damaged" in refused(tmp_path / "drawing.kra", bytes(whole)).message
    half = documents.layered(documents.png(quarters())[:-20])
    assert "a merged picture that is cut off" in refused(tmp_path / "half.kra", half).message
    other = documents.layered(b"GIF89a and so on")
    assert "cut off" in refused(tmp_path / "gif.kra", other).message


def test_a_locked_file_is_told_so(tmp_path: Path) -> None:
    whole = bytearray(documents.layered(quarters()))
    at = whole.rindex(b"PK\x01\x02")  # mergedimage.png is the last of the directory
    whole[at + 8] |= 1
    assert "protected with a password" in refused(tmp_path / "a.ora", bytes(whole)).message


def test_other_archives_are_told_apart(tmp_path: Path) -> None:
    def archive(*names: str) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as made:
            for name in names:
                made.writestr(name, b"x")
        return file.getvalue()

    error = refused(tmp_path / "a.kra", archive("holiday/cat.png"))
    assert "is a zip archive, which is not read here" in error.message
    assert "Unpack it" in error.advice
    assert "Procreate" in refused(tmp_path / "b.kra", archive("Document.archive")).message

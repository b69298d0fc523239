"""Photoshop files of every depth and colour mode: the merged picture behind their layers."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from directly import inspect
from PIL import Image, ImageCms
from quartered import BLUE, GREEN, LIMITS, RED, YELLOW, corners, near, prepared, quarters

import documents
from img2imgd.errors import PictureError

COLOURS = [RED, GREEN, BLUE, YELLOW]


def lab() -> Image.Image:
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.applyTransform(quarters(), ImageCms.buildTransform(*spaces, "RGB", "LAB"))


def refused(path: Path, data: bytes) -> PictureError:
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        prepared(path)
    return caught.value


@pytest.mark.parametrize("large", [False, True], ids=["psd", "psb"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "packed"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "LAB"])
def test_colours_of_every_mode_and_depth_are_read(
    tmp_path: Path, mode: str, depth: int, packed: bool, large: bool
) -> None:
    image = lab() if mode == "LAB" else quarters().convert(mode)
    path = tmp_path / "drawing.psd"
    path.write_bytes(documents.photoshop(image, depth=depth, packed=packed, large=large))
    info = inspect(path, LIMITS)
    assert (info.format, info.width, info.height, info.frames) == ("PSD", 64, 32, 1)
    result, report = prepared(path)
    assert near(corners(result), COLOURS, 8 if mode == "LAB" else 2)
    guess = ("It has no colour profile, so its CMYK colours are a guess.",)
    assert report.notes == (guess if mode == "CMYK" else ())


def test_pillow_reads_the_same_pixels_where_it_can(tmp_path: Path) -> None:
    for mode in ("RGB", "L", "CMYK", "P"):  # of black and white it makes white and black
        image = quarters().convert(mode) if mode != "P" else quarters().quantize(8)
        data = documents.photoshop(image)
        (tmp_path / "a.psd").write_bytes(data)
        ours, _ = prepared(tmp_path / "a.psd")
        with Image.open(io.BytesIO(data), formats=["PSD"]) as theirs:
            expected = theirs.convert("RGB")
        assert near(corners(ours), corners(expected), 0), mode  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_and_palettes(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "drawing.psd"
    path.write_bytes(documents.photoshop(Image.linear_gradient("L"), depth=depth))
    image, _ = prepared(path)
    assert image.getpixel((9, 0)) == (0, 0, 0)
    assert image.getpixel((9, 128)) == (128, 128, 128)
    assert image.getpixel((9, 255)) == (255, 255, 255)


def test_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (20, 16), 1)
    image.paste(0, (8, 0, 20, 16))
    path = tmp_path / "scan.psd"
    path.write_bytes(documents.photoshop(image))
    result, _ = prepared(path)
    assert (result.getpixel((2, 4)), result.getpixel((12, 4))) == ((255,) * 3, (0,) * 3)


def test_transparency_is_laid_on_white_and_a_saved_selection_is_not(tmp_path: Path) -> None:
    cut = quarters().convert("RGBA")
    mask = Image.new("L", cut.size, 255)
    mask.paste(0, (0, 0, 32, 16))
    cut.putalpha(mask)
    (tmp_path / "cut.psd").write_bytes(documents.photoshop(cut))
    image, report = prepared(tmp_path / "cut.psd")
    assert near(corners(image), [(255, 255, 255), GREEN, BLUE, YELLOW], 0)
    assert report.notes == ("Its transparent parts were laid on white.",)
    (tmp_path / "selected.psd").write_bytes(documents.photoshop(quarters(), more=[mask]))
    image, report = prepared(tmp_path / "selected.psd")
    assert near(corners(image), COLOURS, 0)
    assert report.notes == ()


def test_its_colour_profile_is_used(tmp_path: Path) -> None:
    broken = documents.photoshop(quarters(), resources={1039: b"this is no profile"})
    (tmp_path / "drawing.psd").write_bytes(broken)
    assert any("profile" in note for note in prepared(tmp_path / "drawing.psd")[1].notes)


def test_a_file_saved_without_its_merged_picture_says_how_to_save_it(tmp_path: Path) -> None:
    error = refused(tmp_path / "a.psd", documents.photoshop(quarters(), merged=False))
    assert "was saved without the picture that its layers give" in error.message
    assert "Maximize PSD and PSB file compatibility" in error.advice


def test_files_of_programs_that_do_not_say_whether_it_is_merged_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.psd").write_bytes(documents.photoshop(quarters(), merged=None))
    assert near(corners(prepared(tmp_path / "a.psd")[0]), COLOURS, 0)


def test_floating_point_and_odd_modes_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for offset, value in ((22, 32), (24, 7)):
        data = bytearray(documents.photoshop(quarters()))
        data[offset : offset + 2] = value.to_bytes(2, "big")
        error = refused(tmp_path / "a.psd", bytes(data))
        assert "a Photoshop file of a kind that is not read here" in error.message
        assert "8 bits" in error.advice


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float, packed: bool) -> None:
    whole = documents.photoshop(Image.effect_noise((64, 64), 90).convert("RGB"), packed=packed)
    error = refused(tmp_path / "a.psd", whole[: max(8, int(len(whole) * share))])
    assert "a Photoshop file, is" in error.message
    assert "cut off" in error.message


def test_more_pixels_than_allowed_are_never_unpacked(tmp_path: Path) -> None:
    data = bytearray(documents.photoshop(quarters()))
    data[14:22] = (300_000).to_bytes(4, "big") * 2
    assert "more than 4,000,000 pixels" in refused(tmp_path / "a.psd", bytes(data)).message

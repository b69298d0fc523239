"""TIFF files as scanners and fax machines write them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from directly import inspect
from PIL import Image, ImageCms, TiffImagePlugin
from quartered import BLUE, GREEN, LIMITS, RED, YELLOW, corners, near, prepared, quarters

from img2imgd.errors import PictureError
from img2imgd.reader.files import open_picture
from img2imgd.reader.paging import count_pages, extract_page
from img2imgd.reader.protocol import ReaderLimits, SizeRule
from img2imgd.reader.viewing import view

COLOURS = [RED, GREEN, BLUE, YELLOW]
PHOTOMETRIC, ORIENTATION = 262, 274


def page(width: int = 64, height: int = 32, inks: int = 0) -> Image.Image:
    """A sheet, ink in its upper left quarter."""
    image = Image.new("1", (width, height), 1 - inks)
    image.paste(inks, (0, 0, width // 2, height // 2))
    return image


def as_written(image: Image.Image, path: Path, compression: str) -> None:
    """A TIFF of these bits that says that white is zero."""
    image.save(path, compression=compression)
    entry = struct.pack("<HHII", PHOTOMETRIC, 3, 1, 1)
    data = path.read_bytes()
    assert data.count(entry) == 1
    path.write_bytes(data.replace(entry, struct.pack("<HHII", PHOTOMETRIC, 3, 1, 0)))


@pytest.mark.parametrize("compression", ["raw", "packbits", "group3", "group4", "tiff_lzw",
                                         "tiff_adobe_deflate"])  # fmt: skip
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_black_and_white_in_either_sense(
    tmp_path: Path, compression: str, white_is_zero: bool
) -> None:
    path = tmp_path / "scan.tif"
    page().save(path, compression=compression)
    if white_is_zero:
        as_written(page(inks=1), path, compression)
    with Image.open(path) as written:
        assert written.tag_v2[PHOTOMETRIC] == (0 if white_is_zero else 1)  # type: ignore[attr-defined]
    image, report = prepared(path)
    ink, white = (0, 0, 0), (255, 255, 255)
    assert near(corners(image), [ink, white, white, white], 0)
    assert report.notes == ()


@pytest.mark.parametrize(
    ("mode", "compression", "by"),
    [
        ("RGB", "tiff_lzw", 0), ("RGB", "jpeg", 8), ("YCbCr", "jpeg", 8), ("RGB", "packbits", 0),
        ("RGB", "tiff_adobe_deflate", 0), ("CMYK", "tiff_lzw", 0), ("CMYK", "jpeg", 8),
        ("P", "tiff_lzw", 0),
    ],
)  # fmt: skip
def test_colours_in_every_packing(tmp_path: Path, mode: str, compression: str, by: int) -> None:
    source = quarters().quantize(8) if mode == "P" else quarters().convert(mode)
    path = tmp_path / "scan.tif"
    source.save(path, compression=compression, **({"quality": 95} if compression == "jpeg" else {}))
    image, report = prepared(path)
    assert near(corners(image), COLOURS, by)
    assert any("CMYK" in note for note in report.notes) == (mode == "CMYK")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_sixteen_bit_grey_is_scaled(tmp_path: Path, compression: str) -> None:
    deep = Image.new("I;16", (16, 8), 300)
    deep.paste(32896, (8, 0, 16, 8))
    deep.save(tmp_path / "deep.tif", compression=compression)
    image, _ = prepared(tmp_path / "deep.tif")
    assert (image.getpixel((2, 2)), image.getpixel((12, 2))) == ((1,) * 3, (128,) * 3)


@pytest.mark.parametrize(
    ("dpi", "size"),
    [
        ((204, 98), (64, 67)), ((204, 196), (64, 33)), ((98, 204), (133, 32)),
        ((200, 200), (64, 32)), ((200, 199), (64, 32)), ((1, 100), (64, 32)), ((0, 98), (64, 32)),
    ],
)  # fmt: skip
def test_a_fax_gets_its_true_shape_back(
    tmp_path: Path, dpi: tuple[int, int], size: tuple[int, int]
) -> None:
    path = tmp_path / "fax.tif"
    page().save(path, compression="group4", dpi=dpi)
    info = inspect(path, LIMITS)
    assert (info.width, info.height) == size
    image, report = prepared(path)
    assert image.size == tuple(round(side / 8) * 8 for side in size)
    ink, white = (0, 0, 0), (255, 255, 255)
    assert near(corners(image), [ink, white, white, white], 0)
    assert any("true shape" in note for note in report.notes) == (size != (64, 32))


def test_a_fax_that_lies_on_its_side_gets_it_too(tmp_path: Path) -> None:
    path = tmp_path / "fax.tif"
    page().save(path, dpi=(204, 102), tiffinfo={ORIENTATION: 6})
    info = inspect(path, LIMITS)
    assert (info.width, info.height) == (64, 64)
    ink, white = (0, 0, 0), (255, 255, 255)
    assert near(corners(prepared(path)[0]), [white, ink, white, white], 0)


def test_a_fax_near_the_limit_is_not_stretched_beyond_it(tmp_path: Path) -> None:
    path = tmp_path / "fax.tif"
    page(100, 100).save(path, dpi=(200, 100))
    few = ReaderLimits(max_pixels=10_000)
    info = inspect(path, few)
    assert (info.width, info.height) == (50, 100)


def test_a_fax_is_shown_in_its_true_shape(tmp_path: Path) -> None:
    path = tmp_path / "fax.tif"
    page().save(path, dpi=(204, 102))
    with path.open("rb") as file, (tmp_path / "view.webp").open("wb") as target:
        seen = view(path, file, target, 200, LIMITS)
    assert (seen.width, seen.height) == (64, 64)
    assert seen.original == (64, 64)


def test_a_page_of_too_many_pixels_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "plan.tif"
    Image.new("1", (30_000, 30_000), 1).save(path, compression="group4")
    with pytest.raises(PictureError, match="more than 4,000,000 pixels"):
        inspect(path, LIMITS)


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
@pytest.mark.parametrize("compression", ["group4", "tiff_lzw", "jpeg"])
def test_a_scan_that_is_cut_off_is_refused(tmp_path: Path, compression: str, share: float) -> None:
    noise = Image.effect_noise((200, 200), 90)
    path = tmp_path / "scan.tif"
    noise.convert("1" if compression == "group4" else "RGB").save(path, compression=compression)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PictureError, match="cut off"):
        prepared(path)


def test_the_first_of_several_pages_of_unlike_kinds_is_used(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    with TiffImagePlugin.AppendingTiffWriter(str(path), True) as writer:
        for image in (quarters(), page(), quarters((300, 100)).convert("L")):
            image.save(writer)
            writer.newFrame()
    assert inspect(path, LIMITS).frames == 3
    image, report = prepared(path, SizeRule(64, multiple=8))
    assert near(corners(image), COLOURS, 0)
    assert report.notes[0].startswith("The first of its 3 pages was used")


def of_pages(path: Path, *profiles: bytes) -> Path:
    """A TIFF with a page for each colour profile, or for none where that is empty."""
    with TiffImagePlugin.AppendingTiffWriter(path, True) as written:
        for profile in profiles:
            quarters().save(written, "TIFF", icc_profile=profile)
            written.newFrame()
    return path


def extracted(path: Path, page_number: int) -> Image.Image:
    """A page of a document as a picture of its own."""
    target = path.with_name(f"page {page_number}.png")
    with open_picture(path, LIMITS) as file, target.open("wb") as out:
        extract_page(path, file, out, page_number, LIMITS)
    with Image.open(target) as image:
        image.load()
        return image


def test_no_page_gets_the_colours_of_another(tmp_path: Path) -> None:
    for_paints = bytes(16) + b"CMYK" + bytes(120)  # noticed where a page of RGB is read by it
    path = of_pages(tmp_path / "scan.tif", b"", for_paints, b"")
    _, report = prepared(path)
    assert [note for note in report.notes if "profile" in note] == []
    found = ["icc_profile" in extracted(path, number).info for number in range(3)]
    assert found == [False, True, False]


def test_a_page_with_a_profile_that_is_too_large_for_a_png_can_be_read(tmp_path: Path) -> None:
    made = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType]
    small = ImageCms.ImageCmsProfile(made).tobytes()
    length = len(small) + 1_100_000  # of scanners and printers with large tables
    path = of_pages(tmp_path / "scan.tif", length.to_bytes(4, "big") + small[4:] + bytes(1_100_000))
    assert "icc_profile" not in extracted(path, 0).info
    image, _ = prepared(tmp_path / "page 0.png")
    assert near(corners(image), COLOURS, 2)


@pytest.mark.parametrize("big", [False, True])
def test_of_a_document_that_is_cut_off_no_page_is_left_out_silently(
    tmp_path: Path, big: bool
) -> None:
    path = tmp_path / "scan.tif"
    first, *others = [page(width) for width in (64, 72, 80, 88)]
    first.save(path, save_all=True, append_images=others, compression="group4", big_tiff=big)
    whole = path.read_bytes()
    told: set[int] = set()
    for length in range(len(whole), len(whole) - 1000, -5):
        try:
            told.add(count_pages(path, io.BytesIO(whole[:length]), LIMITS).pages)
        except PictureError:
            continue
    assert told == {4}


def chain(pictures: int) -> bytes:
    """A TIFF of so many pages of 16 × 16, which all have the same pixels."""
    keys = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 16, 279: 256}
    size = 2 + 12 * len(keys) + 4
    pixels = 8 + size * pictures
    data = struct.pack("<2sHI", b"II", 42, 8)
    for at in range(pictures):
        following = 8 + size * (at + 1) if at + 1 < pictures else 0
        entries = [
            struct.pack("<HHII", k, 4, 1, pixels if k == 273 else v) for k, v in keys.items()
        ]
        data += struct.pack("<H", len(keys)) + b"".join(entries) + struct.pack("<I", following)
    return data + bytes(256)


def test_a_document_among_whose_pictures_every_page_had_to_be_looked_for_too_long_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scan.tif"
    assert count_pages(path, io.BytesIO(chain(2000)), LIMITS).pages == 2000
    with pytest.raises(PictureError, match="holds 2,001 pictures; at most 2,000 are read"):
        count_pages(path, io.BytesIO(chain(2001)), LIMITS)

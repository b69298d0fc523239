"""Real files of every kind, made by Pillow, prepared to plain RGB."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import pytest
from directly import inspect, prepare
from PIL import ExifTags, Image, ImageCms, ImageFilter
from quartered import BLUE, GREEN, KEEP, LIMITS, RED, YELLOW, corners, near, prepared, quarters

from img2imgd.reader.protocol import SizeRule


def profile(space: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("format_name", "options", "by"),
    [
        ("PNG", {}, 0),
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"quality": 95, "progressive": True}, 4),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 6),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("GIF", {}, 0),
        ("AVIF", {"quality": 95}, 8),
        ("PPM", {}, 0),
    ],
)
def test_every_format_is_read(
    tmp_path: Path, format_name: str, options: dict[str, object], by: int
) -> None:
    path = tmp_path / "picture.bin"  # the content says what it is, not the name
    quarters().save(path, format_name, **options)
    info = inspect(path, LIMITS)
    assert (info.format, info.width, info.height, info.frames) == (format_name, 64, 32, 1)
    image, result = prepared(path)
    assert result.notes == ()
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], by)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(
    tmp_path: Path, format_name: str, orientation: int
) -> None:
    # What the camera's sensor saw, for a scene that is red, green, blue, yellow when upright.
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = quarters()
    if orientation != 1:
        stored = stored.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "photo"
    stored.save(path, format_name, exif=exif)
    info = inspect(path, LIMITS)
    assert (info.width, info.height) == (64, 32)
    image, _ = prepared(path)
    assert image.size == (64, 32)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 12)


def test_a_large_sideways_photo_is_shrunk_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / "photo.jpg"
    quarters((1999, 1001)).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    image, _ = prepared(path, SizeRule(128, multiple=8))
    assert image.size == (128, 64)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 4)


def test_hidden_colours_under_transparency_do_not_surface(tmp_path: Path) -> None:
    image = quarters().convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 32, 16))
    alpha.paste(128, (32, 0, 64, 16))
    image.putalpha(alpha)
    path = tmp_path / "cut-out.png"
    image.save(path)
    result, notes = prepared(path)
    half_green = tuple(round((value * 128 + 255 * 127) / 255) for value in GREEN)
    assert near(corners(result), [(255, 255, 255), half_green, BLUE, YELLOW], 1)  # type: ignore[list-item]
    assert notes.notes == ("Its transparent parts were laid on white.",)


def test_a_palette_with_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = quarters().quantize(8)
    red = image.getpixel((2, 2))
    path = tmp_path / "palette.png"
    image.save(path, transparency=red)
    result, _ = prepared(path)
    assert near(corners(result), [(255, 255, 255), GREEN, BLUE, YELLOW], 0)


def test_grey_with_alpha_and_a_colour_key_are_laid_on_white(tmp_path: Path) -> None:
    grey = Image.new("LA", (16, 16), (40, 0))
    grey.paste((80, 255), (8, 0, 16, 16))
    grey.save(tmp_path / "grey.png")
    image, _ = prepared(tmp_path / "grey.png")
    assert (image.getpixel((3, 3)), image.getpixel((12, 3))) == ((255,) * 3, (80,) * 3)
    quarters().save(tmp_path / "key.png", transparency=RED)
    image, _ = prepared(tmp_path / "key.png")
    assert near(corners(image), [(255, 255, 255), GREEN, BLUE, YELLOW], 0)


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    deep = Image.new("I;16", (16, 8), 300)
    deep.paste(32896, (8, 0, 16, 8))
    deep.save(tmp_path / "deep.png")
    deep.save(tmp_path / "deep.tif")
    for name in ("deep.png", "deep.tif"):
        image, _ = prepared(tmp_path / name)
        assert image.getpixel((2, 2)) == (1, 1, 1)
        assert image.getpixel((12, 2)) == (128, 128, 128)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_of_either_byte_order(tmp_path: Path, order: str) -> None:
    pixels = struct.pack(f"{order}128H", *([0, 65535] * 64))
    Image.frombytes("I;16" if order == "<" else "I;16B", (16, 8), pixels).save(tmp_path / "d.tif")
    image, _ = prepared(tmp_path / "d.tif")
    assert image.getpixel((0, 0)) == (0, 0, 0)
    assert image.getpixel((1, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("values", "wanted", "noted"),
    [
        ((0.0, 0.5, 1.0), (0, 128, 255), False),
        ((0.0, 100.0, 255.0), (0, 100, 255), False),
        ((-2.0, 0.0, 2.0), (0, 128, 255), True),
        ((0.25, 0.25, 0.25), (64, 64, 64), False),
    ],
)
def test_floating_point_pixels_are_scaled_by_their_range(
    tmp_path: Path, values: tuple[float, ...], wanted: tuple[int, ...], noted: bool
) -> None:
    image = Image.new("F", (24, 8))
    for index, value in enumerate(values):
        image.paste(value, (index * 8, 0, index * 8 + 8, 8))
    image.save(tmp_path / "float.tif")
    result, report = prepared(tmp_path / "float.tif")
    assert [result.getpixel((x, 4)) for x in (4, 12, 20)] == [(value,) * 3 for value in wanted]
    assert bool(report.notes) == noted


def test_one_bit_pictures_are_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (16, 8), 1)
    image.paste(0, (8, 0, 16, 8))
    image.save(tmp_path / "scan.tif", compression="group4")
    result, _ = prepared(tmp_path / "scan.tif")
    assert (result.getpixel((2, 2)), result.getpixel((12, 2))) == ((255,) * 3, (0,) * 3)


@pytest.mark.parametrize("name", ["print.jpg", "print.tif"])
def test_cmyk_without_a_profile_keeps_its_sense(tmp_path: Path, name: str) -> None:
    image = Image.new("CMYK", (16, 8), (0, 0, 0, 0))
    image.paste((0, 255, 255, 0), (8, 0, 16, 8))
    image.save(tmp_path / name)  # Pillow writes JPEG as Adobe does: inverted
    result, report = prepared(tmp_path / name)
    paper, ink = result.getpixel((2, 2)), result.getpixel((12, 2))
    assert isinstance(paper, tuple)
    assert isinstance(ink, tuple)
    assert min(paper) > 245
    assert ink[0] > 230
    assert max(ink[1:]) < 25
    assert "CMYK" in report.notes[0]


def swapped_profile() -> bytes:
    """sRGB's profile with the red and green primaries swapped, which no eye could miss."""
    data = bytearray(profile("sRGB"))
    count = struct.unpack(">I", data[128:132])[0]
    tags = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = (data[tags[tag] + 4 : tags[tag] + 8] for tag in (b"rXYZ", b"gXYZ"))
    data[tags[b"rXYZ"] + 4 : tags[b"rXYZ"] + 8] = green
    data[tags[b"gXYZ"] + 4 : tags[b"gXYZ"] + 8] = red
    return bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "profiled.png"
    source = quarters().quantize(8) if mode == "P" else quarters().convert(mode)
    source.save(path, icc_profile=swapped_profile())
    image, report = prepared(path)
    swapped = [(g, r, b) for r, g, b in (RED, GREEN, BLUE, YELLOW)]
    assert near(corners(image), swapped, 3)
    assert report.notes == ()


def test_srgb_profiles_change_no_pixel(tmp_path: Path) -> None:
    path = tmp_path / "srgb.png"
    quarters().save(path, icc_profile=profile("sRGB"))
    image, _ = prepared(path)
    assert image.tobytes() == quarters().tobytes()


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("RGB", b"this is no profile"),
        ("RGB", profile("sRGB")[:200]),
        ("RGB", profile("LAB")),
        ("CMYK", profile("sRGB")),
    ],
)
def test_a_useless_profile_is_ignored_with_a_note(tmp_path: Path, mode: str, data: bytes) -> None:
    path = tmp_path / "broken.tif"
    quarters().convert(mode).save(path, icc_profile=data)
    image, report = prepared(path)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 2)
    assert any("was ignored" in note for note in report.notes)


def test_lab_and_ycbcr_tiffs(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    ImageCms.applyTransform(quarters(), to_lab).save(tmp_path / "lab.tif")
    quarters().convert("YCbCr").save(tmp_path / "ycc.tif")
    for name in ("lab.tif", "ycc.tif"):
        image, _ = prepared(tmp_path / name)
        assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 8), name


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_of_several_frames_is_used_and_said(tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "moving"
    second = quarters().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    options = {"lossless": True} if format_name == "WEBP" else {}
    quarters().save(path, format_name, save_all=True, append_images=[second, quarters()], **options)
    assert inspect(path, LIMITS).frames == 3
    image, report = prepared(path)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 0)
    several = (
        "pages was used (all are where an inbox says `pages: each`)"
        if format_name == "TIFF"
        else ("frames was used")
    )
    assert report.notes == (f"The first of its 3 {several}.",)


def test_a_jpeg_with_a_preview_inside_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    quarters().save(path, "MPO", save_all=True, append_images=[quarters((16, 8))])
    assert (inspect(path, LIMITS).format, inspect(path, LIMITS).frames) == ("JPEG", 1)
    assert prepared(path)[1].notes == ()


def test_contain_pads_with_white(tmp_path: Path) -> None:
    quarters().save(tmp_path / "wide.png")
    image, _ = prepared(tmp_path / "wide.png", SizeRule((64, 64), "contain", multiple=8))
    assert image.getpixel((32, 5)) == (255, 255, 255)
    assert image.getpixel((5, 20)) == RED
    assert image.getpixel((60, 44)) == YELLOW


def test_a_fine_pattern_shrinks_to_an_even_grey(tmp_path: Path) -> None:
    stripes = Image.new("L", (1024, 1024), 0)
    for x in range(0, 1024, 2):
        stripes.paste(255, (x, 0, x + 1, 1024))
    stripes.save(tmp_path / "stripes.png")
    image, _ = prepared(tmp_path / "stripes.png", SizeRule(128, multiple=8))
    low, high = image.convert("L").getextrema()
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert 120 <= low <= high <= 136


def test_a_heavy_crop_by_rounding_is_said(tmp_path: Path) -> None:
    quarters((700, 150)).save(tmp_path / "narrow.png")
    _, report = prepared(tmp_path / "narrow.png", SizeRule(256, multiple=64))
    assert any("was cut off at the edges" in note for note in report.notes)


def test_broken_exif_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    quarters().save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x63\0" * 4)
    assert inspect(path, LIMITS).width == 64
    image, _ = prepared(path)
    assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 12)


def test_the_prepared_file_replaces_an_older_one_and_leaves_no_half(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jpg", tmp_path / "spool" / "a.png"
    target.parent.mkdir()
    target.write_bytes(b"older")
    quarters().filter(ImageFilter.BLUR).save(source)
    prepare(source, target, KEEP, LIMITS)
    assert [entry.name for entry in target.parent.iterdir()] == ["a.png"]
    assert Image.open(io.BytesIO(target.read_bytes())).size == (64, 32)


def test_the_hash_is_that_of_the_dropped_file_and_the_pixels_are_read_all_the_same(
    tmp_path: Path,
) -> None:
    for name in ("a.png", "a.jpg", "a.tif", "a.webp", "a.gif"):
        path = tmp_path / name
        quarters().save(path)
        image, result = prepared(path)
        assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert near(corners(image), [RED, GREEN, BLUE, YELLOW], 30)


def test_what_was_dropped_is_told_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    quarters((60, 32)).save(tmp_path / "a.jpg", exif=exif)
    _, result = prepared(tmp_path / "a.jpg", SizeRule(64, multiple=8, whole=True))
    assert (result.width, result.height) == (32, 64)
    assert (result.inside, result.original) == ((0, 0, 32, 64), (32, 60))

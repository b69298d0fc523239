"""Generation parameters are found wherever the known programs put them."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from directly import inspect
from PIL import ExifTags, Image, PngImagePlugin

from img2imgd.outputs.xmp import xmp_packet
from img2imgd.reader.carriers import MAX_CHARACTERS, decode_user_comment
from img2imgd.reader.protocol import ReaderLimits

TEXT = "Häuser am See, 夕焼け\nNegative prompt: blurry\nSteps: 50, Sampler: Euler, Seed: 187"
LIMITS = ReaderLimits()


def picture() -> Image.Image:
    return Image.new("RGB", (16, 16), "teal")


def with_comment(path: Path, comment: bytes) -> Path:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    picture().save(path, exif=exif.tobytes())
    return path


@pytest.mark.parametrize("international", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_png_text_chunk(tmp_path: Path, international: bool, compressed: bool) -> None:
    text = TEXT if international else "a cat\nSteps: 20, Seed: 3"
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", text, zip=compressed)
    picture().save(tmp_path / "a.png", pnginfo=chunks)
    assert inspect(tmp_path / "a.png", LIMITS).infotext == text


def test_a_png_text_chunk_behind_the_pixels(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"tEXt", b"parameters\0a cat\nSteps: 20", after_idat=True)
    picture().save(tmp_path / "a.png", pnginfo=chunks)
    assert inspect(tmp_path / "a.png", LIMITS).infotext == "a cat\nSteps: 20"


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.avif"])
def test_an_exif_user_comment(tmp_path: Path, name: str) -> None:
    path = with_comment(tmp_path / name, b"UNICODE\0" + TEXT.encode("utf-16-be"))
    assert inspect(path, LIMITS).infotext == TEXT


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"UNICODE\0" + TEXT.encode("utf-16-be") + bytes(4),
        bytes(8) + TEXT.encode(),
        TEXT.encode(),
    ],
)
def test_every_encoding_of_a_comment(comment: bytes) -> None:
    assert decode_user_comment(comment) == TEXT


def test_old_encodings_of_a_comment() -> None:
    assert decode_user_comment(b"ASCII\0\0\0a cat") == "a cat"
    assert decode_user_comment(b"ASCII\0\0\0H\xe4user") == "Häuser"
    assert decode_user_comment(b"JIS\0\0\0\0\0" + "夕焼け".encode("iso2022_jp")) == "夕焼け"
    assert decode_user_comment(b"") == ""


@pytest.mark.parametrize("remark", ["Screenshot", "", "Shot by me. Steps: none"])
def test_somebodys_remark_is_no_infotext(tmp_path: Path, remark: str) -> None:
    path = with_comment(tmp_path / "a.jpg", b"UNICODE\0" + remark.encode("utf-16-be"))
    assert inspect(path, LIMITS).infotext is None


def test_a_parameter_text_without_a_prompt(tmp_path: Path) -> None:
    path = with_comment(tmp_path / "a.jpg", b"ASCII\0\0\0\nSteps: 20, Seed: 3")
    assert inspect(path, LIMITS).infotext == "\nSteps: 20, Seed: 3"


def test_a_plain_picture_has_none(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg")
    assert inspect(tmp_path / "a.jpg", LIMITS).infotext is None


def test_an_endless_text_is_ignored(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "x" * (MAX_CHARACTERS + 1))
    picture().save(tmp_path / "a.png", pnginfo=chunks)
    assert inspect(tmp_path / "a.png", LIMITS).infotext is None


RECIPE = '{"prompt":"<a> & \u5915, it\'s "x"","index":3}'


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_recipe_in_the_xmp_packet(tmp_path: Path, name: str) -> None:
    packet = xmp_packet(RECIPE)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", packet)
    options = {"pnginfo": chunks} if name == "a.png" else {"xmp": packet.encode()}
    picture().save(tmp_path / name, **options)  # type: ignore[arg-type]
    assert inspect(tmp_path / name, LIMITS).recipe == RECIPE


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_recipe_that_another_program_made_an_attribute(tmp_path: Path, quote: str) -> None:
    escaped = html.escape(RECIPE, quote=True)
    packet = f"<rdf:Description img2imgd:recipe={quote}{escaped}{quote}/>"
    picture().save(tmp_path / "a.webp", xmp=packet.encode())
    assert inspect(tmp_path / "a.webp", LIMITS).recipe == RECIPE


def test_foreign_xmp_holds_no_recipe(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.jpg", xmp=xmp_packet().encode())
    assert inspect(tmp_path / "a.jpg", LIMITS).recipe is None

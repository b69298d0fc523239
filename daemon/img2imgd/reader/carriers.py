"""What a picture tells of how it was made: the infotext of AUTOMATIC1111's web UI, and a recipe.

Infotext is carried by the PNG text chunk ``parameters``, in JPEG and WebP by the EXIF UserComment,
whose first eight bytes name its encoding (EXIF 2.32, section 4.6.5). A recipe is img2imgd's own, in
JSON; it stands in the XMP packet, which every format that is written has a place for.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from PIL import ExifTags, Image

MAX_CHARACTERS = 200_000

# As element, and as the attribute that other programs may make of it when they save the packet.
_RECIPE = re.compile(
    rb"<img2imgd:recipe>([^<]*)</img2imgd:recipe>|\bimg2imgd:recipe=(?:\"([^\"]*)\"|'([^']*)')"
)

# A UserComment is anybody's remark ("Screenshot"); only one with these lines is an infotext.
_INFOTEXT_LINE = re.compile(r"^(Steps: \d|Negative prompt:)", re.MULTILINE)


def find_infotext(image: Image.Image) -> str | None:
    """The infotext of an opened picture, or None.

    Text chunks behind a PNG's pixels are only seen once the picture is loaded.
    """
    chunk = image.info.get("parameters")
    if isinstance(chunk, str) and chunk.strip():
        return chunk if len(chunk) <= MAX_CHARACTERS else None
    comment = _user_comment(image)
    if len(comment) > MAX_CHARACTERS or not _INFOTEXT_LINE.search(comment):
        return None
    return comment


def find_recipe(image: Image.Image) -> str | None:
    """The recipe of an opened picture as JSON text, or None."""
    packet = image.info.get("xmp")
    if image.format == "GIF":
        packet = _whole_file(image)
    elif isinstance(packet, str):
        packet = packet.encode()
    return recipe_in(packet) if isinstance(packet, bytes) else None


def recipe_in(packet: bytes) -> str | None:
    """The recipe within an XMP packet, or None."""
    found = _RECIPE.search(packet)
    if found is None:
        return None
    escaped = next(text for text in found.groups() if text is not None)
    text = html.unescape(escaped.decode("utf-8", "replace"))
    return text if len(text) <= MAX_CHARACTERS else None


def _whole_file(image: Image.Image) -> bytes:
    """A GIF's bytes: Pillow does not look for XMP in them, and the packet lies in them plainly."""
    file = getattr(image, "fp", None)
    if file is None:
        return b""
    at = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(at)
    return data


def _user_comment(image: Image.Image) -> str:
    try:
        tags: Mapping[int, object] = image.getexif().get_ifd(ExifTags.IFD.Exif)
        raw = tags.get(ExifTags.Base.UserComment)
    except Exception:  # noqa: BLE001 - broken EXIF makes Pillow raise anything; it is no loss here
        return ""
    if isinstance(raw, str):
        return raw.strip("\0 ")
    return decode_user_comment(raw) if isinstance(raw, bytes) else ""


def decode_user_comment(raw: bytes) -> str:
    """Text of a UserComment: as its eight-byte code says, else the best guess."""
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        decoded = _utf16(text)
    elif code in (b"ASCII\0\0\0", bytes(8)):
        decoded = _utf8_or_latin1(text)
    elif code == b"JIS\0\0\0\0\0":
        decoded = text.decode("iso2022_jp", "replace")
    else:
        decoded = _utf8_or_latin1(raw)
    return decoded.strip("\0 ")


def _utf16(text: bytes) -> str:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace")
    # The standard leaves the byte order open; infotext is mostly ASCII, so its zero bytes show it.
    little = text[1::2].count(0) > text[0::2].count(0)
    return text.decode("utf-16-le" if little else "utf-16-be", "replace")


def _utf8_or_latin1(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")

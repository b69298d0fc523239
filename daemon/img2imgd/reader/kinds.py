"""What a file is, by its first bytes: the formats served, and names for those that are not."""

from __future__ import annotations

from dataclasses import dataclass

EXPORT = "Export it as PNG or JPEG and put that into the inbox."
COPY_AGAIN = "Copy it again, from where it came."
_FILM = "Put a still picture of it into the inbox, as PNG or JPEG."
_UNPACK = "Unpack it and put the pictures themselves into the inbox."

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM")

# Number of first bytes that `recognise` wants to see.
HEAD = 1024


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name with an article ("a PDF"), and what to do about one."""

    name: str
    advice: str = EXPORT


# (offset, bytes, kind); the first match counts.
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"%PDF", Kind("a PDF document", "Export the page you mean as PNG or JPEG.")),
    (0, b"8BPS", Kind("a Photoshop file")),
    (0, b"gimp xcf", Kind("a GIMP file")),
    (0, b"CSFCHUNK", Kind("a Clip Studio file")),
    (38, b"application/x-krita", Kind("a Krita file")),
    (38, b"image/openraster", Kind("an OpenRaster file")),
    (0, b"PK\x03\x04", Kind("a zip archive", _UNPACK)),
    (0, b"Rar!", Kind("a RAR archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", _UNPACK)),
    (0, b"\x1f\x8b", Kind("a gzip archive", _UNPACK)),
    (8, b"CR\x02\x00", Kind("a Canon camera raw file")),
    (0, b"FUJIFILMCCD-RAW", Kind("a Fujifilm camera raw file")),
    (0, b"IIRO", Kind("an Olympus camera raw file")),
    (0, b"IIRS", Kind("an Olympus camera raw file")),
    (0, b"IIU\x00", Kind("a Panasonic camera raw file")),
    (0, b"%!PS", Kind("a PostScript file")),
    (0, b"\xc5\xd0\xd3\xc6", Kind("a PostScript file")),
    (0, b"\x00\x00\x00\x0cjP  ", Kind("a JPEG 2000 picture")),
    (0, b"\xff\x0a", Kind("a JPEG XL picture")),
    (0, b"\x00\x00\x00\x0cJXL ", Kind("a JPEG XL picture")),
    (0, b"\x00\x00\x01\x00", Kind("an icon file")),
    (0, b"\x1aE\xdf\xa3", Kind("a film", _FILM)),
    (8, b"AVI ", Kind("a film", _FILM)),
    (0, b"\x7fELF", Kind("a program", "")),
    (0, b"MZ", Kind("a program", "")),
)  # fmt: skip

# Brands of ISO media files, bytes 8 to 12 after "ftyp".
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (8, b"WEBP", "WEBP"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"BM", "BMP"),
)


def begins_as(head: bytes) -> str | None:
    """The served format whose mark the first bytes carry, whole or not; None when there is none."""
    for offset, mark, name in _PICTURES:
        if head.startswith(mark, offset):
            return name
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    return None


def foreign_kind(head: bytes) -> Kind | None:
    """The kind of a file that is known and not served, by its first ``HEAD`` bytes; else None."""
    for offset, mark, kind in _MAGIC:
        if head.startswith(mark, offset):
            return kind
    if head[4:8] == b"ftyp":
        return _iso_media(head[8:12])
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<?xml", b"<svg")) and b"<svg" in start:
        return Kind("an SVG drawing")
    if start.startswith((b"<!doctype html", b"<html")):
        return Kind("a web page", "Save the picture itself, not the page that shows it.")
    return None


def is_text(head: bytes) -> bool:
    """True when the first bytes read as UTF-8 text."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as fault:
        # The head may end inside a character.
        if fault.start < len(head) - 3:
            return False
        text = head[: fault.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text)


def _iso_media(brand: bytes) -> Kind | None:
    if brand in _HEIF_BRANDS:
        return Kind(
            "a HEIC picture", "Export it as JPEG (on an iPhone: Camera, Formats, Most Compatible)."
        )
    if brand == b"crx ":
        return Kind("a Canon camera raw file")
    if brand in (b"avif", b"avis"):
        return None
    return Kind("a film", _FILM)

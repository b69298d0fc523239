"""What a file is, by its first bytes: the formats served, and names for those that are not."""

from __future__ import annotations

from dataclasses import dataclass

EXPORT = "Export it as PNG or JPEG and put that into the inbox."
COPY_AGAIN = "Copy it again, from where it came."
DEVELOP = "Develop it, and put the JPEG or TIFF that comes of it into the inbox."
_FILM = "Put a still picture of it into the inbox, as PNG or JPEG."
_UNPACK = "Unpack it and put the pictures themselves into the inbox."

# Read by Pillow itself; the others by a module each.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM")
SERVED = (*FORMATS, "HEIF", "PSD", "KRA", "ORA", "PDF")
# What those by modules are called, with an article.
NAMES = {"HEIF": "a HEIC picture", "PSD": "a Photoshop file", "KRA": "a Krita file",
         "ORA": "an OpenRaster file", "PDF": "a PDF document", "ZIP": "a zip archive"}  # fmt: skip

# Number of first bytes that `recognise` wants to see.
HEAD = 1024


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name with an article ("a PDF"), and what to do about one."""

    name: str
    advice: str = EXPORT


# (offset, bytes, kind); the first match counts.
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"gimp xcf", Kind("a GIMP file")),
    (0, b"CSFCHUNK", Kind("a Clip Studio file")),
    (0, b"Rar!", Kind("a RAR archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", _UNPACK)),
    (0, b"\x1f\x8b", Kind("a gzip archive", _UNPACK)),
    (8, b"CR\x02\x00", Kind("a Canon camera raw file", DEVELOP)),
    (0, b"FUJIFILMCCD-RAW", Kind("a Fujifilm camera raw file", DEVELOP)),
    (0, b"IIRO", Kind("an Olympus camera raw file", DEVELOP)),
    (0, b"IIRS", Kind("an Olympus camera raw file", DEVELOP)),
    (0, b"IIU\x00", Kind("a Panasonic camera raw file", DEVELOP)),
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

ZIP_ARCHIVE = Kind("a zip archive", _UNPACK)
# Formats that Pillow does not read, or not well enough, by (offset, bytes).
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"8BPS", "PSD"),
    (38, b"application/x-krita", "KRA"),
    (38, b"image/openraster", "ORA"),
    (0, b"PK\x03\x04", "ZIP"),
)

# Brands of ISO media files, bytes 8 to 12 after "ftyp"; the last two say nothing of the coding.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
                b"mif1", b"msf1")  # fmt: skip
_AVIF_BRANDS = (b"avif", b"avis")
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
    return "AVIF" if _brand(head) in _AVIF_BRANDS else None


def other_format(head: bytes) -> str | None:
    """A format that is not for Pillow: HEIF, PSD, KRA, ORA or PDF; ZIP for one to look into."""
    for offset, mark, name in _OTHERS:
        if head.startswith(mark, offset):
            return name
    if _brand(head) in _HEIF_BRANDS:
        return "HEIF"
    # Something may stand before it (ISO 32000-1, Annex H, implementation note 13).
    return "PDF" if begins_as(head) is None and b"%PDF-" in head else None


def foreign_kind(head: bytes) -> Kind | None:
    """The kind of a file that is known and not served, by its first ``HEAD`` bytes; else None."""
    for offset, mark, kind in _MAGIC:
        if head.startswith(mark, offset):
            return kind
    if head[4:8] == b"ftyp":
        return _iso_media(_brand(head))
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
    if brand in (*_HEIF_BRANDS, *_AVIF_BRANDS):
        return None
    if brand == b"crx ":
        return Kind("a Canon camera raw file", DEVELOP)
    return Kind("a film", _FILM)


def _brand(head: bytes) -> bytes:
    """The brand of an ISO media file that tells its coding; empty for other files."""
    if head[4:8] != b"ftyp":
        return b""
    brand, length = head[8:12], int.from_bytes(head[:4], "big")
    if brand in (b"mif1", b"msf1"):  # then the compatible ones do (ISO 14496-12, 4.3)
        compatible = {head[at : at + 4] for at in range(16, min(length, len(head)), 4)}
        return next((one for one in _AVIF_BRANDS if one in compatible), brand)
    return brand

"""Krita's and OpenRaster's files: zip archives that hold the merged picture beside the layers.

OpenRaster's specification, "File Layout"; Krita keeps to it, with a ``maindoc.xml`` of its own.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import BinaryIO

from PIL import Image, ImageFile

from img2imgd.reader.kinds import COPY_AGAIN, EXPORT, NAMES, ZIP_ARCHIVE
from img2imgd.reader.protocol import ReaderLimits
from img2imgd.reader.unusable import Unusable
from img2imgd.reader.wholeness import find_flaw

_MERGED = "mergedimage.png"
_MARKS = {"KRA": "maindoc.xml", "ORA": "stack.xml"}  # told by, where no mimetype comes first
_ENCRYPTED = 1  # flag_bits; APPNOTE.TXT, 4.4.4
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_merged(file: BinaryIO, name: str, limits: ReaderLimits) -> ImageFile.ImageFile:
    """The merged picture of a file whose first bytes say KRA, ORA, or only ZIP; checked as whole.

    Raises:
        Unusable: it is another archive, damaged, or has no merged picture.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if name == "ZIP":
                name = _kind_of(archive)
            data = _unpacked(archive, name, limits.max_file_mb * 1_000_000)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise Unusable(f"is {NAMES[name]} that is damaged or cut off", COPY_AGAIN) from None
    merged = io.BytesIO(data)
    if flaw := find_flaw(merged, "PNG"):
        raise Unusable(f"holds a merged picture that is {flaw}", COPY_AGAIN)
    merged.seek(0)
    try:
        image = Image.open(merged, formats=("PNG",))
    except Image.UnidentifiedImageError:
        raise Unusable(f"holds a {_MERGED} that is no picture", EXPORT) from None
    image.format = name  # whoever looks at the file's own bytes meets no PNG
    return image


def _kind_of(archive: zipfile.ZipFile) -> str:
    names = archive.NameToInfo
    for kind, mark in _MARKS.items():
        if mark in names:
            return kind
    if "Document.archive" in names:
        raise Unusable("is a Procreate file, which is not read here", EXPORT)
    raise Unusable(f"is {ZIP_ARCHIVE.name}, which is not read here", ZIP_ARCHIVE.advice)


def _unpacked(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of the merged picture, at most so many."""
    member = archive.NameToInfo.get(_MERGED)
    if member is None:
        raise Unusable(
            f"is {NAMES[name]} without its merged picture ({_MERGED})",
            "Save it once more in the program that made it; "
            "its preview alone would be too small. Or export it as PNG.",
        )
    if member.flag_bits & _ENCRYPTED:
        raise Unusable("is protected with a password", "Save it without one.")
    too_large = Unusable(
        f"holds a merged picture of more than {most // 1_000_000:,} MB, the most read here",
        "Make it smaller, or raise `limits: max_file_mb` in the config.",
    )
    if member.file_size > most:
        raise too_large
    if member.compress_type not in _PACKINGS:
        raise Unusable("is packed in a way that is not read here", EXPORT)
    with archive.open(member) as packed:
        data = packed.read(most + 1)  # whatever its size was said to be
        if len(data) > most or packed.read(1):
            raise too_large
    return data

"""Opening a picture that somebody dropped: of a format served, within limits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# The plugins are named, so that Pillow has no reason to load the others.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from img2imgd.durable import is_environment
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader.files import storage_fault
from img2imgd.reader.kinds import (
    COPY_AGAIN,
    EXPORT,
    FORMATS,
    HEAD,
    Kind,
    begins_as,
    foreign_kind,
    is_text,
)
from img2imgd.reader.protocol import ReaderLimits, shown
from img2imgd.reader.wholeness import find_flaw

PLUGINS = (
    AvifImagePlugin, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin,
    PpmImagePlugin, TiffImagePlugin, WebPImagePlugin,
)  # fmt: skip

# A decoder thread costs address space by the processor, and one picture is read at a time.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# What Pillow's errors mean to the person who dropped the file.
_MEANT = {
    "is cut off": re.compile(r"truncat|EOF|end of (file|stream)|not enough", re.IGNORECASE),
    "holds a text or a colour profile that unpacks to far too much": re.compile(
        r"MAX_TEXT|Decompressed data too large"
    ),
}

_DNG_VERSION = 50706
_NEW_SUBFILE_TYPE = 254
_REDUCED = 1


@contextmanager
def opened(
    path: Path, file: BinaryIO, limits: ReaderLimits
) -> Generator[ImageFile.ImageFile, None, None]:
    """The picture in ``file``, header read, pixels not yet; ``path`` gives its name for messages.

    Whatever goes wrong while the picture is open, in Pillow or in the body of the ``with``, is
    raised as one of these:

    Raises:
        PictureError: no picture, damaged, or too large.
        EnvironmentFault: the storage under it fails.
        MemoryError: it does not fit into the memory of this process.
    """
    head = file.read(HEAD)
    _refuse_foreign(path, head)
    try:
        with _strict_pillow(limits), Image.open(file, formats=FORMATS) as image:
            _refuse_camera_raw(path, image)
            yield image
    except (PictureError, EnvironmentFault, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(path, limits) from None
    except UnidentifiedImageError:
        raise _unreadable(path, head) from None
    except Exception as fault:
        # The edge of one file: Pillow meets hostile bytes with nearly any exception.
        if is_environment(fault):
            raise storage_fault(path, fault) from fault
        raise _damaged(path, fault) from fault


def check_whole(path: Path, file: BinaryIO, format_name: str) -> None:
    """Refuse a picture that its container shows to be cut off or damaged.

    Raises:
        PictureError: it is.
    """
    if (flaw := find_flaw(file, format_name)) is not None:
        raise PictureError(f"{shown(path)} is {flaw}.", COPY_AGAIN)


@contextmanager
def _strict_pillow(limits: ReaderLimits) -> Generator[None, None, None]:
    """Pillow with the pixel limit as an error, and no other warnings."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limits.max_pixels, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _refuse_foreign(path: Path, head: bytes) -> None:
    if not any(head):
        raise PictureError(f"{shown(path)} holds nothing but zeros so far.", COPY_AGAIN)
    if (kind := foreign_kind(head)) is not None:
        raise _not_served(path, kind)


def _refuse_camera_raw(path: Path, image: ImageFile.ImageFile) -> None:
    """A DNG or NEF is a TIFF whose first picture is a thumbnail: nobody means that one."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if _DNG_VERSION in tags or tags.get(_NEW_SUBFILE_TYPE) == _REDUCED:
            raise _not_served(path, Kind("a camera raw file"))


def _not_served(path: Path, kind: Kind) -> PictureError:
    return PictureError(f"{shown(path)} is {kind.name}, which is not read here.", kind.advice)


def _unreadable(path: Path, head: bytes) -> PictureError:
    if (name := begins_as(head)) is not None:
        return PictureError(
            f"{shown(path)} begins as {_article(name)} {name} picture, and is damaged or cut off.",
            COPY_AGAIN,
        )
    if is_text(head):
        return PictureError(
            f"{shown(path)} holds text, not a picture.",
            "A sidecar's name ends in .yaml, .yml or .txt; a picture's name in .png, .jpg …",
        )
    return PictureError(
        f"{shown(path)} is no picture of a kind read here ({', '.join(FORMATS)}).", EXPORT
    )


def _article(name: str) -> str:
    return "an" if name == "AVIF" else "a"


def _damaged(path: Path, fault: Exception) -> PictureError:
    meant = (words for words, pattern in _MEANT.items() if pattern.search(str(fault)))
    return PictureError(f"{shown(path)} {next(meant, 'is damaged or cut off')}.", COPY_AGAIN)


def _too_many_pixels(path: Path, limits: ReaderLimits) -> PictureError:
    return PictureError(
        f"{shown(path)} has more than {limits.max_pixels:,} pixels, the most allowed here.",
        "Make it smaller, or raise `limits: max_pixels` in the config.",
    )

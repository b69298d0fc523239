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
    DEVELOP,
    EXPORT,
    FORMATS,
    HEAD,
    NAMES,
    SERVED,
    Kind,
    begins_as,
    foreign_kind,
    is_text,
    other_format,
)
from img2imgd.reader.protocol import ReaderLimits, shown
from img2imgd.reader.unusable import Unusable
from img2imgd.reader.wholeness import find_flaw

PLUGINS = (
    AvifImagePlugin, BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin,
    PpmImagePlugin, TiffImagePlugin, WebPImagePlugin,
)  # fmt: skip

# A decoder thread costs address space by the processor, and one picture is read at a time.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# What errors of Pillow and libheif mean to the person who dropped the file, and what to do.
_MEANT = (
    (re.compile(r"truncat|EOF|end of (file|stream)|not enough|insufficient data|extends beyond",
                re.IGNORECASE), "is cut off", COPY_AGAIN),
    (re.compile(r"MAX_TEXT|Decompressed data too large"),
     "holds a text or a colour profile that unpacks to far too much", COPY_AGAIN),
    (re.compile(r"unsupported (feature|codec)", re.IGNORECASE),
     "is coded in a way that is not read here", EXPORT),
)  # fmt: skip

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
        with _strict_pillow(limits), _open(file, head, limits) as image:
            _refuse_camera_raw(path, image)
            yield image
    except (PictureError, EnvironmentFault, MemoryError):
        raise
    except Unusable as fault:
        raise PictureError(f"{shown(path)} {fault}.", fault.advice) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(path, limits) from None
    except UnidentifiedImageError:
        raise _unreadable(path, head) from None
    except Exception as fault:
        # The edge of one file: Pillow meets hostile bytes with nearly any exception.
        if is_environment(fault):
            raise storage_fault(path, fault) from fault
        raise _damaged(path, head, fault) from fault


def check_whole(path: Path, file: BinaryIO, format_name: str) -> None:
    """Refuse a picture that its container shows to be cut off or damaged.

    Raises:
        PictureError: it is.
    """
    if (flaw := find_flaw(file, format_name)) is not None:
        raise PictureError(f"{shown(path)} is {flaw}.", COPY_AGAIN)


def _open(file: BinaryIO, head: bytes, limits: ReaderLimits) -> ImageFile.ImageFile:
    """The picture by the module for its format; most are never loaded."""
    file.seek(0)
    match other_format(head):
        case None:
            return Image.open(file, formats=FORMATS)
        case "PDF":
            from img2imgd.reader.pdf import PdfPages

            return PdfPages(file, limits.max_pixels)
        case "HEIF":
            from img2imgd.reader.heif import open_heif

            image = open_heif(file)
        case "PSD":
            from img2imgd.reader.photoshop import MergedImage

            image = MergedImage(file)
        case name:
            from img2imgd.reader.layered import open_merged

            image = open_merged(file, name, limits)
    if image.width * image.height > limits.max_pixels:
        raise Image.DecompressionBombError
    return image


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
            raise _not_served(path, Kind("a camera raw file", DEVELOP))


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
        f"{shown(path)} is no picture of a kind read here ({', '.join(SERVED)}).", EXPORT
    )


def _article(name: str) -> str:
    return "an" if name == "AVIF" else "a"


def _damaged(path: Path, head: bytes, fault: Exception) -> PictureError:
    meant = ((words, advice) for pattern, words, advice in _MEANT if pattern.search(str(fault)))
    words, advice = next(meant, ("is damaged or cut off", COPY_AGAIN))
    kind = NAMES.get(other_format(head) or "")
    what = f"{shown(path)}, {kind}," if kind else shown(path)
    return PictureError(f"{what} {words}.", advice)


def _too_many_pixels(path: Path, limits: ReaderLimits) -> PictureError:
    return PictureError(
        f"{shown(path)} has more than {limits.max_pixels:,} pixels, the most allowed here.",
        "Make it smaller, or raise `limits: max_pixels` in the config.",
    )

"""Opening a picture that somebody dropped: a regular file, of a format served, within limits."""

from __future__ import annotations

import errno
import os
import stat
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

from img2imgd.durable import ENVIRONMENT_ERRNOS
from img2imgd.errors import EnvironmentFault, PictureError
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

Opened = tuple[ImageFile.ImageFile, BinaryIO]

_DNG_VERSION = 50706
_NEW_SUBFILE_TYPE = 254
_REDUCED = 1


@contextmanager
def opened(
    path: Path, limits: ReaderLimits
) -> Generator[tuple[ImageFile.ImageFile, BinaryIO], None, None]:
    """The picture at ``path`` and its file, header read, pixels not yet.

    Whatever goes wrong while the picture is open, in Pillow or in the body of the ``with``, is
    raised as one of these:

    Raises:
        PictureError: no picture, damaged, too large, or nothing that can be opened.
        EnvironmentFault: the storage under it fails.
        MemoryError: it does not fit into the memory of this process.
    """
    with _open_file(path, limits) as file:
        head = file.read(HEAD)
        _refuse_foreign(path, head)
        try:
            with _strict_pillow(limits), Image.open(file, formats=FORMATS) as image:
                _refuse_camera_raw(path, image)
                yield image, file
        except (PictureError, EnvironmentFault, MemoryError):
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_many_pixels(path, limits) from None
        except UnidentifiedImageError:
            raise _unreadable(path, head) from None
        except Exception as fault:
            # The edge of one file: Pillow meets hostile bytes with nearly any exception.
            if isinstance(fault, OSError) and fault.errno in ENVIRONMENT_ERRNOS:
                raise _storage_fault(path, fault) from fault
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


def _open_file(path: Path, limits: ReaderLimits) -> BinaryIO:
    # O_NONBLOCK: a FIFO without a writer must not hold the reader.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as fault:
        raise _cannot_open(path, fault) from fault
    try:
        _check_file(path, os.fstat(descriptor), limits)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _check_file(path: Path, found: os.stat_result, limits: ReaderLimits) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(
            f"{shown(path)} is {_file_type(found.st_mode)}, not a file.",
            "Put the picture itself into the inbox.",
        )
    if found.st_size == 0:
        raise PictureError(f"{shown(path)} is empty (0 bytes).", COPY_AGAIN)
    if found.st_size > limits.max_file_mb * 1_000_000:
        raise PictureError(
            f"{shown(path)} has {found.st_size / 1e6:,.0f} MB;"
            f" at most {limits.max_file_mb:,} MB are read here.",
            "Make it smaller, or raise `limits: max_file_mb` in the config.",
        )


def _file_type(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"


def _cannot_open(path: Path, fault: OSError) -> PictureError | EnvironmentFault:
    name = shown(path)
    if fault.errno == errno.ELOOP:
        return PictureError(
            f"{name} is a symbolic link, and links are not followed.",
            "Put the picture itself into the inbox.",
        )
    if fault.errno in (errno.ENOENT, errno.ENOTDIR):
        return PictureError(f"{name} is not there any more.", "Put it into the inbox again.")
    if fault.errno in (errno.EACCES, errno.EPERM):
        return PictureError(
            f"{name} may not be read: permission denied.",
            "Let the daemon's user read it (chmod a+r), and put it into the inbox again.",
        )
    if fault.errno == errno.ENXIO:
        return PictureError(
            f"{name} is a socket or device, not a file.", "Put the picture itself into the inbox."
        )
    return _storage_fault(path, fault)


def _storage_fault(path: Path, fault: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"{path} cannot be read: {fault.strerror}.", "Look at the disk or share it lies on."
    )


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
            f"{shown(path)} begins as a {name} picture, and is damaged or cut off.", COPY_AGAIN
        )
    if is_text(head):
        return PictureError(
            f"{shown(path)} holds text, not a picture.",
            "A sidecar's name ends in .yaml, .yml or .txt; a picture's name in .png, .jpg …",
        )
    return PictureError(
        f"{shown(path)} is no picture of a kind read here ({', '.join(FORMATS)}).", EXPORT
    )


def _damaged(path: Path, fault: Exception) -> PictureError:
    detail = " ".join(str(fault).split())[:120] or type(fault).__name__
    return PictureError(f"{shown(path)} is damaged or cut off ({detail}).", COPY_AGAIN)


def _too_many_pixels(path: Path, limits: ReaderLimits) -> PictureError:
    return PictureError(
        f"{shown(path)} has more than {limits.max_pixels:,} pixels, the most allowed here.",
        "Make it smaller, or raise `limits: max_pixels` in the config.",
    )

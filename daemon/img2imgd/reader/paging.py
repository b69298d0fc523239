"""The pages of a document: how many it has, and one of them as a picture of its own."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from img2imgd.errors import PictureError
from img2imgd.reader.aspect import squared
from img2imgd.reader.colours import NotNumbers, forget_other_pages, to_rgb
from img2imgd.reader.kinds import COPY_AGAIN, EXPORT
from img2imgd.reader.opening import opened
from img2imgd.reader.preparing import write_png
from img2imgd.reader.protocol import Paged, ReaderLimits, shown
from img2imgd.reader.unusable import Unusable
from img2imgd.reader.wholeness import list_of_pages_is_cut

_NEW_SUBFILE_TYPE = 254
_NO_PAGE = 1 | 4  # a reduced version of another page, a mask (TIFF 6.0, section 8)
_MOST_PICTURES = 2000  # in a TIFF, with reduced ones and masks; each page is looked for among them
_AS_THEY_ARE = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what a PNG can hold
_LARGEST_PROFILE = PngImagePlugin.MAX_TEXT_CHUNK  # bytes; a PNG with a larger one is refused


def count_pages(path: Path, file: BinaryIO, limits: ReaderLimits) -> Paged:
    """How many pages a TIFF or PDF has; 1 for every other picture, also for a film.

    Raises:
        PictureError: it cannot be read; the message says why.
        EnvironmentFault: the storage under it fails.
    """
    with opened(path, file, limits) as image:
        pages = _pages(image)
        if image.format == "TIFF" and list_of_pages_is_cut(file):
            raise Unusable("is cut off: its list of pages has no end", COPY_AGAIN)
        return Paged(len(pages))


def extract_page(
    path: Path, file: BinaryIO, target: BinaryIO, page: int, limits: ReaderLimits
) -> Paged:
    """Write a page, counted from 0, into ``target`` as PNG, with the pixels that it has.

    Black and white stays 1 bit a pixel; what no PNG holds becomes sRGB, and so does what has a
    larger colour profile than is read of a PNG. PDF pages have the size that they have for the
    reader. The result is on disk at the end.

    Raises:
        PictureError: the page cannot be read; the message says why.
        EnvironmentFault: the target's disk, or the storage under the document, fails.
    """
    with opened(path, file, limits) as image:
        pages = _pages(image)
        image.seek(pages[page])
        forget_other_pages(image)
        if image.width * image.height > limits.max_pixels:
            raise Image.DecompressionBombError
        size = squared(image)
        profile = image.info.get("icc_profile")
        image.load()
        plain: Image.Image = image
        if image.mode not in _AS_THEY_ARE or (profile and len(profile) > _LARGEST_PROFILE):
            try:
                plain, _ = to_rgb(image)
            except NotNumbers:
                raise PictureError(
                    f"{shown(path)}, page {page + 1}, holds pixels that are not numbers.", EXPORT
                ) from None
            profile = None
        if image.format == "TIFF" and plain.size != size:
            smooth = plain.convert("L" if plain.mode == "1" else "RGB")
            plain = smooth.resize(size, Image.Resampling.BICUBIC)
    write_png(path, plain, target, icc_profile=profile)
    return Paged(len(pages))


def _pages(image: ImageFile.ImageFile) -> list[int]:
    """The frames that are pages of a document."""
    if image.format == "PDF":
        return list(range(int(getattr(image, "n_frames", 1))))
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.n_frames == 1:
        return [0]
    if image.n_frames > _MOST_PICTURES:
        raise Unusable(
            f"holds {image.n_frames:,} pictures; at most {_MOST_PICTURES:,} are read", "Split it."
        )
    pages: list[int] = []
    for frame in range(image.n_frames):
        image.seek(frame)
        kind = image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)
        if not (isinstance(kind, int) and kind & _NO_PAGE):
            pages.append(frame)
    image.seek(0)
    return pages or [0]

"""The two things asked of a picture: what its header tells, and a plain RGB copy of some size."""

from __future__ import annotations

import hashlib
import io
import os
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from PIL import ExifTags, Image, ImageFile, ImageOps

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.reader.aspect import squared
from img2imgd.reader.carriers import find_infotext, find_recipe
from img2imgd.reader.colours import NotNumbers, forget_other_pages, to_rgb
from img2imgd.reader.geometry import Placement, TooNarrowError, place
from img2imgd.reader.kinds import EXPORT
from img2imgd.reader.opening import check_whole, opened
from img2imgd.reader.protocol import PictureInfo, Prepared, ReaderLimits, SizeRule, shown
from img2imgd.reader.wholeness import has_zero_tail

if TYPE_CHECKING:
    from img2imgd.reader.paper import Drawing

_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_NOTED_LOSS = 0.05  # of the picture, cut off by rounding: more than nobody would see
_SHRINK_FIRST = 3.0  # a box filter brings it to three times the size, Lanczos does the rest
_LOOK = 2400  # pixels of the longer side that are enough to see what is drawn
_BLOCK = 1 << 20  # bytes read at a time
_FRAMES = "The first of its {} frames was used."
_PAGES = "The first of its {} pages was used (all are where an inbox says `pages: each`)."
_SEVERAL = {"TIFF": _PAGES, "PDF": _PAGES, "HEIF": "The main one of its {} pictures was used."}
_ENLARGED = 2.0  # what is drawn at any size is drawn at twice the size wanted, and shrunk
_MOST_ENLARGED = 35_000_000  # pixels of a page for the drawing on it: those of A4 at 600 dpi
_UNPACKED = ("BMP", "TIFF", "PPM", "PSD")  # no decoder can tell missing zeros from black


def inspect(path: Path, file: BinaryIO, limits: ReaderLimits) -> PictureInfo:
    """What a picture is, from its header; a PNG is read to its end, for text behind its pixels.

    Raises:
        PictureError: it cannot be read; the message says why.
        EnvironmentFault: the storage under it fails.
    """
    with opened(path, file, limits) as image:
        if image.format == "PNG":
            image.load()
        width, height = _size_seen(image)
        return PictureInfo(
            width=width,
            height=height,
            format=_format(image),
            frames=_frames(image),
            mode=image.mode,
            infotext=find_infotext(image),
            recipe=find_recipe(image),
        )


def prepare(
    path: Path, file: BinaryIO, target: BinaryIO, rule: SizeRule, limits: ReaderLimits
) -> Prepared:
    """Write a plain 8-bit RGB PNG of a picture into ``target``, of the size that the rule says.

    It is upright, in sRGB, on white, carries no metadata, and is on disk at the end.

    Raises:
        PictureError: it cannot be read or used at that size; the message says why.
        EnvironmentFault: the target's disk, or the storage under the picture, fails.
    """
    drawing = None if rule.prepare == "none" else _drawing(path, file, rule, limits)
    with opened(path, file, limits) as image:
        check_whole(path, file, _format(image))
        digest = _sha256(file)
        seen = _size_seen(image)
        placement = _placement(path, seen if drawing is None else drawing.size, rule, limits)
        notes = _container_notes(image, file)
        forget_other_pages(image)
        most = limits.max_pixels if drawing is None else _MOST_ENLARGED
        upright = _load_upright(image, placement, notes, most)
        rgb, colour_notes = _rgb(path, image, upright, seen)
        shows = seen
        if drawing is not None:
            from img2imgd.reader.paper import clean

            wanted = None if rule.size == "keep" else max(placement.size)
            rgb, shows = clean(rgb, seen, drawing, wanted), drawing.size
        result = _resized(rgb, placement, shows)
    write_png(path, result, target)
    notes += colour_notes
    if drawing is not None:
        notes += drawing.notes
    elif not isinstance(rule.size, tuple):
        notes += _loss_note(placement)
    return Prepared(
        *result.size,
        notes=tuple(notes),
        inside=placement.inside,
        original=placement.original,
        sha256=digest,
    )


def _drawing(path: Path, file: BinaryIO, rule: SizeRule, limits: ReaderLimits) -> Drawing | None:
    """What is drawn on the paper that the picture shows; None where it shows no such drawing.

    Only a look: a JPEG is read in less detail, and read again for its pixels.
    """
    file.seek(0)
    with opened(path, file, limits) as image:
        check_whole(path, file, _format(image))
        seen = _size_seen(image)
        if _format(image) == "JPEG":
            share = min(1.0, _LOOK / max(image.size))
            image.draft(None, (ceil(image.width * share), ceil(image.height * share)))
        rgb, _ = _rgb(path, image, _upright(image, []), seen)
        drawing = drawn_on(rgb, seen, rule)
    file.seek(0)
    return drawing


def drawn_on(image: Image.Image, seen: tuple[int, int], rule: SizeRule) -> Drawing | None:
    """What the rule keeps of a loaded picture, ``seen`` (width, height) pixels large."""
    from img2imgd.reader import paper  # numpy and scipy come with it

    sure = rule.prepare == "sketch"
    if not sure and paper.never_was_paper(image):
        return None
    look = paper.look_at(image, seen)
    return paper.find_drawing(look, seen, rule) if sure or paper.is_drawing(look) else None


def _rgb(
    path: Path, image: ImageFile.ImageFile, upright: Image.Image, seen: tuple[int, int]
) -> tuple[Image.Image, list[str]]:
    """A loaded picture's colours, in the shape that it is seen in, and notes on them.

    Raises:
        PictureError: its pixels are no numbers.
    """
    try:
        rgb, notes = to_rgb(upright)
    except NotNumbers:
        raise PictureError(
            f"{shown(path)} holds pixels that are not numbers (infinite, or not defined).", EXPORT
        ) from None
    if image.format == "TIFF" and rgb.size != seen:  # a fax's dots are no squares
        rgb = rgb.resize(seen, Image.Resampling.BICUBIC)
    return rgb, notes


def _sha256(file: BinaryIO) -> str:
    """Of the whole file; Pillow, which reads from it too, finds it where it was."""
    at = file.tell()
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(at)
    return digest.hexdigest()


def _format(image: ImageFile.ImageFile) -> str:
    # A JPEG with an embedded preview or gain map is still that JPEG.
    return "JPEG" if image.format == "MPO" else (image.format or "")


def _frames(image: ImageFile.ImageFile) -> int:
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def _size_seen(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height after the EXIF orientation, in square pixels."""
    width, height = image.size
    if image.format == "TIFF":
        return squared(image)  # Pillow turns a TIFF upright itself
    try:
        sideways = image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
    except Exception:  # noqa: BLE001 - broken EXIF makes Pillow raise anything; it is no loss here
        sideways = False
    return (height, width) if sideways else (width, height)


def _container_notes(image: ImageFile.ImageFile, file: BinaryIO) -> list[str]:
    notes: list[str] = []
    if (frames := _frames(image)) > 1:
        notes.append(_SEVERAL.get(_format(image), _FRAMES).format(frames))
    if image.format == "TIFF" and squared(image) != image.size:
        notes.append("Its resolutions across and down differ: it was stretched to its true shape.")
    if image.format in _UNPACKED and has_zero_tail(file):
        notes.append("The file ends in zeros: if a part of the picture is missing, copy it again.")
    return notes


def _placement(
    path: Path, size: tuple[int, int], rule: SizeRule, limits: ReaderLimits
) -> Placement:
    width, height = size
    try:
        placement = place(width, height, rule)
    except TooNarrowError as narrow:
        raise PictureError(
            f"{shown(path)} is {width}×{height}, too long and narrow: {narrow}.",
            "Crop it, or ask for `size: [width, height]` with `fit: contain`.",
        ) from None
    if placement.size[0] * placement.size[1] > limits.max_pixels:
        raise PictureError(
            f"{shown(path)} would become {placement.size[0]}×{placement.size[1]},"
            f" more than the {limits.max_pixels:,} pixels allowed here.",
            "Ask for a smaller `size`, or raise `limits: max_pixels` in the config.",
        )
    return placement


def _load_upright(
    image: ImageFile.ImageFile, placement: Placement, notes: list[str], most: int
) -> Image.Image:
    """The picture as it is seen.

    A JPEG's pixels are perhaps a half to an eighth, those of a PDF's page as many as are needed,
    within ``most``: all of the page is drawn so finely, be what is wanted a small part of it.
    """
    if (name := _format(image)) in ("JPEG", "PDF"):
        # The decoder may leave out detail that a much smaller result cannot show.
        left, top, right, bottom = placement.box
        scale = max(placement.inner[0] / (right - left), placement.inner[1] / (bottom - top))
        if name == "JPEG":
            share = min(1.0, scale * _SHRINK_FIRST)
        else:
            share = max(1.0, min(scale * _ENLARGED, sqrt(most / (image.width * image.height))))
        image.draft(None, (ceil(image.width * share), ceil(image.height * share)))
    return _upright(image, notes)


def _upright(image: ImageFile.ImageFile, notes: list[str]) -> Image.Image:
    """All pixels of the first frame, turned as the EXIF data say."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - the pixels are whole; only the EXIF data is not
        notes.append("Its EXIF data is broken, so it may lie on its side.")
        return image


def _resized(image: Image.Image, placement: Placement, seen: tuple[int, int]) -> Image.Image:
    """``image`` cropped, resized and padded; the box of ``placement`` counts in ``seen`` pixels."""
    across, down = image.width / seen[0], image.height / seen[1]
    left, top, right, bottom = placement.box
    box = (left * across, top * down, min(right * across, image.width),
           min(bottom * down, image.height))  # fmt: skip
    inner = image.resize(
        placement.inner, Image.Resampling.LANCZOS, box=box, reducing_gap=_SHRINK_FIRST
    )
    if placement.inner == placement.size:
        return inner
    paper = Image.new("RGB", placement.size, "white")
    paper.paste(inner, placement.inside[:2])
    return paper


def _loss_note(placement: Placement) -> list[str]:
    lost = 1 - placement.kept
    if lost < _NOTED_LOSS:
        return []
    width, height = placement.size
    return [f"{lost:.0%} of it was cut off at the edges, to make it {width}×{height}."]


def write_png(
    path: Path, image: Image.Image, target: BinaryIO, *, icc_profile: object = None
) -> None:
    """Write a picture without metadata into an open file, and see it on disk.

    Raises:
        EnvironmentFault: the disk does not take it.
    """
    image.info = {}
    encoded = io.BytesIO()
    profile = icc_profile if isinstance(icc_profile, bytes) else None
    image.save(encoded, "PNG", compress_level=1, icc_profile=profile)
    try:
        target.write(encoded.getvalue())
        target.flush()
        os.fsync(target.fileno())  # here, where a disk that hangs is noticed
    except OSError as fault:
        raise EnvironmentFault(
            f"The prepared copy of {shown(path)} cannot be written: {fault.strerror or fault}.",
            "Look at the space on the disk of its inbox.",
        ) from fault

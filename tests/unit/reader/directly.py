"""The reader's two questions, asked within the test's own process."""

from __future__ import annotations

from pathlib import Path

from img2imgd import durable
from img2imgd.reader import preparing
from img2imgd.reader.files import open_picture
from img2imgd.reader.protocol import PictureInfo, Prepared, ReaderLimits, SizeRule


def inspect(path: Path, limits: ReaderLimits) -> PictureInfo:
    """What a picture's header tells."""
    with open_picture(path, limits) as file:
        return preparing.inspect(path, file, limits)


def prepare(path: Path, target: Path, rule: SizeRule, limits: ReaderLimits) -> Prepared:
    """Write the plain RGB copy of a picture."""
    with open_picture(path, limits) as file, durable.writing(target) as prepared:
        return preparing.prepare(path, file, prepared, rule, limits)

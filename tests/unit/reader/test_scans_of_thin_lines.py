"""Scans in black and white, made as small as a model wants: lines stay, dots become a grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from directly import prepare
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from img2imgd.reader.protocol import ReaderLimits, SizeRule

SIZE = (2048, 3072)  # reduced to a quarter


def reduced(scan: Image.Image, folder: Path) -> NDArray[np.float64]:
    """Darkness from 0 to 1."""
    scan.save(folder / "scan.tif", compression="group4" if scan.mode == "1" else "tiff_lzw")
    prepare(folder / "scan.tif", folder / "out.png", SizeRule(768), ReaderLimits())
    with Image.open(folder / "out.png") as image:
        return 1 - np.asarray(image.convert("L"), np.float64) / 255


@pytest.mark.parametrize("mode", ["1", "L"])
def test_lines_of_two_pixels_are_neither_lost_nor_broken(mode: str, tmp_path: Path) -> None:
    scan = Image.new(mode, SIZE, 255)
    draw = ImageDraw.Draw(scan)
    for at in range(20):  # at every offset to the pixels of the result, and a little aslant
        draw.line([(60 + 97 * at, 200), (70 + 97 * at, 2800)], fill=0, width=2)
    dark = reduced(scan, tmp_path)
    drawn = (255 - np.asarray(scan.convert("L"), np.float64)).sum() / 255
    # Lanczos makes the paper beside a line lighter than white, which is cut off.
    assert 0.97 < dark.sum() * 16 / drawn < 1.2
    middle = dark[80:680]
    for at in range(20):
        left = (60 + 97 * at) // 4
        strongest = middle[:, left - 2 : left + 6].sum(axis=1)
        assert strongest.min() > 0.35  # two of four pixels are a half
        assert strongest.std() < 0.1


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_dithered_scan_becomes_an_even_grey(share: float, tmp_path: Path) -> None:
    grey = Image.new("L", SIZE, round(255 * (1 - share)))
    dark = reduced(grey.convert("1"), tmp_path)[20:-20, 20:-20]
    assert dark.mean() == pytest.approx(share, abs=0.02)
    assert dark.std() < 0.06

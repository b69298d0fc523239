"""Pictures as arrays: the types, and the few operations that several modules here need."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # height × width × 3, sRGB
Plane = NDArray[np.float32]  # height × width
Colours = NDArray[np.float32]  # height × width × 3
Mask = NDArray[np.bool_]  # height × width
Points = NDArray[np.float64]  # n × 2, x and y in pixels

ndimage: Any = importlib.import_module("scipy.ndimage")  # it comes without types


def homography(source: Points, target: Points) -> list[float]:
    """The eight numbers with which Pillow's PERSPECTIVE takes each ``source`` to its ``target``.

    Pillow looks up for each pixel of the result where it lies in the picture, so ``source`` are
    four points of the result, and ``target`` the same in the picture.
    """
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.asarray(rows), target.reshape(-1))
    return [float(value) for value in solved]

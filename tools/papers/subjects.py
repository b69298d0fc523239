"""What is drawn: lines, fills and hatched places of a few subjects."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Line = Sequence[Point]


@dataclass(frozen=True)
class Subject:
    """Lines and filled shapes (outline, colour) in parts of the sheet's width, from the top left.

    ``hatched`` are shapes that the medium shades.
    """

    lines: Sequence[Line]
    fills: Sequence[tuple[Line, tuple[float, float, float]]] = ()
    hatched: Sequence[Line] = ()


def _arc(x: float, y: float, radius: float, begin: float = 0, end: float = 360) -> list[Point]:
    steps = max(6, round(abs(end - begin) / 15))
    angles = [math.radians(begin + (end - begin) * i / steps) for i in range(steps + 1)]
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def house() -> Subject:
    """A house with a fence on a straight ground: it has upright and level lines."""
    wall = [(0.25, 0.45), (0.75, 0.45), (0.75, 0.9), (0.25, 0.9), (0.25, 0.45)]
    roof = [(0.18, 0.46), (0.5, 0.14), (0.82, 0.46), (0.18, 0.46)]
    door = [(0.45, 0.9), (0.45, 0.66), (0.57, 0.66), (0.57, 0.9)]
    panes = [[(x, 0.54), (x + 0.1, 0.54), (x + 0.1, 0.64), (x, 0.64), (x, 0.54)]
             for x in (0.31, 0.61)]  # fmt: skip
    fence = [[(x, 0.9), (x, 0.78)] for x in (0.02, 0.08, 0.14, 0.86, 0.92, 0.98)]
    sun = _arc(0.9, 0.14, 0.08)
    return Subject(
        [wall, roof, door, *panes, *fence, [(0, 0.9), (1, 0.9)], [(0.0, 0.82), (0.25, 0.82)],
         [(0.75, 0.82), (1.0, 0.82)], sun],
        [(wall, (0.92, 0.72, 0.45)), (roof, (0.75, 0.22, 0.18)), (sun, (0.98, 0.83, 0.2)),
         (door, (0.35, 0.25, 0.55))],
        [roof],
    )  # fmt: skip


def cat() -> Subject:
    """A cat: curves alone, nothing that is level or upright."""
    head, body = _arc(0.36, 0.34, 0.17), _arc(0.52, 0.70, 0.27, -130, 170)
    ears = [[(0.22, 0.25), (0.19, 0.06), (0.33, 0.17)], [(0.42, 0.18), (0.54, 0.09), (0.51, 0.27)]]
    tail = [(0.78, 0.78), (0.93, 0.7), (0.97, 0.52), (0.88, 0.41), (0.83, 0.46)]
    whiskers = [[(0.32, 0.40), (0.08, 0.33)], [(0.32, 0.42), (0.07, 0.45)],
                [(0.41, 0.41), (0.63, 0.37)], [(0.41, 0.43), (0.62, 0.49)]]  # fmt: skip
    eyes = [_arc(0.30, 0.31, 0.025), _arc(0.43, 0.32, 0.025)]
    return Subject(
        [head, body, *ears, tail, *whiskers, *eyes, _arc(0.37, 0.4, 0.03, 20, 170)],
        [(head, (0.95, 0.68, 0.35)), (body, (0.93, 0.6, 0.3))],
        [_arc(0.52, 0.70, 0.2)],
    )


def hills() -> Subject:
    """Hills at a slope, trees and a bird: the longest lines are slanted."""
    first = [(0, 0.62), (0.22, 0.33), (0.38, 0.52), (0.6, 0.22), (1.0, 0.7)]
    second = [(0, 0.85), (0.3, 0.7), (0.55, 0.78), (1.0, 0.66)]
    trees = [_arc(x, y, 0.06) for x, y in ((0.2, 0.66), (0.78, 0.6), (0.9, 0.62))]
    trunks = [[(x, y), (x + 0.01, y + 0.13)] for x, y in ((0.2, 0.72), (0.78, 0.66), (0.9, 0.68))]
    bird = [(0.7, 0.12), (0.75, 0.09), (0.78, 0.13), (0.82, 0.08), (0.88, 0.12)]
    return Subject(
        [first, second, *trees, *trunks, bird],
        [([*first, (1, 0.9), (0, 0.9)], (0.55, 0.68, 0.85)),
         *((tree, (0.2, 0.55, 0.3)) for tree in trees),
         ([*second, (1, 0.95), (0, 0.95)], (0.62, 0.8, 0.4))],
        [trees[0], trees[1]],
    )  # fmt: skip


def flower() -> Subject:
    """A flower with a bent stem."""
    petals = [_arc(0.5 + 0.16 * math.cos(a), 0.3 + 0.16 * math.sin(a), 0.1)
              for a in (0.3, 1.35, 2.4, 3.45, 4.5, 5.55)]  # fmt: skip
    stem = [(0.5, 0.42), (0.54, 0.6), (0.5, 0.8), (0.52, 1.05)]
    leaf = [(0.52, 0.72), (0.7, 0.6), (0.84, 0.62), (0.72, 0.74), (0.52, 0.78)]
    return Subject(
        [*petals, _arc(0.5, 0.3, 0.07), stem, leaf],
        [*((petal, (0.85, 0.3, 0.5)) for petal in petals), (leaf, (0.3, 0.6, 0.3))],
        [_arc(0.5, 0.3, 0.07)],
    )


SUBJECTS: dict[str, Callable[[], Subject]] = {
    draw.__name__: draw for draw in (house, cat, hills, flower)
}

"""What a job's contact sheet shows: which settings vary, so what is a row, a column, a heading.

Everything is told from the frames themselves. One setting that varies gives a row of tiles, to be
wrapped; two give a table, the inner one along the columns; each further one a table per value. Jobs
whose frames fill no such table (a value twice, prompts drawn frame by frame) get one row of tiles
that say all their values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from img2imgd.job import Frame
from img2imgd.outputs.captions import NUMBERS
from img2imgd.outputs.numbers import print_numbers
from img2imgd.request import Request

PROMPT = "prompt"

T = TypeVar("T")


@dataclass(frozen=True)
class Axis:
    """A setting that varies, and its values as they are printed, in order."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of tiles, each a frame's file or None where nothing was painted."""

    heading: str
    tiles: tuple[tuple[Path | None, ...], ...]


@dataclass(frozen=True)
class SheetPlan:
    """What to paint: several tables of the same columns and rows, or one row without a label.

    The input stands apart from tables (``input``), and in a single row it is the first tile.
    """

    title: str
    settings: str
    columns: Axis
    rows: Axis | None
    tables: tuple[Table, ...]
    input: Path | None = None
    input_first: bool = False

    @property
    def frame_count(self) -> int:
        """How many frames there are tiles for."""
        tiles = len(self.tables) * len(self.tables[0].tiles) * len(self.columns.labels)
        return tiles - self.input_first


@dataclass(frozen=True)
class _Varying:
    """A setting that varies: the place that each frame's value has among ``labels``."""

    name: str
    places: tuple[int, ...]
    labels: tuple[str, ...]


def plan_sheet(
    request: Request,
    frames: Sequence[Frame],
    paths: Mapping[int, Path],
    picture: str,
    input_path: Path | None = None,
    ignored: Collection[str] = (),
) -> SheetPlan:
    """The sheet of a job's ``frames``, whose files ``paths`` has by their index.

    ``picture`` is the input's name; ``input_path``, its prepared pixels, if it shall be a tile.
    ``ignored`` are settings that had no effect: they are not told.

    Raises:
        ValueError: no frames.
    """
    if not frames:
        raise ValueError("a contact sheet needs at least one frame")
    prompt = _prompts(frames)
    *outer, columns = _axes(request, frames, prompt)
    rows = outer.pop() if outer else None
    settings = _constants(request, frames, ignored)
    several_prompts = len(prompt.labels) > 1
    plan = SheetPlan(
        title=picture if several_prompts else _title(frames),
        settings=" · ".join(settings if several_prompts else [*settings, picture]),
        columns=Axis(columns.name, columns.labels),
        rows=Axis(rows.name, rows.labels) if rows else None,
        tables=_tables(outer, rows, columns, [paths.get(frame.index) for frame in frames]),
    )
    return plan if input_path is None else _with_input(plan, input_path)


def _axes(request: Request, frames: Sequence[Frame], prompt: _Varying) -> list[_Varying]:
    """Axes whose product the frames are, outermost first; else one that says everything."""
    names = dict.fromkeys(("style", "variation", *request.sweep, *NUMBERS))
    axes = [axis for name in names if len((axis := _varying(name, frames)).labels) > 1]
    if len(prompt.labels) > 1:
        axes = _with_prompts(axes, prompt)
    return axes if _is_product(axes) else [_flat(axes, frames)]


def _with_prompts(axes: list[_Varying], prompt: _Varying) -> list[_Varying]:
    """Prompts in the labels of the axis along which they change, else as the outermost axis."""
    for place, axis in enumerate(axes):
        pairs = set(zip(axis.places, prompt.places, strict=True))
        if _is_product(axes) and len(pairs) == len(axis.labels):
            told = (f"{axis.labels[value]} · {prompt.labels[of]}" for value, of in sorted(pairs))
            return [*axes[:place], replace(axis, labels=tuple(told)), *axes[place + 1 :]]
    return [prompt, *axes]


def _varying(name: str, frames: Sequence[Frame]) -> _Varying:
    """The values of one setting, printed; variations of one seed are told by their seeds."""
    first_seeds = [(frame.seed - frame.variation) % 2**32 for frame in frames]
    match name:
        case "style":
            return _distinct(name, [frame.style or "no style" for frame in frames], tuple)
        case "variation" if len(set(first_seeds)) == 1:
            return _distinct("seed", [frame.seed for frame in frames], print_numbers)
        case "variation":
            added = [f"seed + {frame.variation}".removesuffix(" + 0") for frame in frames]
            return _distinct(name, added, tuple)
        case "seed":
            return _distinct(name, first_seeds, print_numbers)
        case _:
            values: list[float] = [getattr(frame, name) for frame in frames]
            return _distinct(name.replace("_", " "), values, print_numbers)


def _title(frames: Sequence[Frame]) -> str:
    """The prompt, with the style if it has but one."""
    return frames[0].prompt if len({frame.style for frame in frames}) == 1 else frames[0].words


def _prompts(frames: Sequence[Frame]) -> _Varying:
    """The different prompts, without their styles where there are several of those."""
    several_styles = len({frame.style for frame in frames}) > 1
    texts = [frame.words if several_styles else frame.prompt for frame in frames]
    return _distinct(PROMPT, texts, tuple)


def _distinct(
    name: str, values: Sequence[T], print_all: Callable[[Sequence[T]], tuple[str, ...]]
) -> _Varying:
    """The different values, in order of appearance."""
    places: dict[T, int] = {}
    of_frames = tuple(places.setdefault(value, len(places)) for value in values)
    return _Varying(name, of_frames, print_all(list(places)))


def _is_product(axes: Sequence[_Varying]) -> bool:
    """True if there is exactly one frame for each combination of values, and something varies."""
    if not axes:
        return False
    points = list(zip(*(axis.places for axis in axes), strict=True))
    return len(set(points)) == len(points) == math.prod(len(axis.labels) for axis in axes)


def _flat(axes: Sequence[_Varying], frames: Sequence[Frame]) -> _Varying:
    """One value for each frame, which tells that of every axis."""
    labels = (
        " · ".join(axis.labels[axis.places[number]] for axis in axes)
        for number in range(len(frames))
    )
    return _Varying(
        " · ".join(axis.name for axis in axes), tuple(range(len(frames))), tuple(labels)
    )


def _constants(request: Request, frames: Sequence[Frame], ignored: Collection[str]) -> list[str]:
    """The settings that all frames share and that took effect, as people say them."""
    shared = {
        name: str(*axis.labels)
        for name in NUMBERS
        if name not in ignored and len((axis := _varying(name, frames)).labels) == 1
    }
    if len({frame.seed for frame in frames}) > 1:
        shared.pop("seed", None)  # of the first variation only
    told = {
        "strength": "strength {}",
        "guidance_scale": "guidance scale {}",
        "steps": "1 step" if shared.get("steps") == "1" else "{} steps",
        "seed": "seed {}",
    }
    words = [told[name].format(value) for name, value in shared.items()]
    return [*words, f"model {request.model}"]


def _tables(
    outer: Sequence[_Varying],
    rows: _Varying | None,
    columns: _Varying,
    files: Sequence[Path | None],
) -> tuple[Table, ...]:
    axes = [*outer, *([rows] if rows else []), columns]
    at = dict(zip(zip(*(axis.places for axis in axes), strict=True), files, strict=True))
    across = range(len(columns.labels))
    down = [(row,) for row in range(len(rows.labels))] if rows else [()]
    return tuple(
        Table(
            heading=" · ".join(map(_headed, outer, point)),
            tiles=tuple(tuple(at[*point, *row, column] for column in across) for row in down),
        )
        for point in itertools.product(*(range(len(axis.labels)) for axis in outer))
    )


def _with_input(plan: SheetPlan, path: Path) -> SheetPlan:
    if plan.rows:
        return replace(plan, input=path)
    (table,) = plan.tables
    (row,) = table.tiles
    return replace(
        plan,
        columns=replace(plan.columns, labels=("input", *plan.columns.labels)),
        tables=(replace(table, tiles=((path, *row),)),),
        input_first=True,
    )


def _headed(axis: _Varying, place: int) -> str:
    """A value in a heading; a number needs the name of its setting, a style or prompt does not."""
    label = axis.labels[place]
    return label if axis.name in (PROMPT, "style", "variation") else f"{axis.name} {label}"

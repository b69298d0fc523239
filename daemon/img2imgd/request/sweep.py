"""Sweep axes: how they are written, how many values they have, and the values, decimal-exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta, field

from img2imgd.document import Check, Refused, Settings

WHOLE = frozenset({"steps", "seed"})
"""Axes whose values are whole numbers."""

_SNAP = Decimal("0.01")
"""A step that misses the end by less than this share of itself was rounded (0.1667 for 1/6)."""

_PLACES = Decimal("0.000001")
"""Values that a count divides into are rounded to this; nobody reads more digits off a sheet."""

# Axis -> lowest, highest, whether the lowest itself is allowed. The same limits as the plain keys.
_LIMITS = {
    "strength": (0.0, 1.0, False),
    "guidance_scale": (0.0, 50.0, True),
    "steps": (1.0, 1000.0, True),
    "seed": (0.0, 2.0**32 - 1, True),
}


class Axis(Settings, frozen=True):
    """Values from ``from`` to ``to``, either every ``step`` or ``count`` of them."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "start": "from", "begin": "from", "min": "from", "end": "to", "stop": "to", "max": "to",
        "by": "step", "steps": "step", "n": "count", "num": "count",
    }  # fmt: skip

    start: float = field(name="from")
    to: float
    step: float | None = None
    count: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """An axis that goes somewhere, in either way of writing it."""
        axis = cls(**values)
        if (axis.step is None) == (axis.count is None):
            raise Refused("needs either step or count.", "Write {from: 0.1, to: 0.9, step: 0.1}, "
                          "or {from: 0.1, to: 0.9, count: 9}, or a list.")  # fmt: skip
        if axis.step == 0:
            raise Refused("a step of 0 never arrives.")
        if axis.count == 1 and axis.start != axis.to:
            raise Refused("a count of 1 cannot reach from one end to the other.")
        return axis


AxisKeys = Axis | tuple[float, ...] | None


def _list_or_range(value: Any) -> Any:
    if value is None or isinstance(value, list | dict):
        return value  # pyright: ignore[reportUnknownVariableType]
    raise Refused("must be a list of values, or {from: 0.1, to: 0.9, step: 0.1}.")


def _within_limits(name: str) -> Check:
    """The check of one axis."""
    low, high, closed = _LIMITS[name]

    def check(axis: AxisKeys) -> AxisKeys:
        if axis is None:
            return axis
        if axis == ():
            raise Refused("an empty list has no values.", "Leave the axis out.")
        given = axis if isinstance(axis, tuple) else (axis.start, axis.to)
        for value in given:
            if not (low <= value <= high) or (value == low and not closed):
                least = "at least" if closed else "more than"
                raise Refused(f"values must be {least} {low:.10g} and at most {high:.10g}; "
                              f"found {value:.10g}.")  # fmt: skip
        if name in WHOLE:
            _refuse_fractions(axis)
        return axis

    return Check(_list_or_range, check)


class SweepKeys(Settings, frozen=True):
    """The axes of a sweep, outermost first as written; several axes make a grid."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "cfg": "guidance_scale", "cfg_scale": "guidance_scale", "scale": "guidance_scale",
        "guidance": "guidance_scale", "denoise": "strength", "denoising_strength": "strength",
        "num_inference_steps": "steps",
    }  # fmt: skip

    strength: Annotated[AxisKeys, _within_limits("strength")] = None
    guidance_scale: Annotated[AxisKeys, _within_limits("guidance_scale")] = None
    steps: Annotated[AxisKeys, _within_limits("steps")] = None
    seed: Annotated[AxisKeys, _within_limits("seed")] = None
    _order: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The axes, remembering their order."""
        return cls(**values, _order=tuple(values))

    def axes(self) -> dict[str, Axis | tuple[float, ...]]:
        """The axes given, in the order they were written."""
        return {name: axis for name in self._order if (axis := getattr(self, name)) is not None}


def _refuse_fractions(axis: Axis | tuple[float, ...]) -> None:
    numbers = axis if isinstance(axis, tuple) else (axis.start, axis.to, axis.step or 0)
    if any(value % 1 for value in numbers):
        raise Refused("values must be whole numbers.")
    if isinstance(axis, Axis) and axis.count and axis.count - 1 > abs(axis.to - axis.start):
        raise Refused(f"there are no {axis.count:,} whole numbers from {axis.start:.10g} to "
                     f"{axis.to:.10g}.")  # fmt: skip


def count_values(name: str, axis: Axis | tuple[float, ...]) -> int:
    """How many values an axis has, without making them."""
    if isinstance(axis, tuple):
        return len(axis)
    if axis.count is not None:
        return axis.count
    return _strides(name, axis)[0] + 1


def expand(name: str, axis: Axis | tuple[float, ...]) -> tuple[int | float, ...]:
    """All values of an axis; sums are decimal, so 0.05 + 30 × 0.03 is 0.95 and not beside it."""
    if isinstance(axis, tuple):
        return tuple(_exact(name, _decimal(value)) for value in axis)
    start, end = _decimal(axis.start), _decimal(axis.to)
    if axis.count is not None:
        return _divide(name, start, end, axis.count)
    strides, reaches_end = _strides(name, axis)
    step = abs(_decimal(axis.step or 0.0)) * (1 if end >= start else -1)
    values = [start + step * stride for stride in range(strides + 1)]
    if reaches_end:
        values[-1] = end
    return tuple(_exact(name, value) for value in values)


def _strides(name: str, axis: Axis) -> tuple[int, bool]:
    """Strides from start to end, and whether the last one lands on the end itself."""
    exact = abs((_decimal(axis.to) - _decimal(axis.start)) / _decimal(axis.step or 0.0))
    near = exact.to_integral_value(ROUND_HALF_EVEN)
    tolerance = Decimal(0) if name in WHOLE else _SNAP
    if near and abs(exact - near) <= tolerance:  # else the end would replace the start
        return int(near), True
    return int(exact), False


def _divide(name: str, start: Decimal, end: Decimal, count: int) -> tuple[int | float, ...]:
    parts = max(count - 1, 1)
    places = Decimal(1) if name in WHOLE else _PLACES
    inner = [(start + (end - start) * part / parts).quantize(places) for part in range(count)]
    inner[0], inner[-1] = start, end
    return tuple(_exact(name, value) for value in inner)


def _decimal(value: float) -> Decimal:
    """The decimal that was written: Python's repr is the shortest that reads as this float."""
    return Decimal(repr(value))


def _exact(name: str, value: Decimal) -> int | float:
    return int(value) if name in WHOLE else float(value)

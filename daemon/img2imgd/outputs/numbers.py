"""Numbers in labels and names."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

_PLACES = 3  # decimals after which a value such as 1/3 is rounded


def print_numbers(values: Sequence[float]) -> tuple[str, ...]:
    """Numbers as people write them, all with as many decimals as the longest needs.

    Values that never end (1/3) are rounded to three decimals, or to more where they are that close
    to each other or to zero.
    """
    written = [Decimal(repr(value)).normalize() for value in values]
    places = max(0, *(-int(number.as_tuple().exponent) for number in written))
    if places > _PLACES:
        apart = {*written, Decimal(0)}
        places = next(
            fewer
            for fewer in range(_PLACES, places + 1)
            if len({f"{number:.{fewer}f}" for number in apart}) == len(apart)
        )
    return tuple(f"{number:.{places}f}" for number in written)

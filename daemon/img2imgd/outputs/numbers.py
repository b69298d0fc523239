"""Numbers in labels and names."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

_PLACES = 3  # decimals after which a value such as 1/3 is rounded
_MOST_PLACES = 6  # where it is rounded although it is then another's, or nothing


def print_numbers(values: Sequence[float]) -> tuple[str, ...]:
    """Numbers as people write them, all with as many decimals as the longest needs.

    Values that never end (1/3) are rounded to three decimals, or to as many as six where they are
    that close to each other or to zero.
    """
    written = [Decimal(repr(value)).normalize() for value in values]
    places = max(0, *(-int(number.as_tuple().exponent) for number in written))
    if places > _PLACES:
        apart = {*written, Decimal(0)}
        places = next(
            fewer
            for fewer in range(_PLACES, _MOST_PLACES + 1)
            if fewer == _MOST_PLACES
            or len({f"{number:.{fewer}f}" for number in apart}) == len(apart)
        )
    return tuple(f"{number:.{places}f}" for number in written)

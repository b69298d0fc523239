"""Numbers of bytes as people read them."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def in_words(count: int) -> str:
    """Bytes in decimal units, as the hub shows them: ``2.6 GB``, ``640 MB``, ``12 bytes``."""
    value = float(count)
    units = iter(_UNITS)
    unit = next(units)
    while value >= 999.5 and (larger := next(units, None)):
        value, unit = value / 1000, larger
    digits = 0 if unit == "bytes" or value >= 99.95 else 1
    return f"{value:.{digits}f} {unit}"

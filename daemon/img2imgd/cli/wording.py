"""Times and amounts as people say them."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``1 h 20 min``, ``2 d 3 h``: never more than two parts."""
    whole = max(round(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "min", 1, "s")
    whole = round(whole / _MINUTE) * _MINUTE
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(whole: int, large: int, name: str, small: int, name_small: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {name}" + (f" {rest} {name_small}" if rest else "")


def moment(iso: str, now: datetime) -> str:
    """A time of the report, here: ``20:17:05``, and ``24 Nov 20:17`` of another day."""
    here = datetime.fromisoformat(iso).astimezone(now.tzinfo)
    return f"{here:%H:%M:%S}" if here.date() == now.date() else f"{here.day} {here:%b %H:%M}"


def seconds_until(iso: str, now: datetime) -> float:
    """Seconds to a time of the report; negative for one that has passed."""
    return (datetime.fromisoformat(iso) - now).total_seconds()


def counted(number: int, one: str) -> str:
    """``1 frame``, ``2,000 frames``."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")

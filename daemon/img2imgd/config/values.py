"""Kinds of values in the config: durations, paths, addresses and the template of output names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from img2imgd.document import WRITTEN, Check, Refused

NAME_FIELDS = (
    "stem",
    "prompt",
    "index",
    "point",
    "seed",
    "strength",
    "style",
    "guidance_scale",
    "steps",
    "job",
)
"""What ``outputs.name`` may use; ``index`` is required, so that names sort in frame order."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([smhdw])")
_LISTEN = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}|\[[0-9a-fA-F:.]+\]")
_TEXT_FIELDS = frozenset({"stem", "prompt", "point", "style", "job"})


def _duration(value: Any) -> Any:
    """Seconds, from a number or from ``30m``, ``12h``, ``90d``."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        return float(match[1]) * _UNITS[match[2]]
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise Refused("must be seconds, or a number with s, m, h, d or w such as 90d.")


def _path(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise Refused("must name a folder or file.", "Leave the key out for the default.")
    return value


def _listen(value: Any) -> Any:
    if value is None or (isinstance(value, str) and re.fullmatch(r"unix:/.+", value)):
        return value
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 0 < int(match[1]) < 65_536:
        raise Refused("must be HOST:PORT or unix:/PATH.", "For this machine alone: 127.0.0.1:8765.")
    return value


def _host_name(value: Any) -> Any:
    if isinstance(value, str) and not _HOST_NAME.fullmatch(value):
        raise Refused("must be a name or address without a port, such as paint.example.lan.")
    return value.lower() if isinstance(value, str) else value


def _name_template(value: Any) -> Any:
    """A template whose every field is known and can be filled; nothing that reaches further."""
    if not isinstance(value, str):
        return value
    import string  # late: only configs that name a template need it

    if "/" in value or "\\" in value:
        raise Refused("a name cannot hold a slash.")
    try:
        parts = list(string.Formatter().parse(value))
        for _, field, spec, conversion in parts:
            if field is not None:
                _check_field(field, spec or "", conversion)
    except ValueError as error:
        raise Refused(f"this template cannot be filled: {error}.",
                     "Fields look like {stem}, {prompt:.40} or {index:02}.") from None  # fmt: skip
    if not any(field == "index" for _, field, _, _ in parts):
        raise Refused("needs {index}, so that names sort in the order of the frames.")
    return value


def _check_field(field: str, spec: str, conversion: str | None) -> None:
    if field not in NAME_FIELDS:
        raise Refused(f"there is no field {{{field}}}.", f"There are: {', '.join(NAME_FIELDS)}.")
    if conversion or re.search(r"\d{4}", spec) or "{" in spec:
        raise ValueError(f"{{{field}}} has a form that is not used here")
    sample: object = "x" if field in _TEXT_FIELDS else 7
    if field in ("strength", "guidance_scale"):
        sample = 0.5
    format(sample, spec)


_NUMBER_OR_TEXT = {WRITTEN: {"type": ["number", "string"], "minimum": 0}}

Duration = Annotated[float, Check(_duration), Meta(ge=0, extra_json_schema=_NUMBER_OR_TEXT)]
"""Seconds."""

Interval = Annotated[float, Check(_duration), Meta(gt=0, extra_json_schema=_NUMBER_OR_TEXT)]
"""Seconds, more than none."""

PathText = Annotated[str, Check(_path)]
Listen = Annotated[str | None, Check(_listen)]
HostName = Annotated[str, Check(_host_name)]
NameTemplate = Annotated[str, Check(_name_template), Meta(max_length=200)]

"""Request keys written as a sidecar again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from img2imgd.document.encoding import BREAKS_OF_YAML_1_1
from img2imgd.document.scalars import read_scalar
from img2imgd.request.keys import RequestKeys

if TYPE_CHECKING:
    import yaml

    Represent = Callable[[str, str, str | None], yaml.ScalarNode]


def sidecar_text(keys: RequestKeys) -> str:
    """A YAML sidecar that asks for the same, but for ``images``: it is for one picture."""
    import yaml  # late: the commands that write no sidecar start sooner without it

    class Dumper(yaml.SafeDumper):
        """Quotes what YAML 1.2 reads as a number and PyYAML's YAML 1.1 does not, such as 1e3."""

    def text(dumper: Dumper, value: str) -> yaml.ScalarNode:
        style = None if _stays_text(value) else '"'
        value = value.translate(BREAKS_OF_YAML_1_1)
        # types-PyYAML leaves the type of `value` open.
        represent = cast("Represent", dumper.represent_scalar)  # pyright: ignore[reportUnknownMemberType]
        return represent("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, text)
    plain = plain_keys(keys)
    return yaml.dump(plain, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=96)


def plain_keys(keys: RequestKeys) -> dict[str, Any]:
    """The keys as a sidecar has them, in plain values; without ``images``."""
    plain: dict[str, Any] = _given(msgspec.json.decode(msgspec.json.encode(keys)))
    plain.pop("images", None)
    if keys.sweep is not None:
        plain["sweep"] = {axis: plain["sweep"][axis] for axis in keys.sweep.axes()}
    if "style" in plain and len(plain["style"]) == 1:
        plain["style"] = plain["style"][0]
    return plain


def _given(value: Any) -> Any:
    """A value without open keys, wherever they are inside."""
    if isinstance(value, list):
        return [_given(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value).items()
    return {key: _given(inner) for key, inner in items if inner is not None}


def _stays_text(value: str) -> bool:
    try:
        return read_scalar(value) == value
    except ValueError:
        return False

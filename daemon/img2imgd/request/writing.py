"""Request keys written as a sidecar again."""

from __future__ import annotations

from typing import Any

from img2imgd.request.keys import RequestKeys


def sidecar_text(keys: RequestKeys) -> str:
    """A YAML sidecar that asks for the same, but for ``images``: it is for one picture."""
    import yaml  # late: the commands that write no sidecar start sooner without it

    plain: dict[str, Any] = keys.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"images"}
    )
    if keys.sweep is not None:
        plain["sweep"] = {axis: plain["sweep"][axis] for axis in keys.sweep.axes()}
    if "style" in plain and len(plain["style"]) == 1:
        plain["style"] = plain["style"][0]
    return yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=96)

"""JSON Schema, for editors that complete and check YAML while one types."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from img2imgd.document.settings import WRITTEN, Settings


def json_schema(model: type[Settings], title: str) -> dict[str, Any]:
    """The schema of documents that are validated against the model."""
    _, parts = msgspec.json.schema_components([model], ref_template="#/$defs/{name}")
    parts = _as_written(parts)
    top = parts.pop(model.__name__)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **top, "title": title, "$defs": parts}


def _as_written(node: Any) -> Any:
    """A part of a schema with what people may write for what it becomes, and no private fields."""
    if isinstance(node, list):
        return [_as_written(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    part = cast("dict[str, Any]", node)
    if WRITTEN in part:
        kept = {key: part[key] for key in ("description", "default") if key in part}
        part = {**kept, **part[WRITTEN]}
    return {key: _as_written(value) for key, value in part.items() if not key.startswith("_")}

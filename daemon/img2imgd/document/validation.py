"""A document against its model: every problem at once, in words, with line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

from pydantic import ValidationError

from img2imgd.document.reading import MAX_PROBLEMS, Document, Path
from img2imgd.document.settings import Settings
from img2imgd.document.wording import wording
from img2imgd.errors import DocumentError, Problem

Model = TypeVar("Model", bound=Settings)


def validate(document: Document, model: type[Model]) -> Model:
    """The document as an instance of the model.

    Raises:
        DocumentError: with all problems (at most 50), in the order of their lines.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found = [_problem(document, model, fault) for fault in error.errors(include_url=False)]
        problems = sorted(dict.fromkeys(found), key=lambda problem: problem.line)
        raise DocumentError(document.name, problems[:MAX_PROBLEMS]) from None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None when nothing is near."""
    folded = {name.lower(): name for name in known}
    begun = [full for full in folded if len(word) >= 3 and full.startswith(word.lower())]
    if len(begun) == 1:
        return folded[begun[0]]
    match = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def _problem(document: Document, model: type[Settings], fault: Any) -> Problem:
    path = _path_in(document.data, fault)
    line = document.line(path)
    key = ".".join(str(part) for part in path)
    around = _model_at(model, path[:-1])
    if fault["type"] == "extra_forbidden":
        message, advice = _unknown_key(str(path[-1]), around)
    else:
        message, advice = wording(fault, _bounds(around, path[-1] if path else ""))
    return Problem(message, line=line, key=key, advice=advice)


def _path_in(data: object, fault: Any) -> Path:
    """The error's location without pydantic's names of union members."""
    path: list[str | int] = []
    here = data
    for part in fault["loc"]:
        children = _children(here)
        if part in children:
            here = children[part]
        elif not (fault["type"] == "missing" and part == fault["loc"][-1]):
            continue
        path.append(part)
    return tuple(path)


def _children(value: Any) -> dict[str | int, object]:
    if isinstance(value, dict):
        return cast("dict[str | int, object]", value)
    return dict(enumerate(cast("list[object]", value))) if isinstance(value, list) else {}


def _unknown_key(word: str, model: type[Settings]) -> tuple[str, str]:
    known = [info.alias or name for name, info in model.model_fields.items()]
    folded = word.lower().replace("-", "_").replace(" ", "_")
    meant = model.synonyms.get(folded) or nearest(folded, known)
    if meant:
        return "there is no such key.", f"Did you mean `{meant}`?"
    return "there is no such key.", f"Valid here: {', '.join(known)}."


def _model_at(model: type[Settings], path: Path) -> type[Settings]:
    """The model of the mapping at a path; the outermost one where it is no model's."""
    here: list[Any] = [model]
    for part in path:
        here = [found for annotation in here for found in _inside(annotation, part)]
    models = [found for annotation in here for found in _models_in(annotation)]
    return models[0] if models else model


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """What an annotation says of one of its fields, keys or items."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        field = _field(annotation, part)
        return [] if field is None else [field]
    inner = get_args(annotation)
    if get_origin(annotation) in (list, tuple):
        return [*inner]
    if get_origin(annotation) is dict:
        return [inner[1]]
    return [found for choice in inner for found in _inside(choice, part)]


def _models_in(annotation: Any) -> list[type[Settings]]:
    """The models that a value itself may be, not those of its items."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    if get_origin(annotation) in (list, tuple, dict):
        return []
    return [model for choice in get_args(annotation) for model in _models_in(choice)]


def _field(model: type[Settings], key: str | int) -> Any:
    for name, info in model.model_fields.items():
        if key in (name, info.alias):
            return Annotated[info.annotation, *(info.metadata or [None])]
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """Every type and every piece of metadata inside an annotation."""
    yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)
    if get_origin(annotation) is Annotated:
        for piece in annotation.__metadata__:
            yield from getattr(piece, "metadata", [])


def _bounds(model: type[Settings], key: str | int) -> dict[str, float]:
    """The limits of a number's field, so that a message can name both ends: gt, ge, lt, le."""
    bounds: dict[str, float] = {}
    for piece in _parts(_field(model, key)):
        for limit in ("gt", "ge", "lt", "le"):
            value = getattr(piece, limit, None)
            if isinstance(value, int | float):
                bounds[limit] = value
    return bounds

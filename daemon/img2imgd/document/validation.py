"""A document against its model: every problem at once, in words, with line and key.

msgspec stops at the first error, so the tree is walked here, and msgspec converts one value at a
time.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

from img2imgd.document.reading import MAX_PROBLEMS, Document, Path
from img2imgd.document.settings import Check, Refused, Settings
from img2imgd.document.wording import wording
from img2imgd.errors import DocumentError, Problem

Model = TypeVar("Model", bound=Settings)
Kind = Any
"""A type as annotations name it; typing has no word for that."""


def validate(document: Document, model: type[Model]) -> Model:
    """The document as an instance of the model.

    Raises:
        DocumentError: with all problems (at most 50), in the order of their lines.
    """
    walk = _Walk(document)
    settings = walk.value(model, document.data, ())
    if walk.problems:
        problems = sorted(dict.fromkeys(walk.problems), key=lambda problem: problem.line)
        raise DocumentError(document.name, problems[:MAX_PROBLEMS])
    return settings


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None when nothing is near."""
    import difflib  # late: only mistakes need it

    folded = {name.lower(): name for name in known}
    begun = [full for full in folded if len(word) >= 3 and full.startswith(word.lower())]
    if len(begun) == 1:
        return folded[begun[0]]
    match = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else None


class _Walk:
    """One walk through a document, gathering problems; a value that has one becomes None."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def value(self, annotation: Kind, written: object, path: Path) -> Any:
        """What a value becomes in a field of this type."""
        checks = [piece for piece in _unwrapped(annotation)[1] if isinstance(piece, Check)]
        told = len(self.problems)
        try:
            value: Any = written
            for check in checks:
                value = check.before(value)
            value = self._fitted(annotation, value, path)
            for check in checks if len(self.problems) == told else ():
                value = check.after(value)
        except Refused as refused:
            self._tell(path, refused.message, refused.advice)
            return None
        return value

    def _fitted(self, annotation: Kind, value: Any, path: Path) -> Any:
        kind, metadata = _unwrapped(annotation)
        inner = get_args(kind)
        if get_origin(kind) in (Union, types.UnionType):
            members = [member for member in inner if member is not types.NoneType]
            if value is None and len(members) < len(inner):
                return None
            if member := _member(members, value):
                return self.value(member, value, path)
        elif _is_settings(kind) and isinstance(value, dict):
            return self._settings(kind, cast("dict[str, object]", value), path)
        elif get_origin(kind) is dict and isinstance(value, dict):
            items = cast("dict[str, object]", value).items()
            return {key: self.value(inner[1], item, (*path, key)) for key, item in items}
        elif _is_list(kind) and isinstance(value, list | tuple):
            listed = enumerate(cast("list[object]", value))
            return tuple(self.value(inner[0], item, self._item(path, at)) for at, item in listed)
        try:
            return msgspec.convert(value, annotation)
        except msgspec.ValidationError:
            raise Refused(*wording(kind, metadata, value)) from None

    def _settings(self, model: type[Settings], written: dict[str, object], path: Path) -> Any:
        told = len(self.problems)
        keys = _keys(model)
        values: dict[str, Any] = {}
        for key, value in written.items():
            if key in keys:
                values[keys[key].name] = self.value(keys[key].type, value, (*path, key))
            else:
                self._tell((*path, key), "there is no such key.", _meant(key, model))
        for key, field in keys.items():
            if field.required and key not in written:
                self._tell((*path, key), "this key is missing.")
        return model.of(values) if len(self.problems) == told else None

    def _item(self, path: Path, at: int) -> Path:
        """The place of a list's item; of the whole where a single value was written for a list."""
        here = (*path, at)
        return here if here in self.document.lines else path

    def _tell(self, path: Path, message: str, advice: str = "") -> None:
        key = ".".join(str(part) for part in path)
        self.problems.append(Problem(message, self.document.line(path), key, advice))


@cache
def _keys(model: type[Settings]) -> dict[str, msgspec.structs.FieldInfo]:
    """The model's fields by the keys people write."""
    fields = msgspec.structs.fields(model)
    return {field.encode_name: field for field in fields if not field.name.startswith("_")}


def _meant(word: str, model: type[Settings]) -> str:
    folded = word.lower().replace("-", "_").replace(" ", "_")
    known = _keys(model)
    meant = model.synonyms.get(folded) or nearest(folded, known)
    return f"Did you mean `{meant}`?" if meant else f"Valid here: {', '.join(known)}."


def _unwrapped(annotation: Kind) -> tuple[Kind, tuple[object, ...]]:
    """A type without its ``Annotated``, and what was annotated."""
    if get_origin(annotation) is Annotated:
        return annotation.__origin__, annotation.__metadata__
    return annotation, ()


def _member(members: list[Kind], value: object) -> Kind | None:
    """The member of a union that this value was meant for; None: it may be any of the scalars."""
    if len(members) == 1:
        return members[0]
    if isinstance(value, dict):
        return next(filter(_is_settings, members), None)
    if isinstance(value, list | tuple):
        return next(filter(_is_list, members), None)
    scalars = [member for member in members if not _is_settings(member) and not _is_list(member)]
    return scalars[0] if len(scalars) == 1 else None


def _is_settings(kind: Kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _is_list(kind: Kind) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis

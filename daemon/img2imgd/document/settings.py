"""The base of everything that a person fills in by hand, and what its fields may ask of a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import msgspec

WRITTEN = "_written"
"""Key of a field's ``extra_json_schema`` whose value stands for the field in the JSON Schema."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frozen values, checked by :func:`img2imgd.document.validate`, not when the class is called.

    Fields whose names begin with ``_`` are no keys: nobody can write them.
    """

    synonyms: ClassVar[Mapping[str, str]] = {}
    """Words other programs use for these keys, offered as "did you mean"."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """An instance of values that fit their fields, in the order they were written.

        The place for rules about several keys.

        Raises:
            Refused: the values do not go together.
        """
        return cls(**values)


class Refused(Exception):
    """Raised by a check; both texts reach the person as they are."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


def _unchanged(value: Any) -> Any:
    return value


class Check(msgspec.Struct, frozen=True):
    """A rule of a field, written into its ``Annotated``: returns the value to go on with.

    ``before`` sees a value as it was written, ``after`` as the field's type has it (or None). Both
    may raise :class:`Refused`. Several kinds of scalar in a union need a ``before`` that admits
    only those.
    """

    before: Callable[[Any], Any] = _unchanged
    after: Callable[[Any], Any] = _unchanged

"""The base of every model that a person fills in by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """Frozen, without unknown keys, and strict: a text is no number, and true is not 1."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=False,
        hide_input_in_errors=True,
    )  # fmt: skip

    synonyms: ClassVar[Mapping[str, str]] = {}
    """Words other programs use for these keys, offered as "did you mean"."""


def refuse(message: str, advice: str = "") -> PydanticCustomError:
    """The error for a validator to raise; both texts reach the person as they are."""
    return PydanticCustomError("refused", "{message}", {"message": message, "advice": advice})

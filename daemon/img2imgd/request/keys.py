"""The keys of a sidecar, of ``_defaults.yaml`` and of the config's ``defaults``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, PrivateAttr, Tag, field_validator

from img2imgd.document import Document, Settings, refuse, shortened
from img2imgd.request.gif import GifKeys
from img2imgd.request.sweep import SweepKeys

MAX_PROMPT = 10_000
"""Longest prompt in characters; models read about 77 tokens, the rest is kept in the metadata."""

MIN_SIDE, MAX_SIDE = 64, 8192
MAX_SEED = 2**32 - 1

Text = Annotated[str, Field(max_length=MAX_PROMPT)]
Strength = Annotated[float, Field(gt=0, le=1)]
Guidance = Annotated[float, Field(ge=0, le=50)]
Steps = Annotated[int, Field(ge=1, le=1000)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Variations = Annotated[int, Field(ge=1, le=1000)]
Fit = Literal["cover", "contain", "stretch"]
Size = int | tuple[int, int] | Literal["keep"]


def is_pattern(name: str) -> bool:
    """True for a glob such as ``*.png``, False for the name of one picture."""
    return any(sign in name for sign in "*?[")


def _size(value: Any) -> Any:
    """One side, a pair of sides, or ``keep``."""
    if value is None or value == "keep":
        return value
    is_pair = isinstance(value, list | tuple)
    sides: list[Any] = [*value] if is_pair else [value]
    whole = all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if not whole or len(sides) != (2 if is_pair else 1):
        raise refuse(
            "must be one side in pixels, a pair [width, height], or keep.",
            _size_advice(value),
        )
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
        raise refuse(f"sides must be from {MIN_SIDE} to {MAX_SIDE} pixels; found {_join(sides)}.")
    return tuple(sides) if is_pair else sides[0]


def _size_advice(value: object) -> str:
    pair = re.fullmatch(r"(\d+) *[x×*,] *(\d+)", value) if isinstance(value, str) else None
    return f"Write [{pair[1]}, {pair[2]}]." if pair else ""


def _join(values: list[Any]) -> str:
    return " × ".join(str(value) for value in values)


def _texts(value: Any) -> Any:
    """One text or a list of texts, as a tuple; pydantic reports what is no text."""
    if value is None:
        return None
    texts: list[Any] = [*value] if isinstance(value, list | tuple) else [value]
    for text in texts:
        if not isinstance(text, str):
            raise refuse("must be a text or a list of texts.", "Put numbers in quotes.")
    return tuple(texts)


def _image_names(value: Any) -> Any:
    """Names or globs in the sidecar's own folder: nothing that leads out of it, nothing hidden."""
    names = _texts(value)
    for name in names or ():
        if "/" in name or "\\" in name:
            raise refuse(
                f"“{shortened(name)}” names another folder; only pictures beside the sidecar can "
                "be listed.",
                "Put a sidecar into that folder.",
            )
        if not name.strip() or name.startswith("."):
            raise refuse(f"“{shortened(name)}” is hidden or empty; hidden files are never served.")
        if len(name.encode()) > 255:
            raise refuse(f"“{shortened(name)}” is longer than a file name can be.")
    if names is not None and not names:
        raise refuse("must name at least one picture.", "Leave the key out for the one beside it.")
    return names


_TextOrTexts = str | list[str]


def _gif(value: Any) -> Any:
    if value is None or isinstance(value, bool | dict | GifKeys):
        return value  # pyright: ignore[reportUnknownVariableType]
    raise refuse("must be true, false, or timing such as {duration: 400, loop: 0}.")


def _gif_form(value: object) -> str:
    return "switch" if isinstance(value, bool) else "timing"


GifChoice = Annotated[
    Annotated[bool, Tag("switch")] | Annotated[GifKeys, Tag("timing")], Discriminator(_gif_form)
]


@dataclass(frozen=True)
class Origin:
    """The document that keys were read from; that is no part of what they ask for, nor compared."""

    document: Document | None = field(default=None, compare=False, repr=False)


class RequestKeys(Settings):
    """What may be asked for a picture; every key may be absent (None).

    Layers of these are merged by :meth:`over` and settled by :func:`img2imgd.request.resolve`.
    """

    synonyms: ClassVar[Mapping[str, str]] = {
        "cfg": "guidance_scale", "cfg_scale": "guidance_scale", "scale": "guidance_scale",
        "guidance": "guidance_scale",
        "neg": "negative_prompt", "negative": "negative_prompt",
        "iterations": "n", "count": "n", "variations": "n", "batch": "n", "batch_size": "n",
        "num_images": "n", "num_images_per_prompt": "n",
        "denoise": "strength", "denoising": "strength", "denoising_strength": "strength",
        "num_inference_steps": "steps", "text": "prompt", "artist": "style", "styles": "style",
        "width": "size", "height": "size", "resolution": "size", "checkpoint": "model",
        "grid": "sheet", "contact_sheet": "sheet", "animation": "gif",
        "files": "images", "image": "images", "pictures": "images",
    }  # fmt: skip

    prompt: Text | None = Field(default=None, description="What the picture is to become.")
    negative_prompt: Text | None = Field(default=None, description="What to keep out of it.")
    style: Annotated[
        tuple[Text, ...] | None, BeforeValidator(_texts, json_schema_input_type=_TextOrTexts | None)
    ] = Field(default=None, description='Appended as " by STYLE"; a list gives a frame each.')
    strength: Strength | None = Field(
        default=None, description="How far to leave the original: near 0 keeps it, 1 ignores it."
    )
    guidance_scale: Guidance | None = Field(
        default=None,
        description="How strictly to follow the prompts; up to 1, the negative has no effect.",
    )
    steps: Steps | None = Field(default=None, description="Denoising steps; strength × steps run.")
    seed: Seed | None = Field(default=None, description="Fixes the noise; absent: drawn per job.")
    n: Variations | None = Field(default=None, description="Variations, with seed, seed + 1, …")
    size: Annotated[Size | None, BeforeValidator(_size)] = Field(
        default=None, description="Longest side in pixels, or [width, height], or keep."
    )
    fit: Fit | None = Field(default=None, description="How a picture fills [width, height].")
    model: str | None = Field(default=None, description="A name from the config's models table.")
    sweep: SweepKeys | None = Field(
        default=None, description="Settings to vary, a frame per value."
    )
    gif: Annotated[GifChoice | None, BeforeValidator(_gif)] = Field(
        default=None, description="An animation of the frames; absent: for sweeps along one axis."
    )
    sheet: bool | None = Field(default=None, description="A labelled contact sheet of all frames.")
    images: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(_image_names, json_schema_input_type=_TextOrTexts | None),
    ] = Field(default=None, description="Pictures beside the sidecar it is for: names or globs.")

    _origin: Origin = PrivateAttr(default=Origin())

    def read_from(self, document: Document) -> Self:
        """These keys, knowing the document they were read from, for errors that are found later."""
        self._origin = Origin(document)
        return self

    def origin(self, key: str) -> tuple[str, int]:
        """File and line of a key; an empty name and 0 where it was not read from a file."""
        document = self._origin.document
        return (document.name, document.line((key,))) if document else ("", 0)

    def over(self, base: RequestKeys) -> RequestKeys:
        """These keys, and the base's where these are absent; ``images`` is never inherited."""
        merged = {
            name: getattr(base, name) if (own := getattr(self, name)) is None else own
            for name in RequestKeys.model_fields
        }
        merged["images"] = self.images
        if isinstance(self.gif, GifKeys) and isinstance(base.gif, GifKeys):
            own = self.gif.model_dump(exclude_none=True)
            merged["gif"] = base.gif.model_copy(update=own)
        return RequestKeys.model_construct(**merged)


class DefaultKeys(RequestKeys):
    """Request keys that stand for many pictures: ``_defaults.yaml`` and the config's defaults."""

    @field_validator("images", mode="before")
    @classmethod
    def _no_images(cls, value: object) -> None:
        if value is not None:
            raise refuse("defaults hold for all pictures of a folder.",
                         "Leave this key out; list pictures in a sidecar.")  # fmt: skip


BUILT_IN = RequestKeys(
    strength=0.8,
    guidance_scale=9.0,
    steps=50,
    negative_prompt="disfigured, bad anatomy, low quality, ugly, tiling, poorly drawn hands, "
    "poorly drawn feet, out of frame",
    n=1,
    fit="cover",
)
"""The weakest layer of every request: the values of the article this program follows."""

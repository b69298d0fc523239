"""The keys of a sidecar, of ``_defaults.yaml`` and of the config's ``defaults``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import Meta, structs

from img2imgd.document import WRITTEN, Check, Document, Refused, Settings, shortened
from img2imgd.request.gif import GifKeys
from img2imgd.request.lists import ListFiles, Prompts, Text
from img2imgd.request.outputs import Format, Metadata, Quality, SheetKeys, flag_or_keys
from img2imgd.request.schedulers import SchedulerName
from img2imgd.request.styles import Styles
from img2imgd.request.sweep import SweepKeys

MIN_SIDE, MAX_SIDE = 64, 8192
MAX_SEED = 2**32 - 1
PLAIN = "plain"
MAX_GLOBS = 100  # in one list: each is compared with every picture of the folder


def _seed(value: Any) -> Any:
    if value == -1:
        raise Refused("-1 is A1111's word for a fresh one.", "Leave the key out for that.")
    return value


Strength = Annotated[float, Meta(gt=0, le=1)]
Guidance = Annotated[float, Meta(ge=0, le=50)]
Steps = Annotated[int, Meta(ge=1, le=1000)]
Seed = Annotated[int, Check(_seed), Meta(ge=0, le=MAX_SEED)]
Variations = Annotated[int, Meta(ge=1, le=1000)]
Fit = Literal["cover", "contain", "stretch"]
PromptSyntax = Literal["plain", "a1111", "compel"]
Prepare = Literal["none", "sketch", "auto"]
Size = int | tuple[int, int] | Literal["keep", "native"]


_SYNTAXES = {"automatic1111": "a1111", "auto1111": "a1111", "webui": "a1111", "none": PLAIN}


def _prompt_syntax(value: Any) -> Any:
    """The name of a syntax in any case, or another name for it."""
    folded = value.casefold() if isinstance(value, str) else value
    return _SYNTAXES.get(folded, folded) if isinstance(folded, str) else folded


def is_pattern(name: str) -> bool:
    """True for a glob such as ``*.png``, False for the name of one picture."""
    return any(sign in name for sign in "*?[")


def _size(value: Any) -> Any:
    """One side, a pair of sides, or a word."""
    if value is None or value in ("keep", "native"):
        return value
    is_pair = isinstance(value, list | tuple)
    sides: list[Any] = [*value] if is_pair else [value]
    whole = all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if not whole or len(sides) != (2 if is_pair else 1):
        raise Refused(
            "must be one side in pixels, a pair [width, height], keep, or native.",
            _size_advice(value),
        )
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
        raise Refused(f"sides must be from {MIN_SIDE} to {MAX_SIDE} pixels; found {_join(sides)}.")
    return tuple(sides) if is_pair else sides[0]


def _size_advice(value: object) -> str:
    pair = re.fullmatch(r"(\d+) *[x×*,] *(\d+)", value) if isinstance(value, str) else None
    return f"Write [{pair[1]}, {pair[2]}]." if pair else ""


def _join(values: list[Any]) -> str:
    return " × ".join(str(value) for value in values)


def _texts(value: Any) -> Any:
    """One text or a list of texts, as a tuple."""
    if value is None:
        return None
    texts: list[Any] = [*value] if isinstance(value, list | tuple) else [value]
    for text in texts:
        if not isinstance(text, str):
            raise Refused("must be a text or a list of texts.", "Put numbers in quotes.")
    return tuple(texts)


def _image_names(value: Any) -> Any:
    """Names or globs in the sidecar's own folder: nothing that leads out of it, nothing hidden."""
    names = _texts(value)
    for name in names or ():
        if "/" in name or "\\" in name:
            raise Refused(
                f"“{shortened(name)}” names another folder; only pictures beside the sidecar can "
                "be listed.",
                "Put a sidecar into that folder.",
            )
        if not name.strip() or name.startswith("."):
            raise Refused(f"“{shortened(name)}” is hidden or empty; hidden files are never served.")
        if len(name.encode()) > 255:
            raise Refused(f"“{shortened(name)}” is longer than a file name can be.")
    globs = sum(map(is_pattern, names or ()))
    if globs > MAX_GLOBS:
        raise Refused(
            f"has {globs:,} globs; at most {MAX_GLOBS} are taken.",
            "Write names, of which there may be any number, or globs that match more.",
        )
    if names is not None and not names:
        raise Refused("must name at least one picture.", "Leave the key out for the one beside it.")
    return names


_TEXT_OR_TEXTS = {
    WRITTEN: {
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
            {"type": "null"},
        ]
    }
}


class RequestKeys(Settings, frozen=True, dict=True):
    """What may be asked for a picture; every key may be absent (None).

    Layers of these are merged by :meth:`over` and settled by :func:`img2imgd.request.resolve`.
    """

    synonyms: ClassVar[Mapping[str, str]] = {
        "cfg": "guidance_scale", "cfg_scale": "guidance_scale", "scale": "guidance_scale",
        "guidance": "guidance_scale",
        "neg": "negative_prompt", "negative": "negative_prompt",
        "iterations": "n", "count": "n", "variations": "n", "batch": "n", "batch_size": "n",
        "num_images": "n", "num_images_per_prompt": "n", "n_iter": "n",
        "syntax": "prompt_syntax", "weights": "prompt_syntax", "prompt_weights": "prompt_syntax",
        "emphasis": "prompt_syntax", "weighting": "prompt_syntax",
        "denoise": "strength", "denoising": "strength", "denoising_strength": "strength",
        "num_inference_steps": "steps", "text": "prompt", "artist": "style", "styles": "style",
        "width": "size", "height": "size", "resolution": "size", "checkpoint": "model",
        "sampler": "scheduler", "sampler_name": "scheduler",
        "grid": "sheet", "contact_sheet": "sheet", "animation": "gif",
        "type": "format", "ext": "format", "extension": "format", "exif": "metadata",
        "original_size": "restore_size", "keep_size": "restore_size",
        "preparation": "prepare", "preprocess": "prepare",
        "files": "images", "image": "images", "pictures": "images",
    }  # fmt: skip

    prompt: Prompts = None
    negative_prompt: Annotated[Text | None, Meta(description="What to keep out of it.")] = None
    prompt_syntax: Annotated[
        PromptSyntax | None,
        Check(_prompt_syntax),
        Meta(description="How prompts and styles write weights: plain, a1111 or compel."),
    ] = None
    style: Styles = None
    strength: Annotated[
        Strength | None,
        Meta(description="How far to leave the original: near 0 keeps it, 1 ignores it."),
    ] = None
    guidance_scale: Annotated[
        Guidance | None,
        Meta(
            description="How strictly to follow the prompts; up to 1, the negative has no effect."
        ),
    ] = None
    steps: Annotated[Steps | None, Meta(description="Denoising; strength × steps run.")] = None
    seed: Annotated[Seed | None, Meta(description="Fixes the noise; absent: drawn per job.")] = None
    n: Annotated[Variations | None, Meta(description="Variations, with seed, seed + 1, …")] = None
    size: Annotated[
        Size | None,
        Check(_size),
        Meta(description="Longest side in pixels, [width, height], keep, or native: the model's."),
    ] = None
    fit: Annotated[Fit | None, Meta(description="How a picture fills [width, height].")] = None
    prepare: Annotated[
        Prepare | None,
        Meta(
            description="sketch: a drawing on paper is straightened, its paper made white and"
            " trimmed; auto: where it looks like one."
        ),
    ] = None
    model: Annotated[str | None, Meta(description="A name from the config's models table.")] = None
    scheduler: Annotated[
        SchedulerName | None, Meta(description="How noise is taken away; absent: as the model's.")
    ] = None
    sweep: Annotated[SweepKeys | None, Meta(description="What varies, a frame per value.")] = None
    gif: Annotated[
        bool | GifKeys | None,
        flag_or_keys("such as {format: webp, duration: 400}"),
        Meta(description="An animation of the frames; absent: for sweeps along one axis."),
    ] = None
    sheet: Annotated[
        bool | SheetKeys | None,
        flag_or_keys("such as {input: true}"),
        Meta(description="A labelled contact sheet of all; absent: for several frames."),
    ] = None
    format: Annotated[Format | None, Meta(description="png, jpeg or webp.")] = None
    quality: Annotated[Quality | None, Meta(description="Of JPEG and WebP, 1 to 100.")] = None
    metadata: Annotated[
        Metadata | None, Meta(description="In the outputs: full, minimal or none.")
    ] = None
    restore_size: Annotated[
        bool | None, Meta(description="Outputs are as large as the picture that was dropped.")
    ] = None
    images: Annotated[
        tuple[str, ...] | None,
        Check(_image_names),
        Meta(
            description="Pictures beside the sidecar it is for: names or globs.",
            extra_json_schema=_TEXT_OR_TEXTS,
        ),
    ] = None

    _document: ClassVar[Document | None] = None
    _lists: ClassVar[ListFiles | None] = None
    _passed_over: ClassVar[tuple[str, ...]] = ()

    def read_from(self, document: Document) -> Self:
        """These keys, knowing the document they were read from, for errors that are found later.

        The document is no part of what the keys ask for: it is not compared.
        """
        structs.force_setattr(self, "_document", document)
        return self

    def looking_in(self, lists: ListFiles) -> Self:
        """These keys, knowing where the lists that they name are looked up; not compared."""
        structs.force_setattr(self, "_lists", lists)
        return self

    def passing_over(self, words: Sequence[str]) -> Self:
        """These keys, knowing what beside them has no meaning here; not compared."""
        structs.force_setattr(self, "_passed_over", tuple(words))
        return self

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What was read beside the keys and has no meaning here."""
        return self._passed_over

    @property
    def lists(self) -> ListFiles | None:
        """Where lists are looked up; None: where those of the picture are."""
        return self._lists

    @property
    def has_prompt(self) -> bool:
        """True when these keys ask for something to be painted."""
        return bool(self.prompt.strip() if isinstance(self.prompt, str) else self.prompt)

    def origin(self, key: str) -> tuple[str, int]:
        """File and line of a key; an empty name and 0 where it was not read from a file."""
        return (self._document.name, self._document.line((key,))) if self._document else ("", 0)

    def over(self, base: RequestKeys) -> RequestKeys:
        """These keys, and the base's where these are absent; ``images`` is never inherited."""
        merged = {
            name: getattr(base, name) if (own := getattr(self, name)) is None else own
            for name in RequestKeys.__struct_fields__
        }
        merged["images"] = self.images
        if isinstance(self.gif, GifKeys) and isinstance(base.gif, GifKeys):
            merged["gif"] = structs.replace(base.gif, **self.gif.given())
        if isinstance(self.sheet, SheetKeys) and isinstance(base.sheet, SheetKeys):
            merged["sheet"] = structs.replace(base.sheet, **self.sheet.given())
        return RequestKeys(**merged)


def _no_images(value: object) -> None:
    if value is not None:
        raise Refused("defaults hold for all pictures of a folder.",
                      "Leave this key out; list pictures in a sidecar.")  # fmt: skip


class DefaultKeys(RequestKeys, frozen=True):
    """Request keys that stand for many pictures: ``_defaults.yaml`` and the config's defaults."""

    images: Annotated[
        tuple[str, ...] | None, Check(_no_images), Meta(description="Only for sidecars.")
    ] = None


BUILT_IN = RequestKeys(
    strength=0.8,
    guidance_scale=9.0,
    steps=50,
    negative_prompt="disfigured, bad anatomy, low quality, ugly, tiling, poorly drawn hands, "
    "poorly drawn feet, out of frame",
    prompt_syntax=PLAIN,
    n=1,
    fit="cover",
)
"""The weakest layer of every request: the values of the article this program follows."""

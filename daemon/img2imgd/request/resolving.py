"""Layers of keys to one request: the last checks, which need the config's models and limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from msgspec import structs

from img2imgd.document import nearest, shortened
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.gif import GifKeys
from img2imgd.request.keys import BUILT_IN, RequestKeys
from img2imgd.request.outputs import OutputSettings, SheetKeys, SheetSettings
from img2imgd.request.settled import Request
from img2imgd.request.sweep import count_values, expand

T = TypeVar("T")

_COUNTABLE = 10**12


def resolve(
    layers: Sequence[RequestKeys],
    *,
    default_model: str,
    models: Collection[str],
    draw_seed: Callable[[], int],
    max_frames: int,
    name: str,
    outputs: OutputSettings | None = None,
) -> Request:
    """Merge the layers (strongest first; the built-in defaults come last by themselves).

    ``name`` is the file to name in errors; keys that were read from it, or from another file, are
    named with their line. ``outputs`` holds where a request says nothing. A seed is drawn only
    where none was given.

    Raises:
        DocumentError: no prompt, an unknown model, or more frames than allowed; all at once.
    """
    keys = merge(layers)
    model = keys.model or default_model
    problems = [
        problem
        for problem in (
            _prompt_problem(keys),
            _model_problem(model, models, _Place(layers, "model", name)),
            _frames_problem(keys, max_frames, layers, name),
        )
        if problem
    ]
    if problems:
        raise DocumentError(name, sorted(problems, key=lambda problem: problem.line))
    return _settle(keys, model, draw_seed, outputs or OutputSettings())


class _Place:
    """Where a key was written: its line if in the file that errors name, else words for it."""

    def __init__(self, layers: Sequence[RequestKeys], key: str, name: str) -> None:
        givers = (layer for layer in layers if getattr(layer, key) is not None)
        file, line = next((giver.origin(key) for giver in givers), ("", 0))
        self.key = key
        self.line = line if file == name else 0
        self.elsewhere = f" It stands in {file}, line {line}." if file not in ("", name) else ""


def merge(layers: Sequence[RequestKeys]) -> RequestKeys:
    """All layers as one, strongest first, over the built-in defaults."""
    merged = BUILT_IN
    for layer in reversed(layers):
        merged = layer.over(merged)
    return merged


def _settle(
    keys: RequestKeys, model: str, draw_seed: Callable[[], int], outputs: OutputSettings
) -> Request:
    axes = keys.sweep.axes() if keys.sweep else {}
    sweep = {axis: expand(axis, values) for axis, values in axes.items()}
    swept = sweep.get("seed")
    drawn = keys.seed is None and swept is None
    given = int(swept[0]) if swept else keys.seed
    timing = outputs.gif
    if isinstance(keys.gif, GifKeys):
        timing = structs.replace(timing, **keys.gif.given())
    styles = tuple(" ".join(style.split()) for style in keys.style or ())
    return Request(
        prompt=(keys.prompt or "").strip(),
        negative_prompt=" ".join((keys.negative_prompt or "").split()),
        styles=() if styles == ("",) else styles,
        strength=_set(keys.strength),
        guidance_scale=_set(keys.guidance_scale),
        steps=_set(keys.steps),
        seed=draw_seed() if given is None else given,
        n=_set(keys.n),
        size=keys.size,
        fit=_set(keys.fit),
        model=model,
        scheduler=keys.scheduler,
        sweep=sweep,
        gif=None if keys.gif is False else timing,
        gif_asked=bool(keys.gif),
        sheet=_sheet(keys, outputs),
        format=keys.format or outputs.format,
        quality=keys.quality or outputs.quality,
        metadata=keys.metadata or outputs.metadata,
        restore_size=outputs.restore_size if keys.restore_size is None else keys.restore_size,
        seed_drawn=drawn,
    )


def _sheet(keys: RequestKeys, outputs: OutputSettings) -> SheetSettings | None:
    usual = outputs.sheet if isinstance(outputs.sheet, SheetSettings) else SheetSettings()
    if isinstance(keys.sheet, SheetKeys):
        return structs.replace(usual, **keys.sheet.given())
    wanted = outputs.sheet if keys.sheet is None else keys.sheet
    return usual if wanted else None


def _set(value: T | None) -> T:
    """A value that the built-in layer guarantees."""
    if value is None:
        raise AssertionError("the built-in defaults leave this key open")
    return value


def _prompt_problem(keys: RequestKeys) -> Problem | None:
    if keys.prompt and keys.prompt.strip():
        return None
    return Problem(
        "no prompt was given, here or in the folder's defaults.",
        key="prompt",
        advice="Write one, for example `prompt: a cottage by a lake at sunset`.",
    )


def _model_problem(model: str, models: Collection[str], place: _Place) -> Problem | None:
    if model in models:
        return None
    near = nearest(model, models)
    known = ", ".join(sorted(models))
    return Problem(
        f"the config has no model “{shortened(model)}”.{place.elsewhere}",
        line=place.line,
        key=place.key,
        advice=f"Did you mean `{near}`?" if near else f"It has: {known}.",
    )


def _frames_problem(
    keys: RequestKeys, max_frames: int, layers: Sequence[RequestKeys], name: str
) -> Problem | None:
    axes = keys.sweep.axes() if keys.sweep else {}
    factors = [count_values(axis, values) for axis, values in axes.items()]
    factors += [max(1, len(keys.style or ())), keys.n or 1]
    frames = math.prod(factors)
    if frames <= max_frames:
        return None
    told = f"{frames:,}" if frames < _COUNTABLE else "more than a million million"
    product = " × ".join(f"{factor:,}" for factor in factors if 1 < factor < _COUNTABLE)
    sum_of = f" ({product})" if " × " in product and frames < _COUNTABLE else ""
    place = _Place(layers, "sweep" if axes else "n", name)
    return Problem(
        f"this asks for {told} frames{sum_of}; at most {max_frames:,} are allowed."
        + place.elsewhere,
        line=place.line,
        key=place.key,
        advice="Take larger steps, fewer styles or variations, or raise limits.max_frames.",
    )

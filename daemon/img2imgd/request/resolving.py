"""Layers of keys to one request: the last checks, which need the config's models and limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TypeVar

from msgspec import structs

from img2imgd.document import nearest, shortened
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import MAX_OPTIONS, count_options
from img2imgd.request.gif import GifKeys
from img2imgd.request.keys import BUILT_IN, RequestKeys
from img2imgd.request.listed import Listed, listed_prompts, listed_styles
from img2imgd.request.lists import MAX_PROMPT, ListFiles, NoLists
from img2imgd.request.names import in_folder
from img2imgd.request.outputs import OutputSettings, SheetKeys, SheetSettings
from img2imgd.request.settled import Request
from img2imgd.request.styles import ADDS_NOTHING, PLACEHOLDER, Style, StyleTexts, one_line
from img2imgd.request.sweep import count_values, expand
from img2imgd.request.weights import refused_texts

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
    lists: ListFiles | None = None,
    folder: str = "",
) -> Request:
    """Merge the layers (strongest first; the built-in defaults come last by themselves).

    ``name`` is the file to name in errors; keys that were read from it, or from another file, are
    named with their line. ``outputs`` holds where a request says nothing. ``lists`` are those of
    the picture's folder, for layers that have none of their own; ``folder`` is its name, for texts
    that ask for it. A seed is drawn only where none was given.

    Raises:
        DocumentError: no prompt, an unknown model, a list that cannot be used, or more frames than
            allowed, all at once; or a prompt that a style makes too long, or with too many options,
            or with a weight that cannot be used.
    """
    keys = merge(layers)
    model = keys.model or default_model
    prompts = listed_prompts(keys.prompt, _lists_for(layers, "prompt", lists))
    styles = listed_styles(keys.style, _lists_for(layers, "style", lists))
    problems = [
        problem
        for problem in (
            _prompt_problem(keys),
            _listed_problem(prompts.problem, _Place(layers, "prompt", name)),
            _listed_problem(styles.problem, _Place(layers, "style", name)),
            _model_problem(model, models, _Place(layers, "model", name)),
            _frames_problem(keys, (prompts.count, styles.count), max_frames, layers, name),
        )
        if problem
    ]
    if problems:
        raise DocumentError(name, sorted(problems, key=lambda problem: problem.line))
    request = _settle(keys, prompts, styles, model, draw_seed, outputs or OutputSettings())
    request = _in_folder(request, folder) if folder else request
    if problem := _length_problem(request, layers, name) or _options_problem(request, layers, name):
        raise DocumentError(name, [problem])
    if problems := _weight_problems(request, layers, name):
        raise DocumentError(name, sorted(problems, key=lambda problem: problem.line))
    return request


def _lists_for(layers: Sequence[RequestKeys], key: str, lists: ListFiles | None) -> ListFiles:
    """The lists of the layer that gives a key."""
    giver = next((layer for layer in layers if getattr(layer, key) is not None), None)
    return (giver.lists if giver else None) or lists or NoLists()


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
    keys: RequestKeys,
    prompts: Listed[str],
    styles: Listed[Style],
    model: str,
    draw_seed: Callable[[], int],
    outputs: OutputSettings,
) -> Request:
    axes = keys.sweep.axes() if keys.sweep else {}
    sweep = {axis: expand(axis, values) for axis, values in axes.items()}
    swept = sweep.get("seed")
    drawn = keys.seed is None and swept is None
    given = int(swept[0]) if swept else keys.seed
    timing = outputs.gif
    if isinstance(keys.gif, GifKeys):
        timing = structs.replace(timing, **keys.gif.given())
    seed = draw_seed() if given is None else given
    prompt, *more_prompts = prompts.chosen(seed)
    styled = styles.chosen(seed)
    return Request(
        prompt=prompt,
        more_prompts=tuple(more_prompts),
        negative_prompt=one_line(keys.negative_prompt or ""),
        prompt_syntax=_set(keys.prompt_syntax),
        styles=tuple(style.name for style in styled),
        style_texts={style.name: style.texts for style in styled if style.name},
        strength=_set(keys.strength),
        guidance_scale=_set(keys.guidance_scale),
        steps=_set(keys.steps),
        seed=seed,
        n=_set(keys.n),
        size=None if keys.size == "native" else keys.size,
        fit=_set(keys.fit),
        prepare=keys.prepare or "none",
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


def _in_folder(request: Request, folder: str) -> Request:
    """The request with the name of its picture's folder where its texts ask for it."""
    return structs.replace(
        request,
        prompt=in_folder(request.prompt, folder),
        more_prompts=tuple(in_folder(text, folder) for text in request.more_prompts),
        negative_prompt=in_folder(request.negative_prompt, folder),
        styles=tuple(in_folder(style, folder) for style in request.styles),
        style_texts={
            in_folder(style, folder): StyleTexts(
                in_folder(texts.prompt, folder), in_folder(texts.negative_prompt, folder)
            )
            for style, texts in request.style_texts.items()
        },
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
    if keys.has_prompt:
        return None
    return Problem(
        "no prompt was given, here or in the folder's defaults.",
        key="prompt",
        advice="Write one, for example `prompt: a cottage by a lake at sunset`.",
    )


def _listed_problem(problem: Problem | None, place: _Place) -> Problem | None:
    """What is wrong with a list, where the key that names it stands."""
    if problem is None:
        return None
    message = problem.message + place.elsewhere
    return replace(problem, message=message, line=place.line, key=place.key)


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


def _length_problem(request: Request, layers: Sequence[RequestKeys], name: str) -> Problem | None:
    """A style may repeat the prompt: what is written in ten lines could fill the memory."""
    prompt, negative = max(map(len, request.prompts)), len(request.negative_prompt)
    for style in request.styles:
        adds = request.style_texts.get(style, ADDS_NOTHING)
        length = max(_joined_length(adds.prompt, prompt),
                     _joined_length(adds.negative_prompt, negative))  # fmt: skip
        if length > MAX_PROMPT:
            place = _Place(layers, "style", name)
            return Problem(
                f"with the style “{shortened(style)}” a prompt has up to {length:,} characters; at "
                f"most {MAX_PROMPT:,} are taken.{place.elsewhere}",
                line=place.line,
                key=place.key,
                advice="Shorten one of them.",
            )
    return None


def _options_problem(request: Request, layers: Sequence[RequestKeys], name: str) -> Problem | None:
    """Each frame draws from all options, so that their number is what a drawing costs."""
    adds = request.style_texts.values()
    texts = {
        "prompt": request.prompts,
        "negative_prompt": (request.negative_prompt,),
        "style": [text for style in adds for text in (style.prompt, style.negative_prompt)],
    }
    for key, templates in texts.items():
        most = max(map(count_options, templates), default=0)
        if most > MAX_OPTIONS:
            place = _Place(layers, key, name)
            return Problem(
                f"its choices have {most:,} options, those between bars as in {{oil|ink}}; at most "
                f"{MAX_OPTIONS:,} are taken in one text.{place.elsewhere}",
                line=place.line,
                key=place.key,
                advice="Put the texts into a list file, one a line, and name it with from.",
            )
    return None


def _weight_problems(request: Request, layers: Sequence[RequestKeys], name: str) -> list[Problem]:
    places = {key: (_Place(layers, key, name), why) for key, why in refused_texts(request).items()}
    return [
        Problem(why + place.elsewhere, line=place.line, key=key)
        for key, (place, why) in places.items()
    ]


def _joined_length(style: str, prompt: int) -> int:
    return len(style) + max(1, style.count(PLACEHOLDER)) * prompt


def _frames_problem(
    keys: RequestKeys,
    listed: tuple[int, int],
    max_frames: int,
    layers: Sequence[RequestKeys],
    name: str,
) -> Problem | None:
    axes = keys.sweep.axes() if keys.sweep else {}
    factors = [count_values(axis, values) for axis, values in axes.items()]
    factors += [*(max(1, count) for count in listed), keys.n or 1]
    frames = math.prod(factors)
    if frames <= max_frames:
        return None
    told = f"{frames:,}" if frames < _COUNTABLE else "more than a million million"
    product = " × ".join(f"{factor:,}" for factor in factors if 1 < factor < _COUNTABLE)
    sum_of = f" ({product})" if " × " in product and frames < _COUNTABLE else ""
    most = max(("prompt", listed[0]), ("style", listed[1]), ("n", keys.n or 1), key=itemgetter(1))
    place = _Place(layers, "sweep" if axes else most[0], name)
    return Problem(
        f"this asks for {told} frames{sum_of}; at most {max_frames:,} are allowed."
        + place.elsewhere,
        line=place.line,
        key=place.key,
        advice="Take larger steps, fewer styles, prompts or variations, or raise "
        "limits.max_frames.",
    )

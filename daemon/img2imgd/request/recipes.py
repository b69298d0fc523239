"""Requests as keys again, complete: what a recipe says, for a job or for one frame of it."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import structs

from img2imgd.request.drawing import literal
from img2imgd.request.gif import GifKeys
from img2imgd.request.keys import RequestKeys
from img2imgd.request.outputs import SheetKeys
from img2imgd.request.settled import Request
from img2imgd.request.styles import StyleKeys, text_style
from img2imgd.request.sweep import SweepKeys

_NOTHING = "{|}"  # a choice of nothing or nothing: an empty prompt would count as left out


class PlannedFrame(Protocol):
    """What of a frame its recipe needs; :class:`img2imgd.job.Frame` has it."""

    @property
    def prompt(self) -> str: ...
    @property
    def negative_prompt(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def strength(self) -> float: ...
    @property
    def guidance_scale(self) -> float: ...
    @property
    def steps(self) -> int: ...


def canonical_keys(request: Request) -> RequestKeys:
    """Keys that resolve to a request of the same frames and GIFs, whatever the folder's defaults.

    They need no list, and name every key that the request knows, but for a ``scheduler`` that is
    left to the config. Keys that a request has under the same name carry over by themselves.
    """
    same = {
        name: getattr(request, name)
        for name in RequestKeys.__struct_fields__
        if name in Request.__struct_fields__
    }
    return RequestKeys(**same | _written_otherwise(request))


def frame_keys(request: Request, frame: PlannedFrame) -> RequestKeys:
    """Keys for one frame alone, its prompts as they were drawn and styled."""
    return structs.replace(
        canonical_keys(request),
        prompt=literal(frame.prompt) or _NOTHING,
        negative_prompt=literal(frame.negative_prompt),
        style=(),
        strength=frame.strength,
        guidance_scale=frame.guidance_scale,
        steps=frame.steps,
        seed=frame.seed,
        n=1,
        sweep=SweepKeys.of({}),
        gif=False,
        sheet=False,
    )


def _written_otherwise(request: Request) -> dict[str, Any]:
    """The keys that a settled request holds in another form."""
    timing = structs.asdict(request.gif) if request.gif is not None and request.wants_gif else None
    sheet = structs.asdict(request.sheet) if request.sheet is not None else None
    return {
        "prompt": request.prompts if request.more_prompts else request.prompt,
        "style": tuple(_style(request, name) for name in request.styles),
        "size": "native" if request.size is None else request.size,
        "sweep": SweepKeys.of(request.sweep),
        "gif": False if timing is None else GifKeys(**timing),
        "sheet": False if sheet is None else SheetKeys(**sheet),
    }


def _style(request: Request, name: str) -> str | StyleKeys:
    """A style written out: its name alone could mean another in another folder."""
    texts = request.style_texts.get(name) or text_style(name)
    if not texts.prompt and not texts.negative_prompt:
        return name
    return StyleKeys(name, texts.prompt or None, texts.negative_prompt or None)

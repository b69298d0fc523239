"""How an animation plays: as written, with gaps, and as settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, structs

from img2imgd.document import Settings

Duration = Annotated[int, Meta(ge=20, le=60_000)]
Loop = Annotated[int, Meta(ge=0, le=65_535)]

_SYNONYMS = {
    "delay": "duration",
    "ms": "duration",
    "loops": "loop",
    "boomerang": "pingpong",
    "ping_pong": "pingpong",
}


class GifKeys(Settings, frozen=True):
    """Timing as a request writes it; what is absent comes from the config's ``outputs.gif``."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    duration: Annotated[Duration | None, Meta(description="Milliseconds per frame.")] = None
    loop: Annotated[Loop | None, Meta(description="How often it repeats; 0 is for ever.")] = None
    pingpong: Annotated[bool | None, Meta(description="Play to the end and back.")] = None

    def given(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {key: value for key, value in structs.asdict(self).items() if value is not None}


class GifSettings(Settings, frozen=True):
    """Timing with nothing left open: milliseconds per frame, repeats (0: for ever), and back."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    duration: Annotated[Duration, Meta(description="Milliseconds per frame.")] = 400
    loop: Annotated[Loop, Meta(description="How often it repeats; 0 is for ever.")] = 0
    pingpong: Annotated[bool, Meta(description="Play to the end and back.")] = False

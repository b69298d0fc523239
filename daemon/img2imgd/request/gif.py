"""How an animation is made and played: as written, with gaps, and as settled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import Meta, structs

from img2imgd.document import WRITTEN, Check, Refused, Settings

LONGEST_HOLD = 60_000  # milliseconds, as long as a frame's own duration may be


def _hold(value: Any) -> Any:
    """One time for both ends, or a pair [first, last]."""
    if value is None:
        return None
    times: list[Any] = [*value] if isinstance(value, list | tuple) else [value, value]
    whole = all(isinstance(time, int) and not isinstance(time, bool) for time in times)
    if not whole or len(times) != 2:
        raise Refused(
            "must be milliseconds for the first and the last frame, or a pair [first, last].",
            "Write 1000, or [0, 1000] to hold only the last.",
        )
    if not all(0 <= time <= LONGEST_HOLD for time in times):
        raise Refused(f"times must be from 0 to {LONGEST_HOLD} milliseconds.")
    return tuple(times)


def _refuse_two_tempos(values: Mapping[str, Any]) -> None:
    if values.get("duration") is not None and values.get("total") is not None:
        raise Refused(
            "duration (of each frame) and total (of all frames) cannot both be given.",
            "Leave one of them out.",
        )


_HOLD_WRITTEN = {
    WRITTEN: {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": LONGEST_HOLD},
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": LONGEST_HOLD},
                "minItems": 2,
                "maxItems": 2,
            },
            {"type": "null"},
        ]
    }
}

Format = Literal["gif", "webp", "apng"]
Duration = Annotated[int, Meta(ge=20, le=60_000)]
Total = Annotated[int, Meta(ge=20, le=600_000)]
Loop = Annotated[int, Meta(ge=0, le=65_535)]
Quality = Annotated[int, Meta(ge=1, le=100)]
MaxMb = Annotated[float, Meta(ge=0.1, le=1000)]
Side = Annotated[int, Meta(ge=64, le=8192)]
Hold = tuple[int, int]

_FORMAT = Meta(description="gif (256 colours, plays anywhere), webp (small) or apng (exact).")
_DURATION = Meta(description="Milliseconds per frame.")
_TOTAL = Meta(description="Milliseconds for one play of all frames, in place of duration.")
_LOOP = Meta(description="How often it repeats; 0 is for ever.")
_PINGPONG = Meta(description="Play to the end and back.")
_HOLD = Meta(
    description="Milliseconds the first and the last frame stay, or [first, last]; 0: as others.",
    extra_json_schema=_HOLD_WRITTEN,
)
_LABELS = Meta(description="Write what varies below each frame, such as: strength 0.35.")
_QUALITY = Meta(description="Of webp: 1 is small, 100 is lossless.")
_MAX_MB = Meta(description="Largest file; the animation is made smaller in pixels until it fits.")
_SIZE = Meta(description="Longest side of its frames in pixels; never enlarged.")

_SYNONYMS = {
    "delay": "duration", "ms": "duration", "frame_duration": "duration", "fps": "duration",
    "length": "total", "total_duration": "total",
    "loops": "loop", "repeat": "loop", "repeats": "loop",
    "boomerang": "pingpong", "ping_pong": "pingpong", "bounce": "pingpong", "yoyo": "pingpong",
    "pause": "hold", "freeze": "hold", "wait": "hold", "hold_first": "hold", "hold_last": "hold",
    "label": "labels", "captions": "labels", "caption": "labels", "text": "labels",
    "type": "format",
    "max_size": "max_mb", "max_bytes": "max_mb", "mb": "max_mb",
    "width": "size", "height": "size", "resolution": "size", "side": "size",
}  # fmt: skip


class GifKeys(Settings, frozen=True):
    """An animation as a request writes it; what is absent comes from ``outputs.gif``."""

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    format: Annotated[Format | None, _FORMAT] = None
    duration: Annotated[Duration | None, _DURATION] = None
    total: Annotated[Total | None, _TOTAL] = None
    loop: Annotated[Loop | None, _LOOP] = None
    pingpong: Annotated[bool | None, _PINGPONG] = None
    hold: Annotated[Hold | None, Check(_hold), _HOLD] = None
    labels: Annotated[bool | None, _LABELS] = None
    quality: Annotated[Quality | None, _QUALITY] = None
    max_mb: Annotated[MaxMb | None, _MAX_MB] = None
    size: Annotated[Side | None, _SIZE] = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The keys; both of duration and total are refused."""
        _refuse_two_tempos(values)
        return cls(**values)

    def given(self) -> dict[str, Any]:
        """The keys to replace in what lies below: those that have a value.

        ``duration`` replaces a ``total`` below it and the other way round, so None stands for the
        one that goes.
        """
        given = {key: value for key, value in structs.asdict(self).items() if value is not None}
        for tempo, other in (("duration", "total"), ("total", "duration")):
            if tempo in given:
                given.setdefault(other, None)
        return given


class GifSettings(Settings, frozen=True):
    """An animation with nothing left open.

    ``duration`` (milliseconds per frame) or ``total`` (milliseconds of one play, with the way back
    and the holds) is None. ``loop`` 0 repeats for ever. ``hold`` is for the first and the last
    frame, in milliseconds; ``size`` None leaves frames as large as they are.
    """

    synonyms: ClassVar[Mapping[str, str]] = _SYNONYMS

    format: Annotated[Format, _FORMAT] = "gif"
    duration: Annotated[Duration | None, _DURATION] = 400
    total: Annotated[Total | None, _TOTAL] = None
    loop: Annotated[Loop, _LOOP] = 0
    pingpong: Annotated[bool, _PINGPONG] = False
    hold: Annotated[Hold, Check(_hold), _HOLD] = (0, 0)
    labels: Annotated[bool, _LABELS] = False
    quality: Annotated[Quality, _QUALITY] = 90
    max_mb: Annotated[MaxMb, _MAX_MB] = 50.0
    size: Annotated[Side | None, _SIZE] = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The settings; both of duration and total are refused, neither means the default."""
        _refuse_two_tempos(values)
        settings = cls(**values)
        if settings.total is not None:
            return structs.replace(settings, duration=None)
        return (
            settings if settings.duration is not None else structs.replace(settings, duration=400)
        )

    @property
    def suffix(self) -> str:
        """The end of the file's name; an APNG is a PNG to every program that shows one."""
        return ".png" if self.format == "apng" else f".{self.format}"

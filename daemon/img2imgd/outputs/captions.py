"""What is written under each frame of an animation: what it has that the others have not."""

from __future__ import annotations

from collections.abc import Sequence

from img2imgd.job import Frame
from img2imgd.outputs.numbers import print_numbers

NUMBERS = ("strength", "guidance_scale", "steps", "seed")
"""What a frame has that is counted, in the order in which it is told."""


def captions(frames: Sequence[Frame]) -> tuple[str, ...]:
    """``strength 0.35``, ``hokusai · seed 188`` or a prompt; empty where nothing varies."""
    columns: list[Sequence[str]] = []
    if len({frame.words for frame in frames}) > 1:
        columns.append([frame.words for frame in frames])
    if len({frame.style for frame in frames}) > 1:
        columns.append([frame.style or "no style" for frame in frames])
    for name in NUMBERS:
        values: list[float] = [getattr(frame, name) for frame in frames]
        if len(set(values)) > 1:
            said = name.replace("_", " ")
            columns.append([f"{said} {value}" for value in print_numbers(values)])
    return tuple(" · ".join(parts) for parts in zip(*columns, strict=True)) or ("",) * len(frames)

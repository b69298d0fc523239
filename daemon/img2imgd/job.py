"""Jobs and frames: one picture × one request, and the images it becomes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from img2imgd.request import DrawnTexts, Request


class JobState(StrEnum):
    """Where a job stands; ``docs/operations.md`` draws the transitions."""

    CLAIMING = "claiming"  # the row is committed, its files are being moved to the spool
    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"  # every frame is staged; outputs are moving to the outbox
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REPLACED = "replaced"  # a later job took its place: of a newer save, or of the same files

    @property
    def ended(self) -> bool:
        """True when nothing more will be made for the job."""
        return self in ENDED


CANCELLED_FRAME = "cancelled"
"""The reason of a frame that is not painted because its job was cancelled."""

ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.REPLACED})


class FrameState(StrEnum):
    """Where a frame stands."""

    WAITING = "waiting"
    STAGED = "staged"  # whole and on disk in the outbox's staging folder
    PUBLISHED = "published"
    FAILED = "failed"


@dataclass(frozen=True)
class Frame:
    """One output image: a point of (prompt, style, variation, sweep axes).

    ``prompt`` and ``negative_prompt`` are as drawn and styled, ``words`` is the drawn prompt
    without the style; ``prompt_index`` counts the request's prompts from 0. ``steps`` is what was
    asked, ``effective_steps`` what runs: ``int(steps * strength)``, at least one. ``painted_by`` is
    the index of the first frame with the same pixels (its own, usually).
    """

    index: int
    prompt_index: int
    style: str
    variation: int
    prompt: str
    negative_prompt: str
    words: str
    seed: int
    strength: float
    guidance_scale: float
    steps: int
    effective_steps: int
    painted_by: int


def new_job_id(now: datetime | None = None) -> str:
    """A unique id that sorts by time of claim: ``20261122T221957-3f9a2c41``."""
    moment = now or datetime.now(UTC)
    return f"{moment:%Y%m%dT%H%M%S}-{os.urandom(4).hex()}"


def effective_steps(steps: int, strength: float) -> int:
    """Steps that img2img really runs: ``int(steps * strength)``, never fewer than one."""
    return max(1, min(int(steps * strength), steps))


def plan_frames(request: Request) -> tuple[Frame, ...]:
    """All frames of a request in their order: prompt, style, variation, then the sweep axes.

    Variation ``v`` has seed ``seed + v`` (modulo 2**32); prompts and styles share seeds. Frames
    that would run the same steps of the same prompts, seed and guidance point to the first of them.
    """
    axes = list(request.sweep)
    points = [
        dict(zip(axes, point, strict=True)) for point in itertools.product(*request.sweep.values())
    ]
    painted: dict[tuple[object, ...], int] = {}
    frames: list[Frame] = []
    for prompt_index, style, variation in itertools.product(
        range(len(request.prompts)), request.styles or ("",), range(request.n)
    ):
        texts = request.drawn(request.prompts[prompt_index], style, variation)
        for at in points:
            frame = _frame(request, prompt_index, style, variation, texts, at, index=len(frames))
            same = (frame.prompt, frame.negative_prompt, frame.seed, frame.guidance_scale,
                    frame.steps, frame.effective_steps)  # fmt: skip
            frames.append(replace(frame, painted_by=painted.setdefault(same, frame.index)))
    return tuple(frames)


def morphs(frames: Sequence[Frame]) -> list[list[Frame]]:
    """The frames that belong to one motion: those of a prompt, style and variation.

    Where that leaves one frame each, the prompts, styles or variations are the motion.
    """
    groups: dict[tuple[int, str, int], list[Frame]] = {}
    for frame in frames:
        groups.setdefault((frame.prompt_index, frame.style, frame.variation), []).append(frame)
    lists = list(groups.values())
    return [list(frames)] if all(len(group) == 1 for group in lists) else lists


def equal_strengths_note(request: Request) -> str:
    """That strengths of a sweep are too near to each other to give a picture each; or ""."""
    strengths = set(request.sweep.get("strength", ()))
    for steps in sorted({int(steps) for steps in request.sweep.get("steps", (request.steps,))}):
        if len({effective_steps(steps, strength) for strength in strengths}) < len(strengths):
            frames = plan_frames(request)
            different = len({frame.painted_by for frame in frames})
            shown = f"{different} different pictures" if different > 1 else "the same picture"
            return (
                f"The {len(frames)} frames show {shown}: with {steps} steps, a strength is rounded "
                f"down to a multiple of {1 / steps:.2g}."
            )
    return ""


def _frame(
    request: Request,
    prompt_index: int,
    style: str,
    variation: int,
    texts: DrawnTexts,
    at: dict[str, int | float],
    index: int,
) -> Frame:
    steps = int(at.get("steps", request.steps))
    strength = at.get("strength", request.strength)
    return Frame(
        index=index,
        prompt_index=prompt_index,
        style=style,
        variation=variation,
        prompt=texts.prompt,
        negative_prompt=texts.negative_prompt,
        words=texts.words,
        seed=(int(at.get("seed", request.seed)) + variation) % 2**32,
        strength=strength,
        guidance_scale=at.get("guidance_scale", request.guidance_scale),
        steps=steps,
        effective_steps=effective_steps(steps, strength),
        painted_by=index,
    )

"""What the page's API answers, as plain values; JSON is made of them as they are.

Times are ISO 8601 in UTC, durations seconds, texts raw: whoever shows them makes them harmless.
Names that are no UTF-8 come escaped. URLs are percent-encoded.
"""

from __future__ import annotations

from typing import Any

import msgspec

from img2imgd.status import iso
from img2imgd.status.cards import Kind, Phase


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a few words. ``kind``: one frame, a sweep along one axis, or any other set."""

    id: str
    picture: str
    inbox: str
    prompt: str
    claimed_at: str
    frames: int
    kind: Kind


class RunningCard(Card, frozen=True, kw_only=True):
    """A job at work. ``seconds_left`` is None until enough steps have run to tell.

    ``cancelling``: it ends with what is painted.
    """

    steps: int
    steps_done: int
    frames_done: int
    phase: Phase
    why: str
    cancelling: bool
    seconds_left: float | None
    input: str
    preview: str | None


class QueuedCard(Card, frozen=True, kw_only=True):
    """A job that waits; ``why`` is empty where only its turn has not come."""

    position: int
    why: str


class UnavailableInbox(msgspec.Struct, frozen=True):
    """An inbox that cannot be served now."""

    inbox: str
    why: str


class WaitingItem(msgspec.Struct, frozen=True):
    """A file that lies in an inbox and is not claimed."""

    inbox: str
    file: str
    why: str
    until: str | None = None


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon is doing."""

    version: str
    host: str
    pid: int | None
    paused_since: str | None
    model: str
    device: str
    loading: str
    waits_for: str
    unavailable: tuple[UnavailableInbox, ...]
    counts: dict[str, int]
    running: tuple[RunningCard, ...]
    queued: tuple[QueuedCard, ...]
    queued_total: int
    waiting: tuple[WaitingItem, ...]
    waiting_total: int
    free_bytes: int | None
    not_reloaded: str = ""


class Result(Card, frozen=True, kw_only=True):
    """A job that published something: ``kept`` of its frames.

    ``gone``: somebody has taken it out of the outbox.
    """

    ended_at: str | None
    state: str
    kept: int
    thumb: str
    thumb_size: tuple[int, int] | None
    notes: tuple[str, ...]
    gone: bool


class Failure(Card, frozen=True, kw_only=True):
    """A job that published nothing. ``ordered``: a retry waits to be done.

    ``correct`` is the sidecar that was refused, by its path below failed; empty for other reasons.
    """

    ended_at: str | None
    state: str
    thumb: str | None
    reason: str
    advice: str
    correct: str
    retry: bool
    retry_why: str
    ordered: bool


class Results(msgspec.Struct, frozen=True):
    """Some results, newest first; ``next`` is the cursor of those that follow."""

    items: tuple[Result, ...]
    next: str | None
    total: int


class Failures(msgspec.Struct, frozen=True):
    """Some failures, newest first."""

    items: tuple[Failure, ...]
    next: str | None
    total: int


class FrameView(msgspec.Struct, frozen=True, kw_only=True):
    """One output image. Frames of one ``group`` are one morph."""

    index: int
    state: str
    reason: str
    label: str
    seed: int
    strength: float
    guidance_scale: float
    steps: int
    style: str
    prompt: str
    name: str
    url: str | None
    view: str | None
    thumb: str | None
    group: int


class Axis(msgspec.Struct, frozen=True):
    """What a sweep varies."""

    key: str
    values: tuple[int | float, ...]


class AnimationFile(msgspec.Struct, frozen=True):
    """An animation in the outbox."""

    url: str
    format: str
    bytes: int


class SheetFile(msgspec.Struct, frozen=True):
    """The contact sheet in the outbox."""

    url: str
    bytes: int


class JobView(Card, frozen=True, kw_only=True):
    """All about one job. ``size`` is (width, height) of its outputs in pixels, once looked at."""

    state: str
    ended_at: str | None
    started_at: str | None
    seconds: float | None
    attempts: int
    reason: str
    advice: str
    correct: str
    notes: tuple[str, ...]
    published: str
    gone: bool
    retry: bool
    retry_why: str
    ordered: bool
    input: str
    input_thumb: str
    size: tuple[int, int] | None
    sidecar: str
    settings: tuple[tuple[str, str], ...]
    axes: tuple[Axis, ...]
    frames_list: tuple[FrameView, ...]
    animations: tuple[AnimationFile, ...]
    sheet: SheetFile | None


class DropInbox(msgspec.Struct, frozen=True):
    """An inbox that pictures can be dropped into; ``defaults`` hold where a drop says nothing."""

    index: int
    name: str
    mode: str
    prompt_default: bool
    defaults: dict[str, Any]


class DropForm(msgspec.Struct, frozen=True):
    """What a form for a drop is made from."""

    inboxes: tuple[DropInbox, ...]
    models: tuple[str, ...]
    schema: dict[str, Any]
    max_file_mb: float
    accept: str


class ProblemView(msgspec.Struct, frozen=True):
    """One thing that is wrong with the settings of a drop."""

    key: str
    message: str
    advice: str


class Checked(msgspec.Struct, frozen=True):
    """What settings would make: problems, or the number of frames and the sidecar's text."""

    problems: tuple[ProblemView, ...]
    frames: int
    sidecar: str


class Dropped(msgspec.Struct, frozen=True):
    """The names that a drop got in its inbox."""

    picture: str
    sidecar: str
    inbox: str


class Refusal(msgspec.Struct, frozen=True):
    """Why something was not done, and what to do about it."""

    error: str
    advice: str = ""
    problems: tuple[ProblemView, ...] = ()


_JSON = msgspec.json.Encoder()


def to_json(value: object) -> bytes:
    """UTF-8 JSON."""
    return _JSON.encode(value)


def iso_or_none(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601, for what may not have happened yet."""
    return None if seconds is None else iso(seconds)

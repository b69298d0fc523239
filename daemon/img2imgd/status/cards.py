"""Jobs as people see them: what they are, and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict

from img2imgd.errors import shown
from img2imgd.ledger import JobRow, why_not_retried
from img2imgd.request import Request

Kind = Literal["picture", "sweep", "set"]
Phase = Literal["painting", "reading", "loading", "assembling", "publishing", "waiting"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What every job has. ``picture`` is its path in the inbox, ``inbox`` that one's name.

    ``kind`` tells one picture, a sweep along one axis, and any other set of frames apart.
    """

    id: str
    picture: str
    inbox: str
    prompt: str
    model: str
    kind: Kind
    state: str
    claimed_at: str
    frames: int


@dataclass(frozen=True, kw_only=True)
class Running(Card):
    """A job at work: ``steps_done`` of ``steps`` over all its frames have run.

    ``phase`` is what is done now, ``why`` what it waits for if that is not its turn.
    ``seconds_left`` is of the painting, None while there is nothing to go by.
    """

    phase: Phase
    why: str
    started_at: str | None
    frames_done: int
    steps: int
    steps_done: int
    seconds_left: float | None
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Queued(Card):
    """A job that waits at ``position``, from 1; ``why`` is empty where its turn has not come.

    ``frames_done`` are staged from when it ran before.
    """

    position: int
    why: str
    frames_done: int
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Ended(Card):
    """A job that has ended: ``reason`` and ``advice`` of one that failed, else ``notes``.

    ``published`` is its path below the outbox. ``seconds`` are from its first start. ``ordered``
    says that somebody has asked for it to be tried again, ``retry_why`` why that cannot be.
    """

    ended_at: str
    seconds: float | None
    published: str
    reason: str
    advice: str
    notes: tuple[str, ...]
    attempts: int
    ordered: bool
    retry_why: str


class Names:
    """Short names of inboxes: the folder's own, with as much of its path as tells two apart."""

    def __init__(self, inboxes: Iterable[Path]) -> None:
        paths = list(inboxes)
        self.inboxes = frozenset(map(str, paths))
        same = Counter(path.name for path in paths)
        self._names = {
            str(path): path.name if same[path.name] == 1 else f"{path.parent.name}/{path.name}"
            for path in paths
        }

    def of(self, inbox: str) -> str:
        """The name of an inbox by its path; one that the config has no more is told by that."""
        return shown(self._names.get(inbox, inbox))


def kind_of(request: Request | None, frames: int) -> Kind:
    """What a job of so many frames is."""
    if request is None or frames <= 1:
        return "picture"
    axes = [len(values) for values in request.sweep.values() if len(values) > 1]
    return "sweep" if axes == [frames] else "set"


class CardValues(TypedDict):
    """The values of a :class:`Card`, from which those that have more are made."""

    id: str
    picture: str
    inbox: str
    prompt: str
    model: str
    kind: Kind
    state: str
    claimed_at: str
    frames: int


def card_values(row: JobRow, names: Names) -> CardValues:
    """What every job has."""
    request, outputs = row.spec.request, row.spec.outputs
    frames = len(outputs.frames) if outputs else 0
    return {
        "id": row.id,
        "picture": shown(row.spec.rel),
        "inbox": names.of(row.spec.inbox),
        "prompt": shown(request.prompt) if request else "",
        "model": request.model if request else "",
        "kind": kind_of(request, frames),
        "state": row.state.value,
        "claimed_at": iso(row.claimed_at),
        "frames": frames,
    }


def ended_of(row: JobRow, names: Names, ordered: bool) -> Ended:
    """A job that has ended."""
    lines = [shown(line) for line in row.reason.splitlines() if line.strip()]
    count = _reason_lines(lines) if not row.published else 0
    ended = row.ended_at or row.claimed_at
    return Ended(
        **card_values(row, names),
        ended_at=iso(ended),
        seconds=None if row.started_at is None else round(max(ended - row.started_at, 0.0), 1),
        published=shown(row.published),
        reason="\n".join(lines[:count]),
        advice="\n".join(lines[count:]) if not row.published else "",
        notes=tuple(lines) if row.published else (),
        attempts=row.attempts,
        ordered=ordered,
        retry_why=why_not_retried(row, served=names.inboxes),
    )


def _reason_lines(lines: list[str]) -> int:
    """How many of the lines say what was wrong, before those that say what to do.

    The problems of a document each begin with its name; all else is a line of its own.
    """
    if not lines:
        return 0
    name, found, _ = lines[0].partition(": ")
    alike = f"{name}: "
    count = 1
    while found and count < len(lines) and lines[count].startswith(alike):
        count += 1
    return count


def iso(seconds: float) -> str:
    """A time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

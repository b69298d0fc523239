"""A job of the ledger in the page's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from img2imgd.errors import shown
from img2imgd.ledger import JobRow
from img2imgd.page.wire import Card, Kind, iso
from img2imgd.request import Request

_MOST_CARDS = 4_000
_MOST_PROMPT = 2_000  # characters of a prompt on a card


def card_of(row: JobRow) -> dict[str, Any]:
    """What every card has, as keywords of :class:`Card` and those made of it."""
    request = row.spec.request
    return {
        "id": row.id,
        "picture": shown(row.spec.rel),
        "inbox": shown(Path(row.spec.inbox).name),
        "prompt": prompt_of(request),
        "claimed_at": iso(row.claimed_at),
        "frames": request.frame_count if request else 0,
        "kind": kind_of(request),
    }


def prompt_of(request: Request | None) -> str:
    """The prompt, or the first of several and how many more there are."""
    if request is None:
        return ""
    more = len(request.more_prompts)
    return request.prompt[:_MOST_PROMPT] + (f" (and {more} more)" if more else "")


def kind_of(request: Request | None) -> Kind:
    """What a job becomes: a picture, a sweep along one axis, or a set."""
    if request is None or request.frame_count <= 1:
        return "picture"
    axes = [len(values) for values in request.sweep.values() if len(values) > 1]
    return "sweep" if axes == [request.frame_count] else "set"


def split_reason(reason: str) -> tuple[str, str]:
    """What happened, and what to do about it: the first line, and the others."""
    message, _, advice = reason.partition("\n")
    return message.strip(), advice.strip()


def notes_of(row: JobRow) -> tuple[str, ...]:
    """What is noteworthy of a job that published something."""
    return tuple(line for line in row.reason.splitlines() if line.strip())


class Cards:
    """Cards by job id: what they say never changes, and reading a job's spec takes time.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._known: dict[str, Card] = {}

    def known(self, job: str) -> Card | None:
        """The card of a job, if it was made before."""
        return self._known.get(job)

    def add(self, row: JobRow) -> Card:
        """Make the card of a job."""
        if len(self._known) >= _MOST_CARDS:
            for job in list(self._known)[: _MOST_CARDS // 2]:
                del self._known[job]
        card = self._known[row.id] = Card(**card_of(row))
        return card

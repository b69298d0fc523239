"""What the daemon does now, as the page shows it: one snapshot for all who look."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import structs

from img2imgd import __version__, filesystems
from img2imgd.errors import shown
from img2imgd.job import JobState
from img2imgd.ledger import Ledger, Progress
from img2imgd.page.cards import Cards
from img2imgd.page.urls import THUMB, input_url, preview_url
from img2imgd.page.wire import (
    Card,
    Now,
    Phase,
    QueuedCard,
    RunningCard,
    UnavailableInbox,
    WaitingItem,
    iso_or_none,
)

MOST_RUNNING, MOST_QUEUED, MOST_WAITING = 8, 50, 50
_MEMORY = 60.0  # seconds over which the pace of a job is taken
_LEAST = 3.0  # seconds that it must have been watched before it tells anything
_ROUND = (
    50_000_000  # bytes: the space left is told in steps, so that it does not change all the time
)


class Pace:
    """How fast each running job gets on, from what was seen of it. For one thread."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def note(self, now: float, steps_done: dict[str, int]) -> None:
        """Note how far the jobs are that run at ``now`` (monotonic); others are forgotten."""
        self._seen = {job: self._seen.get(job, deque()) for job in steps_done}
        for job, done in steps_done.items():
            seen = self._seen[job]
            if seen and done < seen[-1][1]:
                seen.clear()  # it is painted again
            if not seen or seen[-1][1] != done:
                seen.append((now, done))
            while len(seen) > 2 and now - seen[0][0] > _MEMORY:
                seen.popleft()

    def seconds_left(self, job: str, now: float, left: int) -> float | None:
        """How long ``left`` steps will take; None while nobody can tell."""
        seen = self._seen.get(job)
        if not seen or len(seen) < 2 or now - seen[0][0] < _LEAST:
            return None
        steps = seen[-1][1] - seen[0][1]
        return round(left * (now - seen[0][0]) / steps, 0) if steps > 0 else None


class NowMaker:
    """Makes the snapshots. For one thread at a time; ``clock`` is monotonic."""

    def __init__(self, outbox: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._outbox = outbox
        self._clock = clock
        self._cards = Cards()
        self._pace = Pace()

    def make(self, ledger: Ledger) -> Now:
        """Read all from the ledger.

        Raises:
            EnvironmentFault, LedgerDamaged: it cannot be read.
        """
        facts, counts, paused = ledger.facts(), ledger.counts(), ledger.paused_since
        waits_for = facts.get("waits_for", "")
        waiting = ledger.waiting()
        return Now(
            version=__version__,
            host=facts.get("host", ""),
            pid=int(facts.get("pid", "0")) or None,
            paused_since=iso_or_none(paused),
            model=facts.get("model", ""),
            device=facts.get("device", ""),
            waits_for=shown_lines(waits_for),
            unavailable=tuple(
                UnavailableInbox(shown(inbox), shown_lines(why))
                for inbox, why in ledger.unavailable().items()
                if why
            ),
            counts=counts,
            running=self._running(ledger, held=bool(waits_for) or paused is not None),
            queued=self._queued(ledger),
            queued_total=counts.get("queued", 0) + counts.get("claiming", 0),
            waiting=tuple(
                WaitingItem(shown(Path(inbox).name), shown(rel), shown_lines(why))
                for inbox, rel, why in waiting[:MOST_WAITING]
            ),
            waiting_total=len(waiting),
            free_bytes=self._free_bytes(),
        )

    def _running(self, ledger: Ledger, *, held: bool) -> tuple[RunningCard, ...]:
        at_work = ledger.jobs_at_work()
        progress = {job: ledger.progress(job) for job, _, _ in at_work[: 4 * MOST_RUNNING]}
        now = self._clock()
        self._pace.note(now, {job: done.steps_done for job, done in progress.items()})
        cards: list[RunningCard] = []
        for job, state, _ in at_work:
            if (done := progress.get(job)) and (card := self._card(ledger, job)):
                left = self._pace.seconds_left(job, now, done.steps - done.steps_done)
                phase = phase_of(state, done, held=held)
                cards.append(_running_card(card, done, phase, left))
        cards.sort(key=lambda card: (card.phase != "painting", card.steps_done == 0))
        return tuple(cards[:MOST_RUNNING])

    def _queued(self, ledger: Ledger) -> tuple[QueuedCard, ...]:
        cards = [self._card(ledger, job) for job in ledger.waiting_jobs(MOST_QUEUED)]
        return tuple(
            QueuedCard(**_fields(card), position=position, why="")
            for position, card in enumerate(filter(None, cards), 1)
        )

    def _card(self, ledger: Ledger, job: str) -> Card | None:
        known = self._cards.known(job)
        if known is None and (row := ledger.job(job)) is not None:
            known = self._cards.add(row)
        return known

    def _free_bytes(self) -> int | None:
        with suppress(OSError):
            return filesystems.free_bytes(self._outbox) // _ROUND * _ROUND
        return None


def phase_of(state: JobState, done: Progress, *, held: bool) -> Phase:
    """What is being done for a job that has started."""
    if state is JobState.PUBLISHING:
        return "publishing"
    if held:
        return "waiting"
    return "assembling" if done.frames_done >= done.frames else "painting"


def shown_lines(text: str) -> str:
    """A text of several lines, each as a terminal and JSON take it."""
    return "\n".join(map(shown, text.splitlines()))


def _running_card(card: Card, done: Progress, phase: Phase, left: float | None) -> RunningCard:
    return RunningCard(
        **_fields(card),
        steps=done.steps,
        steps_done=done.steps_done,
        frames_done=done.frames_done,
        phase=phase,
        seconds_left=left,
        input=input_url(card.id, THUMB),
        preview=None if done.newest is None else preview_url(card.id, done.newest),
    )


def _fields(card: Card) -> dict[str, Any]:
    return structs.asdict(card)

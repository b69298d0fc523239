"""How the daemon stands, in one line for ``systemctl status``."""

from __future__ import annotations

from dataclasses import dataclass

from img2imgd.errors import EnvironmentFault, Img2imgdError, LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import Ledger


@dataclass(frozen=True)
class Standing:
    """What the line tells. ``percent`` is of the job that is painted, ``others`` run beside it."""

    queued: int = 0
    painting: str = ""
    percent: int = 0
    others: int = 0
    waiting: int = 0
    paused: bool = False
    waits_for: str = ""
    unavailable: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The line. What keeps it from working comes first."""
        parts: list[str] = []
        if self.paused:
            parts.append("paused; img2imgd resume ends that")
        if self.waits_for:
            parts.append(f"waits: {self.waits_for}")
        parts += [f"unavailable: {why}" for why in self.unavailable]
        if self.painting:
            beside = f" and {self.others} more" if self.others else ""
            parts.append(f"painting {self.painting}, {self.percent} %{beside}")
        if self.queued:
            parts.append(f"{self.queued:,} queued")
        if self.waiting:
            parts.append(f"{self.waiting:,} waiting in the inboxes")
        return "; ".join(parts) or "idle"


class Telling:
    """Tells the standing from the ledger, reading it again only after somebody has written."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._version = -1
        self._line = ""

    def line(self) -> str:
        """The standing in words; a ledger that cannot be read is told as such."""
        try:
            version = self._ledger.version()
            if version != self._version:
                self._line = standing(self._ledger).in_words
                self._version = version
        except (EnvironmentFault, LedgerDamaged) as fault:
            return _first_line(fault)
        return self._line


def standing(ledger: Ledger) -> Standing:
    """How it stands by the ledger.

    Raises:
        EnvironmentFault, LedgerDamaged: the ledger cannot be read.
    """
    at_work = JobState.RUNNING, JobState.PUBLISHING
    count = ledger.count_in(*at_work)
    running = ledger.jobs_in(*at_work, limit=1)
    progress = ledger.progress([row.id for row in running[:1]])
    done, steps = next(((p.steps_done, p.steps) for p in progress.values()), (0, 0))
    return Standing(
        queued=ledger.count_in(JobState.CLAIMING, JobState.QUEUED),
        painting=f"job {running[0].id} ({running[0].spec.rel})" if running else "",
        percent=100 * done // steps if steps else 0,
        others=max(count - 1, 0),
        waiting=ledger.count_waiting(),
        paused=ledger.paused_since is not None,
        waits_for=ledger.facts().get("waits_for", ""),
        unavailable=tuple(ledger.unavailable().values()),
    )


def _first_line(fault: Img2imgdError) -> str:
    return fault.message.splitlines()[0]

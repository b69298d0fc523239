"""What became of each save of a drawing, from the ledger of the daemon that served it."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from img2imgd.job import JobState
from img2imgd.ledger import JobRow


def digest_of(content: bytes) -> str:
    """A save's content as the ledger of a keeping inbox knows it, without a sidecar."""
    return hashlib.blake2b(hashlib.blake2b(content).digest(), digest_size=20).hexdigest()


@dataclass(frozen=True)
class Account:
    """Counts of saves and jobs; times in seconds.

    ``stale_starts`` are jobs that were begun although a newer save had been claimed;
    ``ends_newest`` tells whether the last save is the one that was painted last.
    """

    saves: int
    claimed: int
    replaced: int
    given_up: int
    painted: int
    failed: int
    stale_starts: int
    ends_newest: bool
    to_claim: tuple[float, ...]
    to_result: tuple[float, ...]

    @classmethod
    def of(cls, jobs: Sequence[JobRow], saved: Mapping[str, float]) -> Account:
        """Of jobs in the order of their claims, and the time of each save by its digest."""
        replaced = [job for job in jobs if job.state is JobState.REPLACED]
        painted = [job for job in jobs if job.state is JobState.DONE]
        newest = max(saved, key=lambda digest: saved[digest])
        stale = [
            job
            for at, job in enumerate(jobs)
            if job.started_at is not None
            and any(later.claimed_at < job.started_at for later in jobs[at + 1 :])
        ]
        return cls(
            saves=len(saved),
            claimed=len(jobs),
            replaced=sum(job.started_at is None for job in replaced),
            given_up=sum(job.started_at is not None for job in replaced),
            painted=len(painted),
            failed=len(jobs) - len(replaced) - len(painted),
            stale_starts=len(stale),
            ends_newest=bool(painted) and painted[-1].spec.digest == newest,
            to_claim=tuple(job.claimed_at - saved[job.spec.digest] for job in jobs),
            to_result=tuple((job.ended_at or 0) - saved[job.spec.digest] for job in painted),
        )

    def table(self) -> str:
        """As a table in Markdown."""
        rows = {
            "saves": self.saves,
            "claimed, each with the newest content": self.claimed,
            "replaced by a newer save before they were begun": self.replaced,
            "given up for a newer save while they were painted": self.given_up,
            "painted": self.painted,
            "failed": self.failed,
            "begun although a newer save had been claimed": self.stale_starts,
            "last result is of the last save": "yes" if self.ends_newest else "no",
            "save → claim, median and worst": _seconds(self.to_claim),
            "save → result, median and worst": _seconds(self.to_result),
        }
        return "\n".join(["| | |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in rows.items())])


def _seconds(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f} s, {max(times):.2f} s" if times else "none"

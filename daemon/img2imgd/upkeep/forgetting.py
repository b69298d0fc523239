"""What the ledger forgets: old jobs, ended shared sidecars, keep mode's memory of gone pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from img2imgd.config import Config
from img2imgd.ledger import JobRow, Ledger
from img2imgd.ledger.marker import served_by, spool_id
from img2imgd.ledger.pruning import CHUNK
from img2imgd.outputs.staging import STAGING


def forget_jobs(config: Config, ledger: Ledger, before: float, stopping: Callable[[], bool]) -> int:
    """Forget the jobs whose age counts from before a moment (seconds since 1970); how many.

    One whose spool folder is still there, or whose inbox is not mounted, stays: a spool folder
    that the ledger does not know is taken up again at the next start.
    """
    there = {str(inbox.path): is_ours(inbox.path, ledger) for inbox in config.inboxes}
    forgotten = 0
    jobs: list[str] = []
    for _, row in ledger.aged_between(0.0, before):
        if stopping():
            break
        if there.get(row.spec.inbox, True) and not _has_spool(row):
            jobs.append(row.id)
        if len(jobs) >= CHUNK:
            ledger.forget_jobs(jobs)
            forgotten += len(jobs)
            jobs.clear()
    ledger.forget_jobs(jobs)
    ledger.forget_bundles()
    return forgotten + len(jobs)


def forget_served(config: Config, ledger: Ledger) -> None:
    """Forget what keep mode served of pictures that are gone, and whose jobs are forgotten too.

    Until then a picture that comes back unchanged is not painted again. An inbox that is not
    mounted is unavailable, not empty.
    """
    for inbox in config.inboxes:
        if inbox.mode != "keep" or not is_ours(inbox.path, ledger):
            continue
        spool = spool_id(inbox.path / STAGING)
        served = ledger.served_paths(spool, str(inbox.path))
        gone = [rel for rel in served if _is_gone(inbox.path, rel)]
        if spool_id(inbox.path / STAGING) != spool:
            continue  # its disk was unmounted meanwhile
        for at in range(0, len(gone), CHUNK):
            ledger.forget_served(spool, gone[at : at + CHUNK])


def is_ours(inbox: Path, ledger: Ledger) -> bool:
    """True for an inbox that is there and that this ledger serves, by the mark in its spool."""
    try:
        return served_by(inbox / STAGING) == ledger.facts().get("ledger_id")
    except OSError:
        return False


def _is_gone(inbox: Path, rel: str) -> bool:
    try:
        (inbox / rel).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _has_spool(row: JobRow) -> bool:
    return os.path.lexists(Path(row.spec.inbox) / STAGING / row.id)

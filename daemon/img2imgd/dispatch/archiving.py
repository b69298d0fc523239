"""Which ended jobs are archived next, and what a fault of one means for the others."""

from __future__ import annotations

import logging
import time

from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.faults import Faults, fault_in_words
from img2imgd.dispatch.spools import InboxAway
from img2imgd.errors import LedgerDamaged
from img2imgd.ledger import JobRow, Ledger

log = logging.getLogger(__name__)

_AT_ONCE = 64  # jobs that are read from the ledger for one step
_SECONDS = 0.2  # after which a step ends: the worker is to have its next frames


class Archiving:
    """Archives what was refused at its claim, what has just ended, and what a fault kept back."""

    def __init__(self, ledger: Ledger, archive: Archive, faults: Faults) -> None:
        self._ledger = ledger
        self._archive = archive
        self._faults = faults
        self._more = False
        self.unfinished: set[str] = set()  # by a fault of our own: until the next start

    def take_more(self) -> bool:
        """True, once, when a step has left something that can be archived at once."""
        more, self._more = self._more, False
        return more

    def step(self, now: float) -> None:
        """Archive for a moment, oldest jobs first."""
        without = [*self._faults.held_jobs(now), *self.unfinished]
        rows = self._ledger.unarchived(_AT_ONCE, self._faults.held_inboxes(now), without)
        end = time.monotonic() + _SECONDS
        for row in rows:
            if row.spec.home not in self._faults.held_inboxes(now):
                self._finish(row, now)
            if time.monotonic() >= end:
                self._more = row is not rows[-1]
                break
        self._more = self._more or len(rows) == _AT_ONCE

    def _finish(self, row: JobRow, now: float) -> None:
        try:
            self._archive.finish(row)
        except LedgerDamaged:
            raise
        except InboxAway as away:
            self._faults.report_inbox(row.spec.home, str(away), now)
        except Exception as error:
            what = fault_in_words(error)
            if not what and isinstance(error, OSError):  # a name that a filesystem does not take
                what = f"{error.filename2 or error.filename or 'disk'}: {error.strerror}."
            if what:
                self._faults.report_job(row.id, what, now)
                return
            log.exception("job %s: its inputs stay in the spool until the next start", row.id)
            self.unfinished.add(row.id)
            self._faults.clear_job(row.id)
        else:
            self._faults.clear_inbox(row.spec.home)
            self._faults.clear_job(row.id)
            self._faults.succeeded()

"""What somebody may remove while img2imgd runs: the outbox's hidden folder, the ledger's file."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from img2imgd.app.holding import FolderLock
from img2imgd.errors import EnvironmentFault
from img2imgd.log import Lasting
from img2imgd.outputs.staging import STAGING

log = logging.getLogger(__name__)


class Removals:
    """Looks whether they are there. The outbox and the ledger must be when this is made."""

    def __init__(self, outbox: Path, lock: FolderLock, ledger: Path) -> None:
        self._outbox, self._outbox_at_start = outbox, outbox.stat()
        self._ledger, self._ledger_at_start = ledger, ledger.stat()
        self._lock = lock
        self._lasting = Lasting(log)

    def look(self) -> None:
        """Make the outbox's hidden folder anew, and say it if the ledger is gone.

        Where another folder has the outbox's name, it is left as it is: the disk may not be
        mounted.

        Raises:
            HeldByAnother: another daemon took the outbox meanwhile.
        """
        if _is_same(self._outbox, self._outbox_at_start):
            with contextlib.suppress(EnvironmentFault, OSError):  # who needs the folder says so
                if self._lock.renew():
                    log.warning("%s was removed; it is made anew", self._outbox / STAGING)
        if _is_same(self._ledger, self._ledger_at_start):
            self._lasting.over("ledger", f"the ledger {self._ledger} is back")
        else:
            what = (
                f"the ledger {self._ledger} was removed, or another file has its name. Work goes "
                "on without it until img2imgd stops; the next start makes a new one from the "
                "folders, and what `status` knows of earlier jobs is lost. Restart img2imgd."
            )
            self._lasting.say("ledger", what, logging.ERROR)


def _is_same(path: Path, seen: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), seen)
    except OSError:
        return False

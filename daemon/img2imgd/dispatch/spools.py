"""Whether a job's files are in its spool, or in another folder that had the inbox's name before."""

from __future__ import annotations

from pathlib import Path

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import JobRow
from img2imgd.outputs.staging import STAGING


class Spools:
    """The spools as they are at the start; a disk that goes away later leaves a bare folder."""

    def __init__(self, config: Config) -> None:
        spools = [inbox.path / STAGING for inbox in config.inboxes]
        self._at_start = {spool: _identity(spool) for spool in spools}

    def has(self, row: JobRow) -> bool:
        """True if the job's folder is there, False if it was removed.

        Raises:
            EnvironmentFault: the inbox is another folder than at the start, which has none of it.
        """
        inbox = Path(row.spec.inbox)
        spool = inbox / STAGING
        if (spool / row.id).is_dir():
            return True
        found = _identity(spool)
        if found is not None and found == self._at_start.get(spool):
            return False
        raise EnvironmentFault(
            f"{inbox} is not what it was: the files of claimed jobs are not in it.",
            "Mount its disk again, or start img2imgd anew if it is a new folder.",
        )


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

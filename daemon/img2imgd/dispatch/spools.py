"""Whether the spool that a job was claimed into is there: its disk may not be mounted."""

from __future__ import annotations

from pathlib import Path

from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import JobRow
from img2imgd.ledger.marker import spool_id
from img2imgd.outputs.staging import STAGING


class InboxAway(EnvironmentFault):
    """The folder with a job's files is not mounted, or another one has its name."""


def has_files(row: JobRow) -> bool:
    """True when a job's inputs are in its spool; False when somebody took them out of it.

    Raises:
        InboxAway: the spool that is there is not the one that the job was claimed into.
    """
    spool = Path(row.spec.inbox) / STAGING
    if (spool / row.id / "in").is_dir():
        return True
    if not spool.is_dir():
        raise InboxAway(f"The inbox {row.spec.inbox} is not there.")
    if row.spec.spool and spool_id(spool) != row.spec.spool:
        raise InboxAway(
            f"{row.spec.inbox} is another folder than the one that jobs were claimed from.",
            "Mount its disk again: these jobs wait for it, and all others are served. If its "
            f"{STAGING} folder was removed, their files went with it: `img2imgd status` lists "
            "them as queued, and the pictures are to be dropped again.",
        )
    return (spool / row.id / "in").is_dir()  # its disk may have come between the two looks

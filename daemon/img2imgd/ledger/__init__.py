"""The ledger: every job, frame, attempt and outcome in one SQLite file; where the parts meet."""

from img2imgd.ledger.activity import Activity, Doing, JobActivity
from img2imgd.ledger.bundles import BundleFile, BundleRow
from img2imgd.ledger.damage import set_aside_damaged
from img2imgd.ledger.history import Ending, HistoryPage, Place, Progress
from img2imgd.ledger.jobs import SHORT_JOB, Mark
from img2imgd.ledger.mounts import missing_mount, mount_fact, mount_facts
from img2imgd.ledger.orders import (
    CANCELLABLE,
    RETRIABLE,
    OrderRow,
    retried_from,
    why_not_cancelled,
    why_not_retried,
)
from img2imgd.ledger.rebasing import Moves, rebased, spool_fact
from img2imgd.ledger.rows import (
    ENDED_FILE,
    JOB_FILE,
    ArchivePlan,
    EndedJob,
    FileEntry,
    FrameRow,
    JobRow,
    JobSpec,
    Outputs,
    WaitingRow,
)
from img2imgd.ledger.store import NOT_RELOADED, Ledger, open_ledger, read_ledger

__all__ = [
    "CANCELLABLE",
    "ENDED_FILE",
    "JOB_FILE",
    "NOT_RELOADED",
    "RETRIABLE",
    "SHORT_JOB",
    "Activity",
    "ArchivePlan",
    "BundleFile",
    "BundleRow",
    "Doing",
    "EndedJob",
    "Ending",
    "FileEntry",
    "FrameRow",
    "HistoryPage",
    "JobActivity",
    "JobRow",
    "JobSpec",
    "Ledger",
    "Mark",
    "Moves",
    "OrderRow",
    "Outputs",
    "Place",
    "Progress",
    "WaitingRow",
    "missing_mount",
    "mount_fact",
    "mount_facts",
    "open_ledger",
    "read_ledger",
    "rebased",
    "retried_from",
    "set_aside_damaged",
    "spool_fact",
    "why_not_cancelled",
    "why_not_retried",
]

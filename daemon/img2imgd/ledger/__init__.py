"""The ledger: every job, frame, attempt and outcome in one SQLite file; where the parts meet."""

from img2imgd.ledger.rows import (
    ArchivePlan,
    BundleRow,
    FileEntry,
    FrameRow,
    JobRow,
    JobSpec,
    Outputs,
)
from img2imgd.ledger.store import Ledger, open_ledger, read_ledger

__all__ = [
    "ArchivePlan",
    "BundleRow",
    "FileEntry",
    "FrameRow",
    "JobRow",
    "JobSpec",
    "Ledger",
    "Outputs",
    "open_ledger",
    "read_ledger",
]

"""What the daemon is doing, read from the ledger alone, whether it runs or not."""

from img2imgd.status.cards import Card, Ended, Names, Queued, Running, ended_of, iso
from img2imgd.status.report import Report, Unavailable, WaitingFile, is_running, make_report

__all__ = [
    "Card",
    "Ended",
    "Names",
    "Queued",
    "Report",
    "Running",
    "Unavailable",
    "WaitingFile",
    "ended_of",
    "is_running",
    "iso",
    "make_report",
]

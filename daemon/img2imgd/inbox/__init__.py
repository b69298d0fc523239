"""Watching, scanning and claiming: from files in a folder to jobs in the ledger."""

from img2imgd.inbox.inbox import Inbox
from img2imgd.inbox.watch import Watch

__all__ = ["Inbox", "Watch"]

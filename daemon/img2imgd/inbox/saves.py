"""Keep mode: which saves of a file that stays where it is are to be painted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from img2imgd.config import InboxConfig
from img2imgd.inbox.drops import FolderDefaults
from img2imgd.inbox.kept import Kept
from img2imgd.inbox.scan import Found
from img2imgd.inbox.similar import Similar
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.reader.protocol import Glance

log = logging.getLogger(__name__)


class Saves:
    """What was served of an inbox's files, by their content and by their looks.

    In an inbox whose drops are moved, nothing is known and nothing asked. No file of more than
    ``most_bytes`` is opened.
    """

    def __init__(
        self,
        inbox: InboxConfig,
        ledger: Ledger,
        glance: Callable[[Path], Glance],
        most_bytes: int,
    ) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._kept = Kept(inbox.path, ledger, most_bytes)
        self._similar = Similar(inbox.path, inbox.skip_similar, glance)

    def begin(self, spool: str) -> None:
        """Take up the folder that is there now, known to the ledger by its spool's id."""
        self._kept.begin(spool)

    def take_over(self, before: Saves) -> None:
        """Know what the same inbox by other rules knows of the same folder."""
        self._kept.take_over(before._kept)

    def forget(self, rel: str) -> None:
        """Have the next scan take a picture once more."""
        self._kept.forget(rel)
        self._similar.forget(rel)

    def begin_scan(self, present: Mapping[str, Found], unreadable: Collection[str]) -> None:
        """Take the files of a new scan, by their paths, and the paths it could not look at."""
        self._kept.begin_scan(present, unreadable)
        self._similar.keep_only(present)

    def looks_new(self, file: Found, sidecar: Found | None) -> bool:
        """False when neither file has been touched since it was found to be served."""
        return self._kept.looks_new(file, sidecar)

    def is_new(self, file: Found, sidecar: Found | None, defaults: FolderDefaults) -> bool:
        """Whether this content of a picture is to be painted.

        Raises:
            NotYet: its disk does not allow to read it now.
        """
        if not self._kept.is_new(file, sidecar):
            return False
        if not self._similar.is_alike(file, sidecar, defaults) or self._came_to_nothing(file):
            return True
        log.info("%s looks as it did: no job for this save", file.rel)
        self._kept.count_as_served(file, sidecar)
        return False

    def digest(self, file: Found, sidecar: Found | None) -> str:
        """The digest of what is to be served, for the ledger; empty where drops are moved."""
        return self._kept.digest(file, sidecar) if self._inbox.mode == "keep" else ""

    def note_claimed(self, file: Found, sidecar: Found | None) -> None:
        """What was claimed is what was looked at."""
        self._kept.note_claimed(file, sidecar)
        self._similar.note_claimed(file)

    def _came_to_nothing(self, file: Found) -> bool:
        """True when the newest job of a picture failed, or was cancelled."""
        newest = self._ledger.newest_for(str(self._inbox.path), file.rel, stem_only=False, since=0)
        return newest is not None and newest.state in (JobState.FAILED, JobState.CANCELLED)

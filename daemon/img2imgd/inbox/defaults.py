"""Which ``_defaults.yaml`` files hold for a folder of an inbox, and why its files wait for one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from img2imgd.config import InboxConfig
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.notes import DefaultsNotes
from img2imgd.inbox.scan import Found
from img2imgd.pairing.decide import Wait
from img2imgd.pairing.kinds import Kind
from img2imgd.settle import Signature


class Defaults:
    """The folder defaults of one inbox, as the last scan saw them.

    ``is_whole(rel, signature)`` tells which may be read.
    """

    def __init__(
        self,
        inbox: InboxConfig,
        failed: Path,
        drops: Drops,
        is_whole: Callable[[str, Signature], bool],
    ) -> None:
        self._inbox = inbox
        self._drops = drops
        self._is_whole = is_whole
        self._seen: dict[str, Signature] = {}
        self._notes = DefaultsNotes(failed, inbox.path)

    def begin_scan(self, found: Iterable[Found]) -> None:
        """Take the files of a new scan."""
        self._seen = {file.rel: file.signature for file in found if file.kind is Kind.DEFAULTS}

    def of(self, folder: str) -> FolderDefaults | Wait:
        """The folder's defaults, or why its files wait until those are whole or mended."""
        for rel, signature in self._seen.items():
            home = rel.rpartition("/")[0]
            if home and folder != home and not folder.startswith(f"{home}/"):
                continue
            if not self._is_whole(rel, signature):
                return Wait(rel, f"waits until {rel} is whole")
        try:
            defaults = self._drops.defaults(folder, self._seen)
        except OSError as error:
            why = f"is held: its folder's defaults cannot be read: {error.strerror}"
            return Wait(folder, why, self._inbox.rescan, for_a_person=True)
        if defaults.broken is None:
            return defaults
        self._notes.write(defaults.where, str(defaults.broken))
        why = f"is held: {defaults.where} cannot be used. {defaults.broken}"
        return Wait(defaults.where, why, for_a_person=True)

    def end_scan(self) -> None:
        """Remove the notes about what was mended."""
        self._notes.keep_only(self._broken(), self._seen)

    @property
    def owes_notes(self) -> bool:
        """True while notes are to be tried again."""
        return bool(self._notes.owed)

    def _broken(self) -> set[str]:
        broken: set[str] = set()
        for rel, signature in self._seen.items():
            with contextlib.suppress(OSError):
                if self._drops.defaults(rel.rpartition("/")[0], {rel: signature}).broken:
                    broken.add(rel)
        return broken

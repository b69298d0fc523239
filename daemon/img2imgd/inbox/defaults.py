"""Which ``_defaults.yaml`` files hold for a folder of an inbox, and why its files wait for one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from img2imgd.config import InboxConfig
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.notes import DefaultsNotes
from img2imgd.inbox.scan import Found
from img2imgd.pairing.decisions import Entry, Wait
from img2imgd.pairing.kinds import DEFAULTS_NAME, Kind
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
        self._seen: dict[str, Found] = {}  # by folder
        self._notes = DefaultsNotes(failed, inbox.path)

    def begin_scan(self, found: Iterable[Found]) -> None:
        """Take the files of a new scan.

        The name counts in any case, as the people who share a folder write it; where a folder has
        several, the usual one does, else the first of the alphabet.
        """
        self._seen.clear()
        files = (file for file in found if file.kind is Kind.DEFAULTS)
        for file in sorted(files, key=lambda file: (file.name != DEFAULTS_NAME, file.name)):
            self._seen.setdefault(file.folder, file)

    def passed_over(self, folder: str, entries: Iterable[Entry]) -> list[Wait]:
        """The defaults among a folder's files that are not used, since another one is."""
        used = self._seen.get(folder)
        if used is None:
            return []
        why = f"is not used: {used.name} of the same folder is"
        others = [e for e in entries if e.kind is Kind.DEFAULTS and e.name != used.name]
        return [Wait(entry.name, why, for_a_person=True) for entry in others]

    def of(self, folder: str) -> FolderDefaults | Wait:
        """The folder's defaults, or why its files wait until those are whole or mended."""
        for home, file in self._seen.items():
            if home and folder != home and not folder.startswith(f"{home}/"):
                continue
            if not self._is_whole(file.rel, file.signature):
                return Wait(file.rel, f"waits until {file.rel} is whole")
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

    def end_scan(self) -> bool:
        """Remove the notes about what was mended; False when notes are to be tried again."""
        self._notes.keep_only(self._broken(), [file.rel for file in self._seen.values()])
        return not self._notes.owed

    def _broken(self) -> set[str]:
        broken: set[str] = set()
        for folder, file in self._seen.items():
            with contextlib.suppress(OSError):
                if self._drops.defaults(folder, {folder: file}).broken:
                    broken.add(file.rel)
        return broken

"""Notes for people who see only the folders: why a folder's pictures are held."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from img2imgd import durable
from img2imgd.errors import shown
from img2imgd.log import Lasting
from img2imgd.outputs.reasons import free_reason, is_reason, reason_name, write_reason
from img2imgd.pairing.kinds import DEFAULTS_NAME

log = logging.getLogger(__name__)

_NAME = reason_name(DEFAULTS_NAME)
_NAMES = "_defaults*.yaml.reason.txt"  # that, and numbered
_OUTCOME = "cannot be used"
_naming = threading.Lock()  # the inboxes of a daemon are threads


class DefaultsNotes:
    """Reason files about an inbox's ``_defaults.yaml`` files that cannot be used.

    They go when those are mended. Other inboxes have the same folder ``failed``: a note says by its
    first words whose it is. A note is a courtesy: where the disk does not allow it, the log says
    so, and ``owed`` has the file until a later scan can do it.
    """

    def __init__(self, failed: Path, inbox: Path) -> None:
        self._failed = failed
        self._inbox = inbox
        self._written: dict[str, str] = {}
        self._fine: set[str] = set()  # files without a note
        self._lasting = Lasting(log)
        self.owed: set[str] = set()

    def write(self, rel: str, why: str) -> None:
        """Say once why the pictures of a folder wait."""
        if self._written.get(rel) == why:
            return
        with self._courtesy(rel):
            self._write(rel, why)
            self._written[rel] = why
            self._fine.discard(rel)

    def keep_only(self, broken: Collection[str], seen: Collection[str]) -> None:
        """Remove the notes about files that were mended, those of an earlier process too."""
        known = self._written.keys() | self.owed | (set(seen) - self._fine)
        for mended in known - set(broken):
            with self._courtesy(mended):
                for note in self._notes(mended):
                    note.unlink(missing_ok=True)
                self._written.pop(mended, None)
                self._fine.add(mended)

    def _write(self, rel: str, why: str) -> None:
        folder = (self._failed / rel).parent
        durable.make_folders(folder)
        advice = "Mend the file where it is; the pictures of its folder wait and lose nothing."
        with _naming:
            free = free_reason(_NAME, lambda name: durable.is_there(folder / name))
            path = next(iter(self._notes(rel)), folder / free)
            write_reason(path, self._what(rel), f"{why}\n\n{advice}", outcome=_OUTCOME)

    @contextmanager
    def _courtesy(self, rel: str) -> Generator[None]:
        """Whatever the disk says, the scan goes on."""
        try:
            yield
        except OSError as error:
            self.owed.add(rel)
            where = error.filename or self._failed
            what = f"the note about {self._inbox / rel} cannot be brought up to date"
            self._lasting.say(rel, f"{what}: {where}: {error.strerror}")
        else:
            self.owed.discard(rel)
            self._lasting.over(rel)

    def _notes(self, rel: str) -> list[Path]:
        """The notes about a file, of this process or an earlier one."""
        notes = (self._failed / rel).parent.glob(_NAMES)
        return [path for path in notes if is_reason(path, self._what(rel), _OUTCOME)]

    def _what(self, rel: str) -> str:
        return shown(str(self._inbox / rel))

"""Notes for people who see only the folders: why pictures are held, and what was not served."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator, Sequence
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


class _Courtesy:
    """Notes are a courtesy: where the disk does not allow one, the scan goes on; the log says so.

    ``owed`` are the files whose notes a later scan has to try again.
    """

    def __init__(self) -> None:
        self._lasting = Lasting(log)
        self.owed: set[str] = set()

    @contextmanager
    def about(self, rel: str, otherwise: str) -> Generator[None]:
        """Write a note about a file; ``otherwise`` is what the log says if that cannot be done."""
        try:
            yield
        except OSError as error:
            self.owed.add(rel)
            where = f"{error.filename}: " if error.filename else ""
            self._lasting.say(rel, f"{otherwise}: {where}{error.strerror}")
        else:
            self.owed.discard(rel)
            self._lasting.over(rel)


class DefaultsNotes:
    """Reason files about an inbox's ``_defaults.yaml`` files that cannot be used.

    They go when those are mended. Other inboxes have the same folder ``failed``: a note says by its
    first words whose it is.
    """

    def __init__(self, failed: Path, inbox: Path) -> None:
        self._failed = failed
        self._inbox = inbox
        self._written: dict[str, str] = {}
        self._fine: set[str] = set()  # files without a note
        self._courtesy = _Courtesy()

    @property
    def owed(self) -> set[str]:
        """The files whose notes are not as they should be, to be tried again."""
        return self._courtesy.owed

    def write(self, rel: str, why: str) -> None:
        """Say once why the pictures of a folder wait."""
        if self._written.get(rel) == why:
            return
        with self._courtesy.about(rel, f"the note about {self._what(rel)} cannot be written"):
            self._write(rel, why)
            self._written[rel] = why
            self._fine.discard(rel)

    def keep_only(self, broken: Collection[str], seen: Collection[str]) -> None:
        """Remove the notes about files that were mended, those of an earlier process too."""
        known = self._written.keys() | self.owed | (set(seen) - self._fine)
        for mended in known - set(broken):
            note = f"the note about {self._what(mended)} cannot be removed"
            with self._courtesy.about(mended, note):
                for path in self._notes(mended):
                    path.unlink(missing_ok=True)
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

    def _notes(self, rel: str) -> list[Path]:
        """The notes about a file, of this process or an earlier one."""
        notes = (self._failed / rel).parent.glob(_NAMES)
        return [path for path in notes if is_reason(path, self._what(rel), _OUTCOME)]

    def _what(self, rel: str) -> str:
        return shown(str(self._inbox / rel))


class ListNotes:
    """Reason files about lists of pictures that were served without some that did not come."""

    def __init__(self, failed: Path) -> None:
        self._failed = failed
        self._courtesy = _Courtesy()
        self._unwritten: list[tuple[str, str]] = []

    def missing(self, sidecar: str, names: Sequence[str]) -> None:
        """Say which pictures of a list did not come."""
        self._unwritten.append((sidecar, ", ".join(names)))
        self.write()

    def write(self) -> bool:
        """Write what is not written yet; True when that is all."""
        unwritten, self._unwritten = self._unwritten, []
        for sidecar, names in unwritten:
            log_text = f"{shown(sidecar)} was served without {names}, which did not come"
            with self._courtesy.about(sidecar, f"{log_text}; its note cannot be written"):
                self._unwritten.append((sidecar, names))
                self._write(sidecar, names)
                self._unwritten.pop()
        return not self._unwritten

    def _write(self, sidecar: str, names: str) -> None:
        path = self._failed / sidecar
        durable.make_folders(path.parent)
        name = free_reason(reason_name(path.name), lambda n: durable.is_there(path.with_name(n)))
        what = (
            f"These pictures, which it lists, did not come: {names}. The others were served.\n"
            "Put each of them into the inbox with a sidecar of its own."
        )
        write_reason(path.with_name(name), shown(path.name), what, outcome="was served in part")

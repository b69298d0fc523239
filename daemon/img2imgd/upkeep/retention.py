"""Old files of done, failed and outbox: which of them img2imgd put there, and which are due.

The rules, each on the safe side:

- The ledger says what lies where. A file that it does not know (put there by a person, or of a
  forgotten job) is never touched, nor is one whose content somebody has changed since.
- A file's age counts from the end of its job; its mtime is the camera's. If its ctime is younger
  (it was put there late, or somebody moved it back), it stays longer, at most twice as long.
- An input stays as long as a late sidecar may come for it, whatever ``retention`` says.
- A job is looked at again until its files are gone; the ledger forgets none before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from img2imgd.config import Config
from img2imgd.ledger import ArchivePlan, FileEntry, JobRow, Ledger
from img2imgd.outputs.names import is_assembly, numbered
from img2imgd.outputs.staging import STAGING
from img2imgd.upkeep.removing import Removal

_SLACK = 300.0  # seconds that the clock of a file server may be ahead of ours
_MOST_NUMBERED = 9  # names that are looked at for a shared sidecar: NAME, NAME~2, …


class Retention:
    """Removes files by age, job by job. ``refused`` says why a file could not be removed."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        late = max((inbox.late_sidecar for inbox in config.inboxes), default=0.0)
        kept = config.retention
        wanted = {
            "outbox": kept.outbox,
            "done": None if kept.done is None else max(kept.done, late),
            "failed": None if kept.failed is None else max(kept.failed, late),
        }
        self._keep = {kind: seconds for kind, seconds in wanted.items() if seconds is not None}
        self._removals = {kind: Removal(getattr(config, kind)) for kind in self._keep}
        self._swept = dict.fromkeys(self._keep, 0.0)
        self.refused = ""

    @property
    def swept(self) -> float:
        """Jobs that ended before this moment have no files left that are to be removed."""
        return min(self._swept.values(), default=float("inf"))

    def sweep(self, now: float, stopping: Callable[[], bool]) -> tuple[int, int]:
        """Remove what is due at ``now`` (seconds since 1970); how many files and bytes.

        Raises:
            OSError: a folder does not allow it now.
        """
        self.refused = ""
        removals = self._removals.values()
        for removal in removals:
            removal.files = removal.size = 0
        for kind in self._keep:
            self._sweep(kind, now, stopping)
        for removal in removals:
            removal.flush()
            self._tidy(removal)
        return sum(each.files for each in removals), sum(each.size for each in removals)

    def _sweep(self, kind: str, now: float, stopping: Callable[[], bool]) -> None:
        removal, keep = self._removals[kind], self._keep[kind]
        if not self._is_there(kind):
            return
        held: float | None = None
        for row in self._ledger.ended_between(self._swept[kind], now - keep):
            if stopping() and held is None:
                held = row.ended_at
            if stopping():
                break
            job = _OldJob(row, now - keep, keep, self._ledger, removal)
            try:
                job.remove_outputs() if kind == "outbox" else job.remove_inputs(kind)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM):
                    self._swept[kind] = held or row.ended_at or 0.0
                    raise
                self.refused = f"{error.filename} of job {row.id}: {error.strerror}"
                job.wait()
            if job.waits and held is None:
                held = row.ended_at
        self._swept[kind] = now - keep if held is None else held

    def _is_there(self, kind: str) -> bool:
        """False for a folder that is missing, or an outbox whose disk is not mounted."""
        root = self._removals[kind].root
        return (root / STAGING if kind == "outbox" else root).is_dir()

    def _tidy(self, removal: Removal) -> None:
        """Remove empty subfolders, but none that a job is about to be put into.

        The dispatcher commits to the ledger before it puts anything there, which it cannot while
        this transaction lasts.
        """
        more = True
        while more:
            with self._ledger.transaction():
                if self._ledger.is_placing():
                    return
                more = removal.tidy()


class _OldJob:
    """A job that ended before ``cutoff``; ``waits`` tells that some of its files are not due."""

    def __init__(
        self, row: JobRow, cutoff: float, keep: float, ledger: Ledger, removal: Removal
    ) -> None:
        self._row = row
        self._ended = row.ended_at or 0.0
        self._cutoff = cutoff
        self._keep = keep
        self._ledger = ledger
        self._removal = removal
        self.waits = False

    def wait(self) -> bool:
        """Have the job looked at again, unless it is twice as old; True if it is."""
        if self._ended >= self._cutoff - self._keep:
            self.waits = True
        return self.waits

    def remove_inputs(self, kind: str) -> None:
        """Remove the archived inputs with their reason file."""
        plan = self._row.archive
        if plan is not None and plan.kind == kind:
            for entry in self._row.spec.files:
                if entry.name in plan.names:
                    self._remove_input(plan, entry)
            if plan.reason:
                path = Path(plan.folder) / plan.reason
                self._removal.file(path, lambda _, found: self._is_due(found, path))
        if self._row.spec.bundle:
            self._remove_shared_sidecar()

    def remove_outputs(self) -> None:
        """Remove the published file or folder; what a person has added or changed stays."""
        outputs = self._row.spec.outputs
        if not self._row.published or outputs is None:
            return
        path = self._removal.root / self._row.published

        def ours(name: str, found: os.stat_result) -> bool:
            known = name == path.name or name in outputs.frames or is_assembly(name, outputs.name)
            return known and self._is_unchanged(found) and self._is_due(found)

        if self._removal.kind(path) == stat.S_IFREG:
            self._removal.file(path, ours)
        else:
            self._removal.folder(path, ours)

    def _remove_input(self, plan: ArchivePlan, entry: FileEntry) -> None:
        path = Path(plan.folder) / plan.names[entry.name]

        def ours(_: str, found: os.stat_result) -> bool:
            same = found.st_mtime_ns == entry.mtime_ns or self._is_unchanged(found)
            return found.st_size == entry.size and same and self._is_due(found, path)

        self._removal.file(path, ours)

    def _remove_shared_sidecar(self) -> None:
        """Remove the sidecar that went where the last of its jobs went, with that one."""
        bundle = self._ledger.bundle_ended_by(self._row)
        if bundle is None:
            return
        folder = self._removal.root / bundle.rel.rpartition("/")[0]
        for number in range(1, _MOST_NUMBERED + 1):
            self._removal.file(
                folder / numbered([bundle.name], number)[0],
                lambda _, found: found.st_ino == bundle.inode and self._is_due(found),
            )

    def _is_unchanged(self, found: os.stat_result) -> bool:
        """True if nobody has changed the content since the job ended."""
        return found.st_mtime <= self._ended + _SLACK

    def _is_due(self, found: os.stat_result, path: Path | None = None) -> bool:
        """True for a file that has lain there long enough and that no other job lays claim to."""
        if path is not None:
            if self._ledger.put_again(self._row, path):
                return False  # that job is younger, and answers for it
            if self._ledger.is_source(self._row, path, self._cutoff):
                self.waits = True
                return False
        return found.st_ctime < self._cutoff or not self.wait()

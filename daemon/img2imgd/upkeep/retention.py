"""Old files of done, failed and outbox: which of them img2imgd put there, and which are due.

The rules, each on the safe side:

- The ledger says what lies where. A file that it does not know (put there by a person, or of a
  forgotten job) is never touched, nor is one that has another size or mtime than it was left with.
- A file's age counts from the first round that finds its job archived, within an hour of its end:
  the clock may have been far behind then, and the file's mtime is the camera's. If its ctime is
  younger (somebody moved it back), it stays longer, at most twice as long.
- An input stays as long as a late sidecar may come for it, whatever ``retention`` says.
- A job is looked at again until its files are gone; the ledger forgets none before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.ledger import JobRow, Ledger
from img2imgd.outputs.names import is_assembly
from img2imgd.outputs.staging import STAGING
from img2imgd.outputs.stamps import Stamp, is_as
from img2imgd.upkeep.removing import Removal

_SLACK = 300.0  # seconds that the clock of a file server may be ahead of ours


class Retention:
    """Removes files by age, job by job. ``refused`` says why a file could not be removed.

    ``late`` is the longest time, in seconds, that a sidecar may come after its picture.
    """

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self.late = max((inbox.late_sidecar for inbox in config.inboxes), default=0.0)
        kept = config.retention
        wanted = {
            "outbox": kept.outbox,
            "done": None if kept.done is None else max(kept.done, self.late),
            "failed": None if kept.failed is None else max(kept.failed, self.late),
        }
        self._keep = {kind: seconds for kind, seconds in wanted.items() if seconds is not None}
        self._removals = {kind: Removal(getattr(config, kind)) for kind in self._keep}
        self._swept = dict.fromkeys(self._keep, 0.0)
        self.refused = ""

    @property
    def swept(self) -> float:
        """Jobs whose age counts from before this have no files left that are to be removed."""
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
        slack = 0.0 if filesystems.kind_of(removal.root).local else _SLACK
        for since, row in self._ledger.aged_between(self._swept[kind], now - keep):
            if stopping() and held is None:
                held = since
            if stopping():
                break
            job = _OldJob(row, since, now - keep, keep, slack, self._ledger, removal)
            try:
                job.remove_outputs() if kind == "outbox" else job.remove_inputs(kind)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM):
                    self._swept[kind] = since if held is None else held
                    raise
                self.refused = f"{error.filename} of job {row.id}: {error.strerror}"
                job.wait()
            if job.waits and held is None:
                held = since
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


@dataclass
class _OldJob:
    """A job whose age counts ``since`` before ``cutoff``.

    ``waits`` tells that some of its files are not due; ``slack`` is how far the clock of their
    filesystem may be ahead of ours.
    """

    row: JobRow
    since: float
    cutoff: float
    keep: float
    slack: float
    ledger: Ledger
    removal: Removal
    waits: bool = False

    def wait(self) -> bool:
        """Have the job looked at again, unless it is twice as old; True if it is."""
        if self.since >= self.cutoff - self.keep:
            self.waits = True
        return self.waits

    def remove_inputs(self, kind: str) -> None:
        """Remove the archived inputs with their reason file."""
        plan = self.row.archive
        if plan is not None and plan.kind == kind:
            for entry in self.row.spec.files:
                if entry.name in plan.names:
                    path = Path(plan.folder) / plan.names[entry.name]
                    stamp = entry.size, entry.mtime_ns
                    self._remove_file(path, [stamp], rewritten=entry.how == "copy")
            if plan.reason:
                path = Path(plan.folder) / plan.reason
                self._remove_file(path, [plan.reason_as] if plan.reason_as else [])
        if self.row.spec.bundle:
            self._remove_shared()

    def remove_outputs(self) -> None:
        """Remove the published file or folder; what a person has added or changed stays."""
        outputs = self.row.spec.outputs
        if not self.row.published or outputs is None:
            return
        path = self.removal.root / self.row.published

        def ours(name: str, found: os.stat_result) -> bool:
            known = name == path.name or name in outputs.frames or is_assembly(name, outputs.name)
            return known and self._is_left(found, self.row.spec.painted) and self._is_due(found)

        if self.removal.kind(path) == stat.S_IFREG:
            self.removal.file(path, ours)
        else:
            self.removal.folder(path, ours)

    def _remove_file(self, path: Path, stamps: Sequence[Stamp], *, rewritten: bool = False) -> None:
        def ours(_: str, found: os.stat_result) -> bool:
            left = self._is_left(found, stamps, rewritten=rewritten)
            return left and self._is_due(found, path)

        self.removal.file(path, ours)

    def _remove_shared(self) -> None:
        """Remove what the job shared with others, after the last of them."""
        bundle = self.ledger.bundle_ended_by(self.row)
        for file in self.ledger.bundle_files(bundle.id) if bundle else ():
            if file.path.is_relative_to(self.removal.root):
                self._remove_file(file.path, [(file.size, file.mtime_ns)])

    def _is_left(
        self, found: os.stat_result, stamps: Sequence[Stamp], *, rewritten: bool = False
    ) -> bool:
        """True if a file is as it was left, by its stamp.

        By its size and the end of the job if it was ``rewritten`` for the job, or where the
        filesystem sets times of its own; by that end alone if the stamps were lost.
        """
        if any(is_as(found, size, mtime_ns) for size, mtime_ns in stamps):
            return True
        if stamps and not rewritten and not self.slack:
            return False
        as_large = not stamps or found.st_size in {size for size, _ in stamps}
        return as_large and found.st_mtime <= (self.row.ended_at or 0.0) + self.slack

    def _is_due(self, found: os.stat_result, path: Path | None = None) -> bool:
        """True for a file that has lain there long enough and that no other job lays claim to."""
        if path is not None:
            if self.ledger.put_again(self.row, path):
                return False  # that job is younger, and answers for it
            if self.ledger.is_source(self.row, path, self.cutoff):
                self.waits = True
                return False
        return found.st_ctime < self.cutoff or not self.wait()

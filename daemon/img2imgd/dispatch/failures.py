"""What kept a drop from being served is over once it is: its reason file would mislead.

So a job that failed, or was cancelled, ends as `replaced` when a later one has served the same
drop: in an inbox whose drops are moved the same files, put back from ``failed`` by hand; in one
that keeps them, any newer save.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from img2imgd import durable
from img2imgd.job import JobState
from img2imgd.ledger import BundleRow, JobRow, Ledger, missing_mount
from img2imgd.outputs.reasons import remove_reason
from img2imgd.outputs.stamps import Stamp

log = logging.getLogger(__name__)


class OldFailures:
    """Ends the failures of drops that were served. It is a courtesy: no fault of a disk counts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def end(self, row: JobRow) -> None:
        """Those of a job that is done: of its picture, and of its sidecar, which came too late."""
        for rel, stamp in _parts(row):
            self._end(row, rel, stamp)

    def end_of_bundle(self, row: JobRow, bundle: BundleRow) -> None:
        """Those of what several jobs shared, ``row`` among them: it had been refused as a whole."""
        for file in self._ledger.bundle_files(bundle.id):
            if file.name == bundle.name:
                self._end(row, bundle.rel, (file.size, file.mtime_ns))

    def _end(self, row: JobRow, rel: str, stamp: Stamp) -> None:
        for older in self._ledger.not_served_before(row, rel):
            try:
                self._replace(older, row, stamp)
            except OSError as error:
                log.warning(
                    "job %s: its reason cannot be removed, though it was served since: %s: %s",
                    older.id, error.filename, error.strerror,
                )  # fmt: skip

    def _replace(self, older: JobRow, row: JobRow, stamp: Stamp) -> None:
        plan, subject = older.archive, older.spec.subject
        if plan is None or missing_mount(Path(plan.folder), self._ledger.facts()):
            return
        left = {name: to for name, to in plan.names.items() if _lies(plan.folder, to)}
        if row.spec.mode == "move":
            if subject.name in left or (subject.size, subject.mtime_ns) != stamp:
                return  # another file of that name
            why = f"Job {row.id} has served it since."
        else:
            why = f"Job {row.id} has served a newer save of it."
        if plan.reason:
            remove_reason(Path(plan.folder) / plan.reason, older.id, plan.reason_as)
        rest = replace(plan, names=left, reason="", reason_as=None, back=0)
        with self._ledger.transaction():
            self._ledger.replace_plan(older.id, rest)
            self._ledger.restate(older.id, JobState.REPLACED, f"{why} Before that: {older.reason}")
            self._ledger.end_orders(older.id)


def _parts(row: JobRow) -> Iterator[tuple[str, Stamp]]:
    """The path in the inbox of each file that was dropped for a job, and its stamp."""
    subject, *others = row.spec.files
    yield row.spec.rel, (subject.size, subject.mtime_ns)
    folder = Path(row.spec.rel).parent
    for entry in others:
        if entry.how == "move":
            yield str(folder / Path(entry.source).name), (entry.size, entry.mtime_ns)


def _lies(folder: str, name: str) -> bool:
    return durable.is_there(Path(folder) / name)

"""What upkeep asks of the ledger: old jobs, forgetting them, giving their room back to the disk.

Every write here is short, some hundred rows or pages: a claim that comes meanwhile hardly waits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from img2imgd.job import JobState
from img2imgd.ledger import schema
from img2imgd.ledger.jobs import job_row
from img2imgd.ledger.rows import ArchivePlan, JobRow, stem_of
from img2imgd.ledger.served import Served

CHUNK = 200  # rows or pages in one transaction
_SPARE_PAGES = 256  # free pages that are left in the file for the next jobs: 1 MB
_SMALL = 16 << 20  # bytes of content that can be copied while a claim waits


class Pruning(Served):
    """The side of the ledger that keeps it small."""

    def note_archived(self, now: float) -> None:
        """Have the age of the jobs that are archived by ``now`` count from here, and their places.

        When a job itself says that it ended, the clock may have been far behind.
        """
        if not self.read("SELECT 1 FROM pragma_table_info('jobs') WHERE name='aging_from'"):
            self.run(schema.AGING)
        self.run(schema.INDEXES)
        new = "SELECT id, archive FROM jobs WHERE aging_from IS NULL AND archived=1 LIMIT ?"
        while rows := self.read(new, (CHUNK,)):
            with self.transaction():
                self.sql.executemany(
                    "INSERT OR IGNORE INTO placed(path, job) VALUES(?,?)",
                    [
                        (path, row["id"])
                        for row in rows
                        if row["archive"]
                        for path in _places(ArchivePlan.from_json(row["archive"]))
                    ],
                )
                self.sql.executemany(
                    "UPDATE jobs SET aging_from=? WHERE id=?", [(now, row["id"]) for row in rows]
                )

    def shift_ages(self, seconds: float) -> None:
        """Leave all jobs as old as they are when the clock has been set by so much."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET aging_from=aging_from+?", (seconds,))

    def aged_between(self, start: float, end: float) -> Iterator[tuple[float, JobRow]]:
        """Jobs whose age counts from ``start`` to before ``end`` (seconds since 1970), in order.

        They are read in chunks: jobs may be forgotten, and others may write, in between.
        """
        query = (
            "SELECT * FROM jobs WHERE (aging_from, id)>(?,?) AND aging_from<? AND archived=1"
            " ORDER BY aging_from, id LIMIT ?"
        )
        last = (start, "")
        while rows := self.read(query, (*last, end, CHUNK)):
            for row in rows:
                yield row["aging_from"], job_row(row)
            last = (rows[-1]["aging_from"], rows[-1]["id"])

    def put_again(self, row: JobRow, path: Path) -> bool:
        """True if a later job, of whatever inbox, has put its own input or reason at ``path``.

        Or what it shares with others.
        """
        placed = (
            "SELECT 1 FROM placed JOIN jobs ON jobs.id=placed.job WHERE path=?"
            " AND (aging_from, jobs.rowid)>(SELECT aging_from, rowid FROM jobs WHERE id=?) LIMIT 1"
        )
        if self.read(placed, (os.fsencode(path), row.id)):
            return True
        bundled = (
            "SELECT 1 FROM bundled JOIN jobs USING(bundle) WHERE path=? AND bundle<>?"
            " AND (aging_from IS NULL"
            " OR (aging_from, jobs.rowid)>(SELECT aging_from, rowid FROM jobs WHERE id=?)) LIMIT 1"
        )
        if self.read(bundled, (os.fsencode(path), row.spec.bundle or "", row.id)):
            return True
        # Of jobs that came since the last round the plans are looked through: they are few.
        # A name is a value of the plan here, never a key: those follow no colon.
        new = (
            "SELECT 1 FROM jobs WHERE aging_from IS NULL"
            " AND instr(archive, ?)>0 AND instr(archive, ?)>0 LIMIT 1"
        )
        folder = f'"folder": {json.dumps(str(path.parent))}'
        return bool(self.read(new, (folder, f": {json.dumps(path.name)}")))

    def is_source(self, row: JobRow, path: Path, since: float) -> bool:
        """True if a later job of the same drop reads ``path``, and ended after ``since`` or will.

        A late sidecar that comes for that job goes back to ``path``.
        """
        rel = row.spec.rel
        asked = (
            "SELECT 1 FROM jobs WHERE inbox=? AND stem=? AND rel=?"
            " AND rowid>(SELECT rowid FROM jobs WHERE id=?)"
            " AND instr(spec, ?)>0 AND (aging_from IS NULL OR aging_from>=?) LIMIT 1"
        )
        drop = (row.spec.inbox, stem_of(rel), os.fsencode(rel), row.id)
        return bool(self.read(asked, (*drop, f'"source": {json.dumps(str(path))}', since)))

    def is_placing(self) -> bool:
        """True while files of some job are on their way to outbox, done or failed."""
        publishing = "SELECT 1 FROM jobs WHERE state=? LIMIT 1"
        if self.read(publishing, (JobState.PUBLISHING.value,)):
            return True
        archiving = "SELECT 1 FROM jobs WHERE archived=0 AND ended_at IS NOT NULL LIMIT 1"
        return bool(self.read(archiving))

    def forget_jobs(self, jobs: Sequence[str]) -> None:
        """Delete jobs with their frames."""
        for at in range(0, len(jobs), CHUNK):
            with self.transaction():
                some = [(job,) for job in jobs[at : at + CHUNK]]
                self.sql.executemany("DELETE FROM jobs WHERE id=?", some)
                self.sql.executemany("DELETE FROM orders WHERE job=?", some)

    def served_paths(self, spool: str, inbox: str) -> Iterator[str]:
        """The paths of an inbox whose last served content is known and whose jobs are forgotten."""
        last = b""
        query = "SELECT rel FROM served WHERE inbox=? AND rel>? ORDER BY rel LIMIT ?"
        while rows := self.read(query, (spool, last, CHUNK)):
            paths = [os.fsdecode(row["rel"]) for row in rows]
            yield from (rel for rel in paths if not self._is_known(inbox, rel))
            last = rows[-1]["rel"]

    def forget_served(self, spool: str, paths: Collection[str]) -> None:
        """Forget what was served for these paths."""
        with self.transaction():
            self.sql.executemany(
                "DELETE FROM served WHERE inbox=? AND rel=?",
                [(spool, os.fsencode(rel)) for rel in paths],
            )

    def compact(self, free_bytes: int) -> None:
        """Give free pages back to the disk, which has ``free_bytes`` left, and shorten the log.

        A ledger of an earlier version is rewritten once, where that is short and worth it.
        """
        free, size = self._pragma("freelist_count"), self._pragma("page_size")
        if self._pragma("auto_vacuum"):
            while free > _SPARE_PAGES:
                self.run(f"PRAGMA incremental_vacuum({CHUNK})")
                free, before = self._pragma("freelist_count"), free
                if free >= before:
                    break
        else:
            content = (self._pragma("page_count") - free) * size
            worth_it = free > _SPARE_PAGES and free * size > content / 2
            if worth_it and content < min(_SMALL, free_bytes / 3):
                self.run("PRAGMA auto_vacuum=INCREMENTAL; VACUUM")
        # No PRAGMA optimize: nearly all jobs are done, and statistics that say so much without
        # saying of which state make the planner read the whole table for the few that are not.
        self._shorten_log()

    def _shorten_log(self) -> None:
        """Empty the write-ahead log, unless others are at work: then the next time."""
        before = self._pragma("busy_timeout")
        self.run("PRAGMA busy_timeout=100")
        try:
            self.run("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.run(f"PRAGMA busy_timeout={before}")

    def _is_known(self, inbox: str, rel: str) -> bool:
        asked = "SELECT 1 FROM jobs WHERE inbox=? AND stem=? AND rel=? LIMIT 1"
        return bool(self.read(asked, (inbox, stem_of(rel), os.fsencode(rel))))

    def _pragma(self, name: str) -> int:
        [(value,)] = self.read(f"PRAGMA {name}")
        return int(value)


def _places(plan: ArchivePlan) -> list[bytes]:
    """The paths that a job's inputs and its reason were brought to."""
    names = filter(None, [*plan.names.values(), plan.reason])
    return [os.fsencode(Path(plan.folder) / name) for name in names]

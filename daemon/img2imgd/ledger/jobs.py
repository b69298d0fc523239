"""The table of jobs: adding, moving on, finding."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from img2imgd.job import ENDED, FrameState, JobState
from img2imgd.ledger.connection import Transactions
from img2imgd.ledger.rows import ArchivePlan, EndedJob, JobRow, JobSpec, as_text, stem_of

_ENDED = tuple(state.value for state in ENDED)
_LISTED = "(SELECT value FROM json_each(?))"  # there may be more than SQLite takes as values
_HOME = "coalesce(nullif(json_extract(spec, '$.spool'), ''), inbox)"  # JobSpec.home
SHORT_JOB = 16  # frames; the index jobs_short says it too
_SHORT = f"json_array_length(spec, '$.outputs.frames') <= {SHORT_JOB}"
_MODEL = "json_extract(spec, '$.request.model')"  # the index jobs_by_model says it too
_UNDER_WAY = "ended_at IS NULL OR archived=0"


@dataclass(frozen=True)
class Mark:
    """A moment of the ledger: its last archived job, and the jobs that were under way."""

    last: int = 0
    under_way: tuple[str, ...] = ()


class Jobs(Transactions):
    """What the ledger knows of jobs."""

    def add_job(
        self, spec: JobSpec, state: JobState, frames: Iterable[tuple[int, int]] = ()
    ) -> None:
        """Record a job and its ``frames`` as (index, steps to run)."""
        names = spec.outputs.frames if spec.outputs else ()
        with self.transaction():
            self.sql.execute(
                "INSERT INTO jobs(id, inbox, rel, stem, state, spec, claimed_at, reason, bundle)"
                " VALUES(?,?,?,?,?,?,?,?,?)",
                (
                    spec.id, spec.inbox, os.fsencode(spec.rel), stem_of(spec.rel), state.value,
                    spec.to_json(), time.time(), as_text(spec.error), spec.bundle,
                ),
            )  # fmt: skip
            self.sql.executemany(
                "INSERT INTO frames(job, idx, state, steps, name) VALUES(?,?,?,?,?)",
                [
                    (spec.id, index, FrameState.WAITING.value, steps, names[index])
                    for index, steps in frames
                ],
            )

    def drop_job(self, job: str) -> None:
        """Forget a job whose claim was undone, and the names it had reserved."""
        with self.transaction():
            self.sql.execute("DELETE FROM jobs WHERE id=?", (job,))
            self.sql.execute("DELETE FROM reserved WHERE job=?", (job,))
            self.sql.execute("DELETE FROM orders WHERE job=?", (job,))

    def set_state(self, job: str, state: JobState, reason: str | None = None) -> None:
        """Move a job on; start and end times follow from the state."""
        now = time.time()
        with self.transaction():
            self.sql.execute(
                "UPDATE jobs SET state=?, reason=coalesce(?, reason),"
                " started_at=CASE WHEN ?='running' THEN coalesce(started_at, ?)"
                " ELSE started_at END,"
                " ended_at=CASE WHEN ? THEN ? ELSE NULL END WHERE id=?",
                (
                    state.value,
                    None if reason is None else as_text(reason),
                    state.value,
                    now,
                    state.ended,
                    now,
                    job,
                ),
            )

    def restate(self, job: str, state: JobState, reason: str) -> None:
        """Say of a job that has ended something else, without changing when that was."""
        with self.transaction():
            self.sql.execute(
                "UPDATE jobs SET state=?, reason=? WHERE id=?", (state.value, as_text(reason), job)
            )

    def set_published(self, job: str, published: str) -> None:
        """Record where a job's outputs are, and that every staged frame is among them."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET published=? WHERE id=?", (published, job))
            self.sql.execute(
                "UPDATE frames SET state='published' WHERE job=? AND state='staged'", (job,)
            )

    def set_publishing(self, spec: JobSpec) -> None:
        """Move a job on to being published; its spec has the stamps of its outputs now."""
        with self.transaction():
            self.set_state(spec.id, JobState.PUBLISHING)
            self.sql.execute("UPDATE jobs SET spec=? WHERE id=?", (spec.to_json(), spec.id))

    def set_archive(self, job: str, plan: ArchivePlan, state: JobState, reason: str) -> None:
        """End a job and record where its inputs will go, in one commit, before they move."""
        with self.transaction():
            self.set_state(job, state, reason)
            self.sql.execute("UPDATE jobs SET archive=? WHERE id=?", (plan.to_json(), job))

    def add_ended(self, spec: JobSpec, ended: EndedJob) -> None:
        """Record a job that had ended under a ledger that is no more; its inputs still move."""
        with self.transaction():
            self.add_job(spec, ended.state)
            self.set_archive(spec.id, ended.archive, ended.state, ended.reason)
            self.sql.execute("UPDATE jobs SET published=? WHERE id=?", (ended.published, spec.id))

    def set_unarchived(self, job: str) -> None:
        """Inputs of the job were found in the spool after all: the rest of its plan is due."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET archived=0 WHERE id=?", (job,))

    def replace_plan(self, job: str, plan: ArchivePlan) -> None:
        """Store a plan to which something was added."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET archive=? WHERE id=?", (plan.to_json(), job))

    def set_archived(self, job: str) -> None:
        """All inputs of the job are in done or failed; its spool folder is gone."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET archived=1 WHERE id=?", (job,))
            self.sql.execute("DELETE FROM reserved WHERE job=?", (job,))

    def count_attempt(self, job: str) -> int:
        """One more attempt failed; returns how many that makes."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET attempts=attempts+1 WHERE id=?", (job,))
        [(attempts,)] = self.read("SELECT attempts FROM jobs WHERE id=?", (job,))
        return int(attempts)

    def clear_attempts(self, job: str) -> None:
        """The job got on since its last crash: only crashes in a row count."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET attempts=0 WHERE id=? AND attempts>0", (job,))

    def set_suspect(self, job: str, suspect: bool) -> None:
        """Mark a job that was in a worker when it died: it runs alone next time."""
        with self.transaction():
            self.sql.execute("UPDATE jobs SET suspect=? WHERE id=?", (int(suspect), job))

    def job(self, job: str) -> JobRow | None:
        """One job, or None."""
        rows = self._jobs("id=?", (job,))
        return rows[0] if rows else None

    def jobs_in(self, *states: JobState, limit: int = -1) -> list[JobRow]:
        """Jobs in any of these states, oldest claim first."""
        marks = ",".join("?" * len(states))
        return self._jobs(f"state IN ({marks})", [s.value for s in states], limit=limit)

    def queued(
        self,
        limit: int,
        without_models: Collection[str] = (),
        without_homes: Collection[str] = (),
        without_jobs: Collection[str] = (),
        *,
        short: bool = False,
        model: str | None = None,
    ) -> list[JobRow]:
        """Jobs that may start, oldest claim first; some models, spools and jobs are left out.

        With ``short``, only those of at most SHORT_JOB frames; with ``model``, only its own.
        """
        without = without_models, without_homes, without_jobs
        of_kind = f" AND {_SHORT}" if short else ""
        of_kind += f" AND {_MODEL}=?" if model is not None else ""
        return self._jobs(
            f"state='queued'{of_kind} AND {_MODEL} NOT IN {_LISTED}"
            f" AND {_HOME} NOT IN {_LISTED}"
            f" AND id NOT IN {_LISTED}",
            [
                *([] if model is None else [model]),
                *(json.dumps(list(names)) for names in without),
            ],
            limit=limit,
        )

    def unarchived(
        self,
        limit: int = -1,
        without_homes: Collection[str] = (),
        without_jobs: Collection[str] = (),
    ) -> list[JobRow]:
        """Jobs that ended and whose inputs are still in the spool, oldest first."""
        marks = ",".join("?" * len(_ENDED))
        # The plus sign keeps SQLite to the index of jobs to archive: a queue may be long. So may
        # what is to be archived, once thousands are cancelled: their specs are not looked into.
        which, values = f"archived=0 AND state IN ({marks})", list[Any](_ENDED)
        for column, names in ((_HOME, without_homes), ("+id", without_jobs)):
            if names:
                which += f" AND {column} NOT IN {_LISTED}"
                values.append(json.dumps(list(names)))
        chosen = f"SELECT rowid FROM jobs WHERE {which} ORDER BY +rowid LIMIT ?"  # noqa: S608
        return self._jobs(f"rowid IN ({chosen})", [*values, limit])

    def placing(self, folder: str) -> list[JobRow]:
        """Those of them whose inputs have names in this folder of done or failed already."""
        part = f'"folder": {json.dumps(folder)}, '  # a folder's name may be no text for SQLite
        # What has a plan has ended. Of thousands that were cancelled at once few have one yet, and
        # this is asked for each: by the index of those, the others are not looked at.
        return self._jobs(
            "archived=0 AND archive<>'' AND instr(archive, ?)>0", (part,), order="+rowid"
        )

    def last_ended(self, limit: int, states: Collection[JobState] = ENDED) -> list[JobRow]:
        """The jobs that ended last in one of these states, newest first."""
        marks = ",".join("?" * len(states))
        values = [state.value for state in states]
        return self._jobs(
            f"state IN ({marks})", values, order="ended_at DESC, rowid DESC", limit=limit
        )

    def mark(self) -> Mark:
        """What the ledger knows by now, for :meth:`jobs_since`; no clock is asked."""
        # The number of a job whose claim is undone is given to the next one: those do not count.
        [(last,)] = self.read("SELECT coalesce(max(rowid), 0) FROM jobs WHERE archived=1")
        return Mark(last, tuple(row.id for row in self._jobs(_UNDER_WAY, (), order="+rowid")))

    def jobs_since(self, mark: Mark) -> list[JobRow]:
        """Jobs that were under way at the mark, or came later."""
        return self._jobs(
            "rowid>? OR id IN (SELECT value FROM json_each(?))",
            (mark.last, json.dumps(mark.under_way)),
            order="+rowid",
        )

    def newest_for(self, inbox: str, rel: str, stem_only: bool, since: float) -> JobRow | None:
        """The newest job of a path (or of any picture with that stem) claimed since then."""
        column, value = ("stem", stem_of(rel + ".x")) if stem_only else ("rel", os.fsencode(rel))
        rows = self._jobs(
            f"inbox=? AND {column}=? AND claimed_at>=? AND state<>'replaced'",
            (inbox, value, since),
            order="rowid DESC",
            limit=1,
        )
        return rows[0] if rows else None

    def later_of(self, row: JobRow) -> list[JobRow]:
        """Later jobs of the same path of the same inbox, but those that were replaced, in order."""
        rel = row.spec.rel
        return self._jobs(
            "inbox=? AND stem=? AND rel=? AND state<>'replaced'"
            " AND rowid>(SELECT rowid FROM jobs WHERE id=?)",
            (row.spec.inbox, stem_of(rel), os.fsencode(rel), row.id),
        )

    def not_served_before(self, row: JobRow, rel: str) -> list[JobRow]:
        """Earlier jobs of a path of the job's inbox that failed or were cancelled, all archived.

        None of them has published anything.
        """
        return self._jobs(
            "inbox=? AND stem=? AND rel=? AND state IN ('failed','cancelled') AND archived=1"
            " AND published='' AND rowid<(SELECT rowid FROM jobs WHERE id=?)",
            (row.spec.inbox, stem_of(rel), os.fsencode(rel), row.id),
        )

    def queued_for(self, inbox: str, rel: str, home: str) -> list[JobRow]:
        """Jobs of a path that have never started, and whose files are in that spool."""
        return self._jobs(
            f"inbox=? AND stem=? AND rel=? AND state='queued' AND started_at IS NULL AND {_HOME}=?",
            (inbox, stem_of(rel), os.fsencode(rel), home),
        )

    def ended_last(self, inbox: str, rel: str, home: str) -> JobRow | None:
        """Of the jobs of a path that were begun and have ended, the one that was claimed last."""
        rows = self._jobs(
            "inbox=? AND stem=? AND rel=? AND started_at IS NOT NULL AND ended_at IS NOT NULL"
            f" AND {_HOME}=?",
            (inbox, stem_of(rel), os.fsencode(rel), home),
            order="rowid DESC",
            limit=1,
        )
        return rows[0] if rows else None

    def count_in(self, *states: JobState) -> int:
        """How many jobs are in any of these states; quick while those are few of all."""
        marks = ",".join("?" * len(states))
        [(count,)] = self.read(
            f"SELECT count(*) FROM jobs WHERE state IN ({marks})",  # noqa: S608
            [state.value for state in states],
        )
        return count

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(tuple(r) for r in self.read("SELECT state, count(*) FROM jobs GROUP BY state"))

    def _jobs(
        self, where: str, values: Sequence[Any], order: str = "rowid", limit: int = -1
    ) -> list[JobRow]:
        rows = self.read(
            f"SELECT * FROM jobs WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
            (*values, limit),
        )
        return [job_row(row) for row in rows]


@lru_cache(maxsize=128)  # the same jobs are looked at again and again; a long sweep's is 30 kB
def _spec(text: str) -> JobSpec:
    return JobSpec.from_json(text)


def job_row(row: sqlite3.Row) -> JobRow:
    """A row of the table of jobs."""
    return JobRow(
        spec=_spec(row["spec"]),
        state=JobState(row["state"]),
        claimed_at=row["claimed_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        attempts=row["attempts"],
        suspect=bool(row["suspect"]),
        reason=row["reason"],
        published=row["published"],
        archive=ArchivePlan.from_json(row["archive"]) if row["archive"] else None,
        archived=bool(row["archived"]),
    )

"""Reading and writing the ledger. One connection per thread; every write is its own transaction."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from img2imgd.errors import EnvironmentFault
from img2imgd.job import ENDED, FrameState, JobState
from img2imgd.ledger import schema
from img2imgd.ledger.rows import ArchivePlan, BundleRow, FrameRow, JobRow, JobSpec, stem_of

_ENDED = tuple(state.value for state in ENDED)


def open_ledger(path: Path) -> Ledger:
    """Open the ledger for writing, making its tables if it is new.

    Synchronous FULL: what is committed survives a power loss.

    Raises:
        EnvironmentFault: the file cannot be opened, or was written by a newer version.
    """
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {schema.TABLES} PRAGMA user_version={schema.VERSION}; COMMIT;"
            )
    except sqlite3.Error as error:
        raise EnvironmentFault(f"The ledger {path} cannot be opened: {error}.") from error
    if version > schema.VERSION:
        raise EnvironmentFault(
            f"The ledger {path} was written by a newer img2imgd (format {version}, "
            f"this one knows {schema.VERSION}).",
            "Start the newer version, or give this one a state folder of its own.",
        )
    return Ledger(connection)


def read_ledger(path: Path) -> Ledger | None:
    """Open an existing ledger for reading only (``status``); None when there is none yet.

    Raises:
        EnvironmentFault: the file cannot be read.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise EnvironmentFault(f"The ledger {path} cannot be read: {error}.") from error
    if version == 0:  # a daemon is just making it
        connection.close()
        return None
    return Ledger(connection)


class Ledger:
    """The jobs of one daemon. Methods that write commit before they return."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._sql.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the connection."""
        self._sql.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Several writes as one commit; nested use joins the outer one."""
        if self._sql.in_transaction:
            yield
            return
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            yield
            self._sql.execute("COMMIT")
        except BaseException as error:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):  # disk full, read-only, locked
                raise EnvironmentFault(f"The ledger cannot be written: {error}.") from error
            raise

    # Jobs

    def add_job(
        self, spec: JobSpec, state: JobState, frames: Iterable[tuple[int, int]] = ()
    ) -> None:
        """Record a job and its ``frames`` as (index, steps to run)."""
        names = spec.outputs.frames if spec.outputs else ()
        with self.transaction():
            self._sql.execute(
                "INSERT INTO jobs(id, inbox, rel, stem, state, spec, claimed_at, reason, bundle)"
                " VALUES(?,?,?,?,?,?,?,?,?)",
                (
                    spec.id, spec.inbox, os.fsencode(spec.rel), stem_of(spec.rel), state.value,
                    spec.to_json(), time.time(), _text(spec.error), spec.bundle,
                ),
            )  # fmt: skip
            self._sql.executemany(
                "INSERT INTO frames(job, idx, state, steps, name) VALUES(?,?,?,?,?)",
                [
                    (spec.id, index, FrameState.WAITING.value, steps, names[index])
                    for index, steps in frames
                ],
            )

    def drop_job(self, job: str) -> None:
        """Forget a job whose claim was undone, and the names it had reserved."""
        with self.transaction():
            self._sql.execute("DELETE FROM jobs WHERE id=?", (job,))
            self._sql.execute("DELETE FROM reserved WHERE job=?", (job,))

    def set_state(self, job: str, state: JobState, reason: str | None = None) -> None:
        """Move a job on; start and end times follow from the state."""
        now = time.time()
        with self.transaction():
            self._sql.execute(
                "UPDATE jobs SET state=?, reason=coalesce(?, reason),"
                " started_at=CASE WHEN ?='running' THEN coalesce(started_at, ?)"
                " ELSE started_at END,"
                " ended_at=CASE WHEN ? THEN ? ELSE NULL END WHERE id=?",
                (
                    state.value,
                    None if reason is None else _text(reason),
                    state.value,
                    now,
                    state.ended,
                    now,
                    job,
                ),
            )

    def replace_spec(self, spec: JobSpec) -> None:
        """Store a changed job file: an output found its name taken and got the next one."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET spec=? WHERE id=?", (spec.to_json(), spec.id))

    def set_published(self, job: str, published: str) -> None:
        """Record where a job's outputs are, and that every staged frame is among them."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET published=? WHERE id=?", (published, job))
            self._sql.execute(
                "UPDATE frames SET state='published' WHERE job=? AND state='staged'", (job,)
            )

    def set_archive(self, job: str, plan: ArchivePlan, state: JobState, reason: str) -> None:
        """End a job and record where its inputs will go, in one commit, before they move."""
        with self.transaction():
            self.set_state(job, state, reason)
            self._sql.execute("UPDATE jobs SET archive=? WHERE id=?", (plan.to_json(), job))

    def set_archived(self, job: str) -> None:
        """All inputs of the job are in done or failed; its spool folder is gone."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET archived=1 WHERE id=?", (job,))
            self._sql.execute("DELETE FROM reserved WHERE job=?", (job,))

    def count_attempt(self, job: str) -> int:
        """One more attempt failed; returns how many that makes."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET attempts=attempts+1 WHERE id=?", (job,))
        row = self._sql.execute("SELECT attempts FROM jobs WHERE id=?", (job,)).fetchone()
        return int(row[0])

    def clear_attempts(self, job: str) -> None:
        """The job got on since its last crash: only crashes in a row count."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET attempts=0 WHERE id=? AND attempts>0", (job,))

    def set_suspect(self, job: str, suspect: bool) -> None:
        """Mark a job that was in a worker when it died: it runs alone next time."""
        with self.transaction():
            self._sql.execute("UPDATE jobs SET suspect=? WHERE id=?", (int(suspect), job))

    def job(self, job: str) -> JobRow | None:
        """One job, or None."""
        rows = self._jobs("id=?", (job,))
        return rows[0] if rows else None

    def jobs_in(self, *states: JobState, limit: int = -1) -> list[JobRow]:
        """Jobs in any of these states, oldest claim first."""
        marks = ",".join("?" * len(states))
        return self._jobs(f"state IN ({marks})", [s.value for s in states], limit=limit)

    def queued(self, limit: int, without_models: Collection[str] = ()) -> list[JobRow]:
        """Jobs that may start, oldest claim first, leaving out those of some models."""
        marks = ",".join("?" * len(without_models))
        return self._jobs(
            f"state='queued' AND json_extract(spec, '$.request.model') NOT IN ({marks})",
            list(without_models),
            limit=limit,
        )

    def unarchived(self) -> list[JobRow]:
        """Jobs that ended and whose inputs are still in the spool, oldest first."""
        marks = ",".join("?" * len(_ENDED))
        return self._jobs(f"archived=0 AND state IN ({marks})", _ENDED)

    def last_ended(self, limit: int, states: Collection[JobState] = ENDED) -> list[JobRow]:
        """The jobs that ended last in one of these states, newest first."""
        marks = ",".join("?" * len(states))
        values = [state.value for state in states]
        return self._jobs(
            f"state IN ({marks})", values, order="ended_at DESC, rowid DESC", limit=limit
        )

    def jobs_since(self, moment: float) -> list[JobRow]:
        """Jobs that ended at ``moment`` or later, or have not ended."""
        return self._jobs("ended_at IS NULL OR ended_at>=?", (moment,))

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

    def queued_for(self, inbox: str, rel: str) -> list[JobRow]:
        """Jobs of a path that have not started."""
        return self._jobs(
            "inbox=? AND stem=? AND rel=? AND state='queued'",
            (inbox, stem_of(rel), os.fsencode(rel)),
        )

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(self._sql.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())

    def _jobs(
        self, where: str, values: Sequence[Any], order: str = "rowid", limit: int = -1
    ) -> list[JobRow]:
        rows = self._sql.execute(
            f"SELECT * FROM jobs WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
            (*values, limit),
        )
        return [_job_row(row) for row in rows]

    # Frames

    def frames(self, job: str) -> list[FrameRow]:
        """A job's frames in order."""
        rows = self._sql.execute("SELECT * FROM frames WHERE job=? ORDER BY idx", (job,))
        return [
            FrameRow(
                row["job"], row["idx"], FrameState(row["state"]), row["step"], row["steps"],
                row["name"], row["reason"],
            )
            for row in rows
        ]  # fmt: skip

    def set_frame(self, job: str, index: int, state: FrameState, reason: str = "") -> None:
        """Move a frame on."""
        with self.transaction():
            self._sql.execute(
                "UPDATE frames SET state=?, reason=?,"
                " step=CASE WHEN ? IN ('staged','published') THEN steps ELSE 0 END"
                " WHERE job=? AND idx=?",
                (state.value, _text(reason), state.value, job, index),
            )

    def set_steps(self, steps: Mapping[tuple[str, int], int]) -> None:
        """Record the progress of frames being painted: (job, index) → steps done."""
        with self.transaction():
            self._sql.executemany(
                "UPDATE frames SET step=? WHERE job=? AND idx=?",
                [(step, job, index) for (job, index), step in steps.items()],
            )

    # Names, bundles, served content

    def reserve(self, outbox: str, folded: str, job: str) -> bool:
        """Take an output name for a job; False when another has it."""
        with self.transaction():
            cursor = self._sql.execute(
                "INSERT OR IGNORE INTO reserved VALUES(?,?,?)", (outbox, folded, job)
            )
        return cursor.rowcount == 1

    def add_bundle(self, bundle: BundleRow) -> None:
        """Record a sidecar that serves several jobs."""
        with self.transaction():
            self._sql.execute(
                "INSERT INTO bundles(id, inbox, rel, name, inode) VALUES(?,?,?,?,?)",
                (
                    bundle.id,
                    bundle.inbox,
                    os.fsencode(bundle.rel),
                    os.fsencode(bundle.name),
                    bundle.inode,
                ),
            )

    def end_bundle(self, bundle: str) -> None:
        """The bundle's sidecar has left the spool."""
        with self.transaction():
            self._sql.execute("UPDATE bundles SET ended=1 WHERE id=?", (bundle,))

    def open_bundles(self) -> list[BundleRow]:
        """Bundles whose sidecar is still in the spool."""
        rows = self._sql.execute("SELECT * FROM bundles WHERE ended=0 ORDER BY id")
        return [
            BundleRow(
                r["id"], r["inbox"], os.fsdecode(r["rel"]), os.fsdecode(r["name"]), r["inode"]
            )
            for r in rows
        ]

    def jobs_of_bundle(self, bundle: str) -> list[JobRow]:
        """All jobs that a bundle's sidecar serves."""
        return self._jobs("bundle=?", (bundle,))

    def served(self, inbox: str, rel: str) -> str | None:
        """The digest of the content last served for a path in keep mode."""
        row = self._sql.execute(
            "SELECT digest FROM served WHERE inbox=? AND rel=?", (inbox, os.fsencode(rel))
        ).fetchone()
        return row[0] if row else None

    def set_served(self, inbox: str, rel: str, digest: str) -> None:
        """Remember the content that is being served for a path."""
        with self.transaction():
            self._sql.execute(
                "INSERT OR REPLACE INTO served VALUES(?,?,?)", (inbox, os.fsencode(rel), digest)
            )

    # The daemon's own state

    def set_waiting(self, inbox: str, why: Mapping[str, str]) -> None:
        """Replace the list of what lies in an inbox and why it is not claimed."""
        with self.transaction():
            self._sql.execute("DELETE FROM waiting WHERE inbox=?", (inbox,))
            self._sql.executemany(
                "INSERT INTO waiting VALUES(?,?,?)",
                [(inbox, os.fsencode(rel), _text(text)) for rel, text in why.items()],
            )

    def waiting(self) -> list[tuple[str, str, str]]:
        """(inbox, path, why) of every file that is not claimed yet."""
        rows = self._sql.execute("SELECT * FROM waiting ORDER BY inbox, rel")
        return [(row["inbox"], os.fsdecode(row["rel"]), row["why"]) for row in rows]

    def set_facts(self, **facts: str) -> None:
        """Store facts of the daemon itself; an empty value removes one."""
        with self.transaction():
            for key, value in facts.items():
                if value:
                    self._sql.execute(
                        "INSERT OR REPLACE INTO facts VALUES(?,?)", (key, _text(value))
                    )
                else:
                    self._sql.execute("DELETE FROM facts WHERE key=?", (key,))

    def facts(self) -> dict[str, str]:
        """All facts of the daemon itself."""
        return dict(self._sql.execute("SELECT key, value FROM facts").fetchall())


def _text(text: str) -> str:
    """Text as SQLite takes it: names in it may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _job_row(row: sqlite3.Row) -> JobRow:
    return JobRow(
        spec=JobSpec.from_json(row["spec"]),
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

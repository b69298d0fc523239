"""What people ask of the daemon: written by commands and the page, done by the daemon."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from img2imgd.durable import look_at
from img2imgd.errors import shown
from img2imgd.job import JobState
from img2imgd.ledger.connection import Transactions
from img2imgd.ledger.rows import JobRow, stem_of

Verb = Literal["cancel", "retry"]

CANCELLABLE = frozenset({JobState.CLAIMING, JobState.QUEUED, JobState.RUNNING})
RETRIABLE = frozenset({JobState.FAILED, JobState.CANCELLED})

_PAUSED = "paused"  # the fact that says since when


@dataclass(frozen=True)
class OrderRow:
    """What is to be done with a job; ``at`` is when it was asked, in seconds since 1970."""

    number: int
    verb: Verb
    job: str
    at: float


def why_not_cancelled(row: JobRow) -> str:
    """Why there is nothing to cancel of a job, for a person; empty where there is."""
    if row.state in CANCELLABLE:
        return ""
    if row.state is JobState.PUBLISHING:
        return "It is painted, and being published."
    return f"It has ended already: {row.state.value}."


def _lies_there(path: Path) -> bool:
    return look_at(path) is not None


def why_not_retried(
    row: JobRow,
    is_there: Callable[[Path], bool] | None = _lies_there,
    served: Container[str] | None = None,
) -> str:
    """Why a job cannot be tried again, for a person; empty where it can.

    ``is_there`` looks for its picture; None does without a look. ``served`` are the paths of the
    config's inboxes, None for any.
    """
    if row.state is JobState.DONE:
        return "It is done. Drop its picture once more to have it painted again."
    if row.state is JobState.REPLACED:
        return "Another job has taken its place already."
    if row.state not in RETRIABLE:
        return f"It has not failed: it is {row.state.value}."
    if served is not None and row.spec.inbox not in served:
        return f"Its inbox {shown(row.spec.inbox)} is not in the config."
    if is_there is None or not row.archived:
        return ""  # its files are still on their way to failed: the retry waits for them
    picture = retried_from(row)
    try:
        if picture is not None and is_there(picture):
            return ""
    except OSError as error:
        return f"The disk of its picture does not answer: {error.strerror}."
    where = f"{shown(str(picture))} is gone" if picture else "Its picture is not in failed"
    return f"{where}. Put the picture into the inbox to have it painted."


def retried_from(row: JobRow) -> Path | None:
    """Where the picture lies that a retry takes: in failed, or in the inbox that keeps it."""
    if row.spec.mode == "keep":
        return Path(row.spec.inbox) / row.spec.rel
    name = row.archive.names.get(row.spec.subject.name) if row.archive else None
    return Path(row.archive.folder) / name if row.archive and name else None


class Orders(Transactions):
    """Orders that wait for the daemon, whether it runs or not; they survive it."""

    def give_order(self, verb: Verb, *jobs: str) -> None:
        """Ask for something, once for each job: a second time while it waits changes nothing."""
        with self.transaction():
            self.sql.executemany(
                "INSERT OR IGNORE INTO orders(verb, job, at) VALUES(?,?,?)",
                [(verb, job, time.time()) for job in jobs],
            )

    def order_all(
        self, verb: Verb, states: Collection[JobState], inboxes: Collection[Path] | None = None
    ) -> int:
        """Ask for something for every job in these states; how many those are.

        With ``inboxes``, only for jobs that came through one of them.
        """
        values = [json.dumps([state.value for state in states])]
        which = "state IN (SELECT value FROM json_each(?))"
        if inboxes is not None:
            values.append(json.dumps([str(inbox) for inbox in inboxes]))
            which += " AND inbox IN (SELECT value FROM json_each(?))"
        with self.transaction():
            self.sql.execute(
                "INSERT OR IGNORE INTO orders(verb, job, at)"  # noqa: S608
                f" SELECT ?, id, ? FROM jobs WHERE {which} ORDER BY rowid",
                (verb, time.time(), *values),
            )
            [(count,)] = self.read(
                f"SELECT count(*) FROM jobs WHERE {which}",  # noqa: S608
                values,
            )
        return int(count)

    def orders(self, verb: Verb, limit: int = -1) -> list[OrderRow]:
        """What waits to be done, oldest first."""
        query = "SELECT * FROM orders WHERE verb=? ORDER BY number LIMIT ?"
        return [_order_row(row) for row in self.read(query, (verb, limit))]

    def retries(self, inbox: str, limit: int = -1) -> list[OrderRow]:
        """Retries of jobs that came through an inbox, oldest first."""
        query = (
            "SELECT orders.* FROM orders JOIN jobs ON jobs.id=orders.job"
            " WHERE verb='retry' AND jobs.inbox=? ORDER BY number LIMIT ?"
        )
        return [_order_row(row) for row in self.read(query, (inbox, limit))]

    def latest_order(self, verb: Verb) -> OrderRow | None:
        """The order that was given last, of those that wait."""
        query = "SELECT * FROM orders WHERE verb=? ORDER BY number DESC LIMIT 1"
        rows = self.read(query, (verb,))
        return _order_row(rows[0]) if rows else None

    def is_ordered(self, verb: Verb, job: str) -> bool:
        """True while an order waits to be done."""
        return bool(self.read("SELECT 1 FROM orders WHERE verb=? AND job=?", (verb, job)))

    def ids_like(self, text: str, limit: int) -> list[str]:
        """Ids of jobs that are, or begin or end with, a text; the oldest first."""
        rows = self.read(
            "SELECT id FROM jobs WHERE id=?1 OR substr(id, 1, length(?1))=?1"
            " OR substr(id, -length(?1))=?1 ORDER BY id<>?1, id LIMIT ?2",
            (text, limit),
        )
        return [row["id"] for row in rows]

    def ids_at(self, inbox: Path, rel: str) -> list[str]:
        """Ids of the jobs that a path of an inbox became, oldest first."""
        rows = self.read(
            "SELECT id FROM jobs WHERE inbox=? AND stem=? AND rel=? ORDER BY rowid",
            (str(inbox), stem_of(rel), os.fsencode(rel)),
        )
        return [row["id"] for row in rows]

    def end_order(self, order: OrderRow) -> None:
        """It is done, or there is nothing to do."""
        with self.transaction():
            self.sql.execute("DELETE FROM orders WHERE number=?", (order.number,))

    def end_orders(self, job: str) -> None:
        """There is nothing more to do with a job."""
        with self.transaction():
            self.sql.execute("DELETE FROM orders WHERE job=?", (job,))

    @property
    def paused_since(self) -> float | None:
        """Since when (seconds since 1970) nothing is to be painted; None when it may be."""
        rows = self.read("SELECT value FROM facts WHERE key=?", (_PAUSED,))
        return float(rows[0]["value"]) if rows else None

    def set_paused(self, paused: bool) -> None:
        """Have the daemon let go of the device and paint nothing, also after it starts anew."""
        with self.transaction():
            if paused:
                self.sql.execute(
                    "INSERT OR IGNORE INTO facts VALUES(?,?)", (_PAUSED, str(time.time()))
                )
            else:
                self.sql.execute("DELETE FROM facts WHERE key=?", (_PAUSED,))


def _order_row(row: sqlite3.Row) -> OrderRow:
    return OrderRow(row["number"], row["verb"], row["job"], row["at"])

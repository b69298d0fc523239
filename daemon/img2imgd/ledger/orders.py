"""What people ask of the daemon: written by commands and the page, done by the daemon."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from img2imgd.ledger.connection import Transactions

Verb = Literal["cancel", "retry"]

_PAUSED = "paused"  # the fact that says since when


@dataclass(frozen=True)
class OrderRow:
    """What is to be done with a job; ``at`` is when it was asked, in seconds since 1970."""

    number: int
    verb: Verb
    job: str
    at: float


class Orders(Transactions):
    """Orders that wait for the daemon, whether it runs or not; they survive it."""

    def give_order(self, verb: Verb, *jobs: str) -> None:
        """Ask for something, once for each job: a second time while it waits changes nothing."""
        with self.transaction():
            self.sql.executemany(
                "INSERT OR IGNORE INTO orders(verb, job, at) VALUES(?,?,?)",
                [(verb, job, time.time()) for job in jobs],
            )

    def orders(self, verb: Verb) -> list[OrderRow]:
        """What waits to be done, oldest first."""
        rows = self.read("SELECT * FROM orders WHERE verb=? ORDER BY number", (verb,))
        return [OrderRow(row["number"], row["verb"], row["job"], row["at"]) for row in rows]

    def end_order(self, order: OrderRow) -> None:
        """It is done, or there is nothing to do."""
        with self.transaction():
            self.sql.execute("DELETE FROM orders WHERE number=?", (order.number,))

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

"""What the dispatcher is at and the rows of jobs do not tell: written by it, read by reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from img2imgd.ledger.connection import Transactions
from img2imgd.ledger.rows import as_text

Doing = Literal["reading", "painting", "waiting", "assembling"]

_FACT = "activity"


@dataclass(frozen=True)
class JobActivity:
    """What is done with a job; ``why`` is what it waits for, if not for its turn.

    ``steps`` of it were taken in the last ``seconds``, a minute at most.
    """

    doing: Doing
    why: str = ""
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Activity:
    """The model that is being loaded, the jobs at work, and why others are not started.

    ``models``, ``inboxes`` (by their spools) and ``held`` (by job) have the reasons.
    """

    loading: str = ""
    jobs: Mapping[str, JobActivity] = field(default_factory=dict[str, JobActivity])
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    inboxes: Mapping[str, str] = field(default_factory=dict[str, str])
    held: Mapping[str, str] = field(default_factory=dict[str, str])


class Activities(Transactions):
    """The dispatcher's note of what it does."""

    def set_activity(self, activity: Activity) -> None:
        """Replace the note."""
        text = as_text(msgspec.json.encode(activity).decode())
        with self.transaction():
            self.sql.execute("INSERT OR REPLACE INTO facts VALUES(?,?)", (_FACT, text))

    def activity(self) -> Activity | None:
        """The note; None where none was written, or by another version."""
        rows = self.read("SELECT value FROM facts WHERE key=?", (_FACT,))
        try:
            return _JSON.decode(rows[0]["value"]) if rows else None
        except msgspec.DecodeError:
            return None


# Made while there is one thread, as in ``request.settled``.
_JSON = msgspec.json.Decoder(Activity)

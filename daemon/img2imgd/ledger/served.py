"""Keep mode's memory: what was served of files that stay where they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from img2imgd.ledger.jobs import Jobs

_UNSEEN = ""  # in place of a digest


class Served(Jobs):
    """The content last served for each path of an inbox, by its digest.

    An inbox is known by the id of its spool: it may be found under another path, and another
    inbox under its own. Earlier versions wrote its path instead.

    A ledger that is lost took that with it: what lies there at the first look counts as served, by
    its signature, and what could not be looked at then, when it can.
    """

    def served(self, spool: str, rel: str) -> str | None:
        """The digest of the content last served for a path, or a signature that counts for it."""
        rows = self.read(
            "SELECT digest FROM served WHERE inbox=? AND rel=?", (spool, os.fsencode(rel))
        )
        return rows[0]["digest"] if rows else None

    def set_served(self, spool: str, rel: str, digest: str) -> None:
        """Remember the content that is being served for a path."""
        with self.transaction():
            self.sql.execute(
                "INSERT OR REPLACE INTO served VALUES(?,?,?)", (spool, os.fsencode(rel), digest)
            )

    def count_as_served(self, spool: str) -> None:
        """All that the next look at the inbox finds counts as served: an earlier ledger knew."""
        self.set_served(spool, "", _UNSEEN)

    def unseen(self, spool: str) -> frozenset[str]:
        """The paths that were not looked at since; empty is the path of the inbox itself."""
        rows = self.read("SELECT rel FROM served WHERE inbox=? AND digest=?", (spool, _UNSEEN))
        return frozenset(os.fsdecode(row["rel"]) for row in rows)

    def note_seen(self, spool: str, found: Mapping[str, str], unseen: Collection[str]) -> None:
        """Remember in one commit the signatures of what lay there, and what is unseen still."""
        rows = [*found.items(), *((rel, _UNSEEN) for rel in unseen)]
        with self.transaction():
            self.sql.execute("DELETE FROM served WHERE inbox=? AND digest=?", (spool, _UNSEEN))
            self.sql.executemany(
                "INSERT OR REPLACE INTO served VALUES(?,?,?)",
                [(spool, os.fsencode(rel), text) for rel, text in rows],
            )

    def copy_served(self, before: str, spool: str) -> None:
        """Have a spool know what another knows, and that one too."""
        with self.transaction():
            self.sql.execute(
                "INSERT OR IGNORE INTO served SELECT ?, rel, digest FROM served WHERE inbox=?",
                (spool, before),
            )

    def key_served(self, inbox: str, spool: str) -> None:
        """Have a spool know what an earlier version wrote of it, by the path of its inbox."""
        with self.transaction():
            self.copy_served(inbox, spool)
            self.sql.execute("DELETE FROM served WHERE inbox=?", (inbox,))

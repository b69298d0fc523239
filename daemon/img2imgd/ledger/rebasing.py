"""Folders that have moved: every absolute path of the ledger is told from the new ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from img2imgd.ledger.mounts import mount_fact
from img2imgd.ledger.pruning import CHUNK, Pruning
from img2imgd.ledger.rows import ArchivePlan, JobSpec


@dataclass(frozen=True)
class Moves:
    """Folders by their old path, each with the new one.

    ``inboxes`` are of the spools with the ids ``spools``, which the new ones have: an old path may
    have become that of another folder, whose jobs stay.
    """

    inboxes: Mapping[str, str] = field(default_factory=dict[str, str])
    spools: Mapping[str, str] = field(default_factory=dict[str, str])
    others: Mapping[str, str] = field(default_factory=dict[str, str])

    def __bool__(self) -> bool:
        return bool(self.inboxes or self.others)

    def spec(self, spec: JobSpec) -> JobSpec:
        """A job's spec with its paths as they are now."""
        moved = self.spools.get(spec.spool) if spec.spool else self.inboxes.get(spec.inbox)
        return rebased(spec, moved or spec.inbox, self.others)

    def plan(self, plan: ArchivePlan) -> ArchivePlan:
        """A plan with its folder as it is now."""
        return replace(plan, folder=moved_path(plan.folder, self.others))


def rebased(spec: JobSpec, inbox: str, others: Mapping[str, str]) -> JobSpec:
    """A job's spec whose inbox is ``inbox`` now; its files came from there or from the others."""
    folders = {**others, spec.inbox: inbox}
    files = tuple(replace(entry, source=moved_path(entry.source, folders)) for entry in spec.files)
    return replace(spec, inbox=inbox, files=files)


def moved_path(path: str, folders: Mapping[str, str]) -> str:
    """A path below one of the old folders as one below the new one."""
    for old, new in folders.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def spool_fact(spool: str) -> str:
    """The key of the fact that tells which inbox a spool is in."""
    return f"spool {spool}"


def _inbox_fact(inbox: str) -> str:
    """The key of the fact that tells which spool was served last in an inbox."""
    return f"inbox {inbox}"


class Rebasing(Pruning):
    """The side of the ledger that follows its folders."""

    def note_place(self, spool: str, inbox: str) -> None:
        """Note where a spool is; one that is noted elsewhere has moved: the next start follows.

        A new one knows what was served where it is now: the one before it may just be removed.
        """
        with self.transaction():
            if noted := self._fact(spool_fact(spool)):
                self.key_served(noted, spool)
            else:
                self.copy_served(self._fact(_inbox_fact(inbox)) or inbox, spool)
            self.sql.execute("INSERT OR IGNORE INTO facts VALUES(?,?)", (spool_fact(spool), inbox))
            self.sql.execute(
                "INSERT OR REPLACE INTO facts VALUES(?,?)", (_inbox_fact(inbox), spool)
            )

    def rebase(self, moves: Moves) -> None:
        """Follow folders that have moved, in one commit."""
        with self.transaction():
            self._rebase_jobs(moves)
            for spool, inbox in moves.spools.items():
                self.sql.execute(
                    "UPDATE bundles SET inbox=? WHERE id IN"
                    " (SELECT bundle FROM jobs WHERE json_extract(spec, '$.spool')=?)",
                    (inbox, spool),
                )
                self._leave(self._fact(spool_fact(spool)), spool)
            # By way of names that no folder has: two may have changed places.
            for at, old in enumerate(moves.inboxes):
                self.sql.execute(
                    "UPDATE bundles SET inbox=? WHERE inbox=? AND ended=0 AND NOT EXISTS"
                    " (SELECT 1 FROM jobs WHERE jobs.bundle=bundles.id)",  # its claim is undone
                    (f"moving {at}", old),
                )
                self.sql.execute("DELETE FROM waiting WHERE inbox=?", (old,))
            for at, new in enumerate(moves.inboxes.values()):
                self.sql.execute("UPDATE bundles SET inbox=? WHERE inbox=?", (new, f"moving {at}"))
            for old, new in moves.others.items():
                self.sql.execute(
                    "UPDATE OR REPLACE reserved SET outbox=? WHERE outbox=?", (new, old)
                )
            self._rebase_placed(moves.others)
            self._rebase_bundled(moves.others)
            for old in (*moves.inboxes, *moves.others):
                stale = (mount_fact(old), f"unavailable {old}")
                self.sql.execute("DELETE FROM facts WHERE key IN (?,?)", stale)

    def _fact(self, key: str) -> str:
        rows = self.read("SELECT value FROM facts WHERE key=?", (key,))
        return rows[0]["value"] if rows else ""

    def _leave(self, inbox: str, spool: str) -> None:
        """Have a spool take along what was served of it; a new one in its place starts anew."""
        self.key_served(inbox, spool)
        self.sql.execute("DELETE FROM facts WHERE key=? AND value=?", (_inbox_fact(inbox), spool))

    def _rebase_jobs(self, moves: Moves) -> None:
        last = 0
        chunk = "SELECT rowid, spec, archive FROM jobs WHERE rowid>? ORDER BY rowid LIMIT ?"
        while rows := self.read(chunk, (last, CHUNK)):
            changed: list[tuple[str, str, str, int]] = []
            for row in rows:
                spec = moves.spec(JobSpec.from_json(row["spec"]))
                text = row["archive"]
                archive = moves.plan(ArchivePlan.from_json(text)).to_json() if text else ""
                changed.append((spec.inbox, spec.to_json(), archive, row["rowid"]))
            self.sql.executemany(
                "UPDATE jobs SET inbox=?, spec=?, archive=? WHERE rowid=?", changed
            )
            last = rows[-1]["rowid"]

    def _rebase_placed(self, folders: Mapping[str, str]) -> None:
        if not self.read("SELECT 1 FROM sqlite_master WHERE name='placed'"):
            return  # upkeep makes it
        places = [(os.fsdecode(row["path"]), row["job"]) for row in self.read(
            "SELECT path, job FROM placed"
        )]  # fmt: skip
        self.sql.execute("DELETE FROM placed")
        self.sql.executemany(
            "INSERT OR IGNORE INTO placed(path, job) VALUES(?,?)",
            [(os.fsencode(moved_path(path, folders)), job) for path, job in places],
        )

    def _rebase_bundled(self, folders: Mapping[str, str]) -> None:
        rows = self.read("SELECT rowid, path FROM bundled")
        self.sql.executemany(
            "UPDATE bundled SET path=? WHERE rowid=?",
            [
                (os.fsencode(moved_path(os.fsdecode(row["path"]), folders)), row["rowid"])
                for row in rows
            ],
        )

"""What several jobs share: a sidecar of several pictures, or the document that they are pages of.

It lies in the spool until the last of its jobs has ended, then where these went.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd.ledger.jobs import Jobs
from img2imgd.ledger.rows import JobRow, stem_of


@dataclass(frozen=True)
class BundleRow:
    """A shared file; it lies in the spool under ``id`` until the last of its jobs ends.

    ``rel`` is its path in the inbox.
    """

    id: str
    inbox: str
    rel: str
    name: str
    inode: int


@dataclass(frozen=True)
class BundleFile:
    """A file of a bundle and where it goes, or went, in done or failed; ``size`` is in bytes."""

    name: str
    path: Path
    size: int
    mtime_ns: int


class Bundles(Jobs):
    """What the ledger knows of shared files."""

    def add_bundle(self, bundle: BundleRow) -> None:
        """Record a file that several jobs share."""
        with self.transaction():
            self.sql.execute(
                "INSERT OR REPLACE INTO bundles(id, inbox, rel, name, inode) VALUES(?,?,?,?,?)",
                (
                    bundle.id,
                    bundle.inbox,
                    os.fsencode(bundle.rel),
                    os.fsencode(bundle.name),
                    bundle.inode,
                ),
            )

    def place_bundle(self, bundle: str, files: Sequence[BundleFile]) -> None:
        """Record where the files of a bundle go, before they are moved, or after."""
        with self.transaction():
            self.sql.executemany(
                "INSERT INTO bundled(bundle, name, path, size, mtime_ns) VALUES(?,?,?,?,?)"
                " ON CONFLICT DO UPDATE SET path=excluded.path",
                [
                    (bundle, os.fsencode(f.name), os.fsencode(f.path), f.size, f.mtime_ns)
                    for f in files
                ],
            )

    def bundle_files(self, bundle: str) -> list[BundleFile]:
        """Where the files of a bundle went, the shared one first; none while its jobs last."""
        rows = self.read("SELECT * FROM bundled WHERE bundle=? ORDER BY rowid", (bundle,))
        return [
            BundleFile(
                os.fsdecode(row["name"]), Path(os.fsdecode(row["path"])),
                row["size"], row["mtime_ns"],
            )
            for row in rows
        ]  # fmt: skip

    def end_bundle(self, bundle: str) -> None:
        """The bundle's files have left the spool."""
        with self.transaction():
            self.sql.execute("UPDATE bundles SET ended=1 WHERE id=?", (bundle,))

    def open_bundles(self) -> list[BundleRow]:
        """Bundles whose files are still in the spool."""
        rows = self.read("SELECT * FROM bundles WHERE ended=0 ORDER BY id")
        return [_bundle(row) for row in rows]

    def ended_bundle(self, bundle: str) -> BundleRow | None:
        """A bundle that was archived; None while it is in the spool, or where unknown."""
        rows = self.read("SELECT * FROM bundles WHERE id=? AND ended=1", (bundle,))
        return _bundle(rows[0]) if rows else None

    def bundle_ended_by(self, row: JobRow) -> BundleRow | None:
        """The bundle of a job that was the last of its jobs to end; None for the others."""
        jobs = self.read(
            "SELECT id FROM jobs WHERE bundle=?"
            " ORDER BY aging_from IS NULL DESC, aging_from DESC, id DESC",
            (row.spec.bundle,),
        )
        if not jobs or jobs[0]["id"] != row.id:
            return None
        return self.ended_bundle(row.spec.bundle or "")

    def documents(self, inbox: str, stem: str, since: float) -> list[tuple[BundleRow, float]]:
        """The shared files of a stem ("sub/scan") whose jobs were claimed since, newest first.

        Each with the time of that claim; times are seconds since 1970.
        """
        first, end = os.fsencode(f"{stem}."), os.fsencode(f"{stem}/")  # "/" follows "."
        rows = self.read(
            "SELECT bundles.*, max(claimed_at) AS claimed FROM bundles"
            " JOIN jobs ON jobs.bundle=bundles.id"
            " WHERE bundles.inbox=? AND bundles.rel>=? AND bundles.rel<?"
            " GROUP BY bundles.id HAVING claimed>=? ORDER BY claimed DESC",
            (inbox, first, end, since),
        )
        found = [(_bundle(row), float(row["claimed"])) for row in rows]
        return [each for each in found if stem_of(each[0].rel) == os.fsencode(stem)]

    def jobs_of_bundle(self, bundle: str) -> list[JobRow]:
        """All jobs that share it."""
        return self._jobs("bundle=?", (bundle,))

    def is_last_of_bundle(self, bundle: str, job: str) -> bool:
        """True when all other jobs that share it are archived."""
        others = "SELECT 1 FROM jobs WHERE bundle=? AND archived=0 AND id<>? LIMIT 1"
        return not self.read(others, (bundle, job))

    def forget_bundles(self) -> None:
        """Delete those that were archived and whose jobs are forgotten."""
        with self.transaction():
            self.sql.execute(
                "DELETE FROM bundles WHERE ended=1"
                " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.bundle=bundles.id)"
            )


def _bundle(row: sqlite3.Row) -> BundleRow:
    return BundleRow(
        row["id"], row["inbox"], os.fsdecode(row["rel"]), os.fsdecode(row["name"]), row["inode"]
    )

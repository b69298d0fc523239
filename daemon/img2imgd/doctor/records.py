"""The ledger, who holds the folders, and whether they are where they were."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from img2imgd import filesystems
from img2imgd.app.folders import check_mounts
from img2imgd.app.holding import STALE, Holder
from img2imgd.app.places import find_moves
from img2imgd.config import Config
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.errors import EnvironmentFault
from img2imgd.outputs.staging import STAGING

_CHECKING = 60.0  # seconds: of ledgers with a million rows


@dataclass(frozen=True)
class Ledger:
    """What the ledger's file says of itself; ``wrong`` is empty for a whole one.

    ``hidden``: it is another user's, and this one may not look."""

    there: bool
    wrong: str = ""
    jobs: int = 0
    newest: float | None = None
    facts: dict[str, str] | None = None
    hidden: bool = False


def look_at_ledger(config: Config, user: User) -> Ledger:
    """Check the ledger's file as the user, reading alone."""
    path = config.state / "ledger.sqlite"
    if is_hidden(path):
        return Ledger(there=True, hidden=True)
    if not path.exists():
        return Ledger(there=False)
    try:
        told = as_user(user, lambda: _checked(path), _CHECKING)
    except NoAnswer:
        return Ledger(there=True, wrong="it could not be checked within a minute")
    except OSError as error:
        return Ledger(there=True, wrong=f"it cannot be read: {error.strerror}")
    return Ledger(there=True, **told)


def check_ledger(config: Config, ledger: Ledger) -> Iterator[Finding]:
    """Say how the ledger is."""
    path = config.state / "ledger.sqlite"
    if not ledger.there:
        yield fine("ledger", f"{path} is not there yet; it is made at the first start")
    elif ledger.hidden:
        yield warning("ledger", f"{path} cannot be looked at: it is another user's")
    elif ledger.wrong:
        yield wrong(
            "ledger",
            f"{path} is damaged or cannot be read: {ledger.wrong}.",
            "Start img2imgd anew: it sets a damaged file aside and makes another from the folders.",
        )
    else:
        yield fine("ledger", f"{path}: whole, jobs: {ledger.jobs:,}")


def check_places(config: Config, ledger: Ledger) -> Iterator[Finding]:
    """Whether a disk of before is not mounted, or the root is a copy: it would not start."""
    try:
        check_mounts(config, ledger.facts or {})
        find_moves(config, ledger.facts or {}, "ledger.sqlite")
    except EnvironmentFault as fault:
        yield wrong("places", fault.message, fault.advice)
    except OSError as error:
        yield warning("places", f"{error.filename}: {error.strerror}")


def check_holders(config: Config) -> Iterator[Finding]:
    """Who serves the folders: the daemon of this root, nobody, or another."""
    own = holder_of(config.state / "lock")
    folders = [inbox.path for inbox in config.inboxes] + [config.outbox]
    strangers = False
    for folder in folders:
        holder = holder_of(folder / STAGING / "lock")
        if holder is not None and (own is None or (holder.pid, holder.host) != (own.pid, own.host)):
            strangers = True
            yield wrong(
                "daemon",
                f"{folder} is held by another img2imgd: {holder.in_words}.",
                f"Stop that one (on {holder.host}: kill {holder.pid}, or sudo systemctl stop "
                "img2imgd), or use other folders.",
            )
    if own is None and is_hidden(config.state / "lock"):
        yield warning("daemon", "cannot tell whether it runs: its lock is another user's")
    elif own is not None:
        yield fine("daemon", f"it runs: {own.in_words}")
    elif not strangers:
        yield fine("daemon", "it does not run, and nobody else holds the folders")


def holder_of(lock: Path) -> Holder | None:
    """The daemon that holds a folder by its lock file now, told without touching the lock."""
    try:
        holder = Holder.parse(lock.read_text("utf-8", "replace"))
        status = lock.stat()
    except OSError:
        return None
    if holder is None:
        return None
    if holder.shares_locks_with(Holder.this_process()):
        return holder if _is_locked(status.st_ino) else None
    now = time.time() if filesystems.kind_of(lock).local else status.st_atime
    return holder if now - status.st_mtime < STALE else None


def is_hidden(path: Path) -> bool:
    """True if this user may not read a file, or not even see whether it is there."""
    try:
        with path.open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def _is_locked(inode: int) -> bool:
    """True if somebody has a lock of flock(2) on a file of that number (proc_locks(5))."""
    try:
        table = Path("/proc/locks").read_text("ascii")
    except OSError:
        return True
    return any(
        "FLOCK" in line and f":{inode} " in line for line in table.splitlines() if "->" not in line
    )


def _checked(path: Path) -> dict[str, Any]:
    """The values of :class:`Ledger`, read by SQLite."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                return {"wrong": str(found).splitlines()[0]}
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                return {"jobs": 0}
            jobs, claimed, ended = connection.execute(
                "SELECT count(*), max(claimed_at), max(ended_at) FROM jobs"
            ).fetchone()
            facts = dict(connection.execute("SELECT key, value FROM facts").fetchall())
            newest = max((at for at in (claimed, ended) if at is not None), default=None)
            return {"jobs": jobs, "newest": newest, "facts": facts}
    except sqlite3.Error as error:
        return {"wrong": str(error)}

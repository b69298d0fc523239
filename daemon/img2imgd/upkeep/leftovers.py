"""What crashes leave behind: folders of jobs that are over, and halves that nobody writes on.

Spool folders that hold inputs are never touched: the next start takes them up. Nor is what a person
may have put there: everything that is removed bears a name that img2imgd alone gives.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from img2imgd.config import Config
from img2imgd.ledger import Ledger
from img2imgd.outputs.staging import STAGING
from img2imgd.upkeep.forgetting import is_ours
from img2imgd.upkeep.removing import Removal

OLD = 86_400.0  # seconds; a writer that is at work touches its file more often
_JOB = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_HALF = re.compile(r"\.[0-9a-f]{16}\.part")  # as durable names them
_DROPPED = re.compile(r"\.img2imgd-[0-9a-f]{16}(-sidecar)?\.part")
_CARRIED = re.compile(rf"\.{_JOB.pattern}\.part")  # as staging names them


def dropped_part(mark: str) -> str:
    """The hidden name, in an inbox, of what the page is writing there; 16 hex digits mark it."""
    return f".img2imgd-{mark}.part"


def remove_leftovers(
    config: Config, ledger: Ledger, now: float, stopping: Callable[[], bool]
) -> int:
    """Remove leftovers that are older than a day at ``now`` (seconds since 1970); how many.

    One that cannot be removed is tried again the next day.
    """

    def is_over(job: str) -> bool:
        row = ledger.job(job)
        return row is None or row.archived

    ours = [inbox for inbox in config.inboxes if is_ours(inbox.path, ledger)]
    folders: list[Path] = []
    halves: list[tuple[Path, Path]] = []  # the folder that was searched, and what was found
    # The jobs of an inbox that was not there at the start are not known yet.
    if len(ours) == len(config.inboxes):
        folders += _dead_folders(config.outbox / STAGING, is_over, now)
        carried = _named(config.outbox, _CARRIED, stopping)
        halves += [(config.outbox, path) for path in carried if is_over(path.stem[1:])]
    for inbox in config.inboxes:
        spool = _dead_folders(inbox.path / STAGING, is_over, now)
        folders += [folder for folder in spool if not _has_inputs(folder)]
    moved_back_to = [inbox.path for inbox in ours if inbox.mode == "move"]
    for root in (config.done, config.failed, config.state, *moved_back_to):
        halves += [(root, path) for path in _named(root, _HALF, stopping)]
    for inbox in ours:
        dropped = [name for name in os.listdir(inbox.path) if _DROPPED.fullmatch(name)]
        halves += [(inbox.path, inbox.path / name) for name in dropped]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)  # it follows no symlinks
    return len(folders) + sum(_remove_half(root, path, now) for root, path in halves)


def _dead_folders(folder: Path, is_over: Callable[[str], bool], now: float) -> list[Path]:
    """Folders of jobs that are unknown or over."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if _JOB.fullmatch(entry.name)]
    return [folder / name for name in names if _is_left(folder / name, now) and is_over(name)]


def _is_left(folder: Path, now: float) -> bool:
    try:
        return _is_old(folder.lstat(), now)
    except FileNotFoundError:
        return False


def _has_inputs(spool: Path) -> bool:
    try:
        return any((spool / "in").iterdir())
    except FileNotFoundError:
        return False


def _named(root: Path, pattern: re.Pattern[str], stopping: Callable[[], bool]) -> Iterator[Path]:
    """Files and folders with such a name, at any depth, but not in a spool or a staging folder."""
    for above, folders, files in os.walk(root):  # it follows no symlinks
        if stopping():
            return
        yield from (Path(above, name) for name in (*folders, *files) if pattern.fullmatch(name))
        folders[:] = [name for name in folders if name != STAGING and not pattern.fullmatch(name)]


def _remove_half(root: Path, path: Path, now: float) -> bool:
    """Remove a half that nobody has touched for a day; True if it is gone."""
    removal = Removal(root)
    remove = removal.folder if removal.kind(path) == stat.S_IFDIR else removal.file
    with suppress(OSError):
        remove(path, lambda _, found: _is_old(found, now))
    return not os.path.lexists(path)


def _is_old(status: os.stat_result, now: float) -> bool:
    """True for a folder or plain file that nobody has touched for a day."""
    kind = stat.S_IFMT(status.st_mode)
    untouched = max(status.st_ctime, status.st_mtime) < now - OLD
    return untouched and kind in (stat.S_IFREG, stat.S_IFDIR)

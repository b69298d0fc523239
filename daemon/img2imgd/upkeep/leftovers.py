"""What crashes leave behind: folders of jobs that are over, and halves that nobody writes on.

Spool folders that hold inputs are never touched: the next start takes them up.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from img2imgd.config import Config
from img2imgd.ledger import Ledger
from img2imgd.outputs.staging import STAGING
from img2imgd.upkeep.forgetting import is_ours

OLD = 86_400.0  # seconds; a writer that is at work touches its file more often
_JOB = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_HALF = re.compile(r"\.[0-9a-f]{16}\.part")  # as durable names them


def remove_leftovers(
    config: Config, ledger: Ledger, now: float, stopping: Callable[[], bool]
) -> int:
    """Remove leftovers that are older than a day at ``now`` (seconds since 1970); how many."""
    inboxes = [inbox.path for inbox in config.inboxes]
    leftovers: list[Path] = []
    # The jobs of an inbox that was not there at the start are not known yet.
    if all(is_ours(inbox, ledger) for inbox in inboxes):
        leftovers += _dead_folders(config.outbox / STAGING, ledger, now)
    for inbox in inboxes:
        spool = _dead_folders(inbox / STAGING, ledger, now)
        leftovers += [folder for folder in spool if not _has_inputs(folder)]
    for folder in (config.done, config.failed, config.state):
        leftovers += _old_halves(folder, now, stopping)
    for path in leftovers:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # it follows no symlinks
        else:
            path.unlink(missing_ok=True)
    return len(leftovers)


def _dead_folders(folder: Path, ledger: Ledger, now: float) -> Iterator[Path]:
    """Folders of jobs that are unknown or over."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if _JOB.fullmatch(e.name) and _is_old(e, now)]
    for name in names:
        job = ledger.job(name)
        if job is None or job.archived:
            yield folder / name


def _has_inputs(spool: Path) -> bool:
    try:
        return any((spool / "in").iterdir())
    except FileNotFoundError:
        return False


def _old_halves(folder: Path, now: float, stopping: Callable[[], bool]) -> Iterator[Path]:
    for above, _, names in os.walk(folder):  # it follows no symlinks
        if stopping():
            return
        for name in names:
            if _HALF.fullmatch(name) and _is_old(Path(above, name), now):
                yield Path(above, name)


def _is_old(path: Path | os.DirEntry[str], now: float) -> bool:
    """True for a folder or plain file that nobody has touched for a day."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    kind = stat.S_IFMT(status.st_mode)
    untouched = max(status.st_ctime, status.st_mtime) < now - OLD
    return untouched and kind in (stat.S_IFREG, stat.S_IFDIR)

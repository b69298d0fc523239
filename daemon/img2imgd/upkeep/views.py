"""The page's small copies of pictures: those of forgotten jobs go, and the oldest of too many."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

VIEWS = "views"  # in the state folder; each can be made again

_ROOM = 0.8  # of what may be kept, is kept after some had to go


def prune_views(
    state: Path,
    known: Callable[[Collection[str]], Collection[str]],
    most_bytes: int,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Remove the views of jobs that are not ``known``, and the oldest where all take too much.

    Returns how many folders went. A folder holds the views of one job.
    """
    folder = state / VIEWS
    try:
        jobs = os.listdir(folder)
    except FileNotFoundError:
        return 0
    stay = set(known(jobs))
    removed = [job for job in jobs if job not in stay and not stopping()]
    sizes = sorted(_measured(folder, job) for job in jobs if job in stay and not stopping())
    total = sum(size for _, size, _ in sizes)
    if total > most_bytes:
        for _, size, job in sizes:
            if total <= _ROOM * most_bytes or stopping():
                break
            removed.append(job)
            total -= size
    for job in removed:
        shutil.rmtree(folder / job, ignore_errors=True)  # it follows no symlinks
    return len(removed)


def _measured(folder: Path, job: str) -> tuple[float, int, str]:
    """When the newest view of a job was made, the bytes of all of them, and the job."""
    newest, size = 0.0, 0
    with suppress(OSError), os.scandir(folder / job) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                newest, size = max(newest, status.st_mtime), size + status.st_size
    return newest, size, job

"""Progress bars on a terminal, from the ledger's step counts."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.status.report import report_job

_SHOWN = frozenset({JobState.RUNNING, JobState.PUBLISHING, JobState.DONE})


class ProgressBars:
    """A bar per job that paints; without a terminal, nothing (the log says it all)."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[frames]}"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressBars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, ledger: Ledger, rows: list[JobRow]) -> None:
        """Show how far each job is."""
        if self._progress.disable:
            return
        for row in rows:
            if row.state not in _SHOWN:
                continue
            job = report_job(ledger, row)
            frames = f"{job.frames_done}/{job.frames} {'frame' if job.frames == 1 else 'frames'}"
            if row.id not in self._bars:
                self._bars[row.id] = self._progress.add_task(
                    job.picture, total=max(job.steps, 1), frames=frames
                )
            self._progress.update(self._bars[row.id], completed=job.steps_done, frames=frames)

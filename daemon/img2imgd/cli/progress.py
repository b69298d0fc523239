"""Progress bars on a terminal, from the ledger's step counts."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from img2imgd.errors import shown
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger

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
        told = [row for row in rows if row.state in _SHOWN]
        progress = ledger.progress([row.id for row in told])
        for row in told:
            if (done := progress.get(row.id)) is None:
                continue  # of a ledger that was rebuilt
            frames = f"{done.frames_done}/{done.frames} {'frame' if done.frames == 1 else 'frames'}"
            if row.id not in self._bars:
                self._bars[row.id] = self._progress.add_task(
                    escape(shown(row.spec.rel)), total=max(done.steps, 1), frames=frames
                )
            self._progress.update(self._bars[row.id], completed=done.steps_done, frames=frames)

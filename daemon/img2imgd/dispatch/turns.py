"""Whose turn it is: queued jobs that may start, the model they need, who gives the next frame."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from img2imgd.dispatch.admission import Standing, is_long, may_start, next_job
from img2imgd.dispatch.model_choice import Demand, ModelChoice
from img2imgd.dispatch.running import RunningJob
from img2imgd.engine.protocol import ModelInfo
from img2imgd.ledger import SHORT_JOB, JobRow, Ledger
from img2imgd.pool.supervision import WorkerPool

WINDOW = 6 * SHORT_JOB  # frames in the worker at a time, over all jobs
_LOOKED_AT = 32  # queued jobs

Held = tuple[Collection[str], Collection[str], Collection[str]]  # models, inboxes, jobs


class Turns:
    """Applies the rules of ``admission`` and ``model_choice`` to the ledger and to what runs."""

    def __init__(
        self,
        ledger: Ledger,
        running: Mapping[str, RunningJob],
        pool: WorkerPool,
        models: Collection[str],
    ) -> None:
        self._ledger = ledger
        self._running = running
        self._pool = pool
        self.models = models
        self._choice = ModelChoice()
        self._loading_since: float | None = None
        self._waiting_since: dict[str, float] = {}  # by job, in monotonic time
        self._due: str | None = None
        self._suspects_wait = False
        self._gives_way = False  # what runs, to another model or to a suspect

    def has_room(self, left_out: Callable[[str], bool]) -> bool:
        """True if some job could start. Running jobs ``left_out`` keep no place from others."""
        running = self._standings(left_out)
        return self._gives_way or any(may_start(frames, running, WINDOW) for frames in (1, WINDOW))

    def queued(self, held: Held) -> list[JobRow]:
        """The oldest queued jobs, whatever their model; of each model at least the oldest.

        Of the loaded one those that may start, however many of other models wait before them.
        Suspects come before all others, and of those the short ones.
        """
        found = self._found(held)
        return sorted(found, key=lambda row: _frames(row) if row.suspect else math.inf)

    def _found(self, held: Held) -> list[JobRow]:
        found = self._oldest(held)
        if len(found) < _LOOKED_AT:
            return found
        loaded = "" if self._pool.loaded is None else self._pool.loaded.name
        for model in self.models:
            if model != loaded:
                found += self._ledger.queued(1, *held, model=model)
            elif any(row.spec.asked.model != model for row in found):
                found += self._oldest(held, model)
        return list({row.id: row for row in found}.values())

    def _oldest(self, held: Held, model: str | None = None) -> list[JobRow]:
        """The oldest queued jobs; short ones too, however many long ones wait before them."""
        found = self._ledger.queued(_LOOKED_AT, *held, model=model)
        if len(found) == _LOOKED_AT and all(_is_long(row) for row in found):
            found += self._ledger.queued(_LOOKED_AT, *held, short=True, model=model)
        return found

    def may_start(self, row: JobRow, left_out: Callable[[str], bool]) -> bool:
        """True if the job may run beside those that do.

        Suspects run alone, and the others after them: one death of the worker tells whose it was.
        A file that is kept is painted once at a time: what is saved meanwhile waits, and gives way
        to the next save.
        """
        if row.spec.asked.model == self._due and self._is_kept_apart(row):
            return False
        if self._waits_for_its_file(row):
            return False
        return may_start(_frames(row), self._standings(left_out), WINDOW)

    def model(self, queued: Sequence[JobRow], loaded: ModelInfo | None, now: float) -> str | None:
        """The model to have for these jobs and those that run; ``now`` is monotonic time."""
        if loaded is not None and self._loading_since is not None:
            self._choice.loaded(loaded.name, now - self._loading_since, now)
            self._loading_since = None
        self._waiting_since = {
            row.id: self._waiting_since.get(row.id, now - _age(row)) for row in queued
        }
        ready = [row for row in queued if not self._waits_for_its_file(row)]
        waits: dict[str, float] = {}
        for row in ready:
            if (model := row.spec.asked.model) in self.models:
                waits[model] = max(waits.get(model, 0.0), now - self._waiting_since[row.id])
        unpainted = {job.model for job in self._running.values() if not job.painted}
        if loaded is not None and loaded.name in unpainted:
            waits.setdefault(loaded.name, 0.0)
        demands = [Demand(model, age) for model, age in waits.items()]
        due = self._choice.choose(demands, None if loaded is None else loaded.name, now)
        self._due = due
        self._suspects_wait = any(row.suspect and row.spec.asked.model == due for row in ready)
        to_suspect = self._suspects_wait and not any(job.row.suspect for job in self._inside)
        self._gives_way = loaded is not None and (due != loaded.name or to_suspect)
        return due

    @property
    def drained(self) -> bool:
        """True if the worker has nothing of the running jobs, so that a model can be loaded."""
        return not any(job.at_work for job in self._running.values())

    def loading(self, now: float) -> None:
        """Note that a model is being loaded from now on."""
        self._loading_since = now

    def load_failed(self, model: str, now: float) -> None:
        """Note that the model could not be loaded."""
        if self._loading_since is not None:
            self._choice.failed(model, now - self._loading_since, now)
            self._loading_since = None

    def next(self, left_out: Callable[[str], bool]) -> RunningJob | None:
        """The running job whose next frame goes to the worker; None while its window is full."""
        job = next_job(self._standings(left_out, given=True), WINDOW)
        return None if job is None else self._running[job]

    def to_queue_again(self) -> list[RunningJob]:
        """Running jobs that have to wait for their turn, and of which the worker has no frame."""
        return [
            job
            for job in self._running.values()
            if job.to_paint and not job.in_engine and not self._has_turn(job)
        ]

    @property
    def _inside(self) -> list[RunningJob]:
        """The jobs that the worker works for, and not those that are painted and meet a fault."""
        return [job for job in self._running.values() if job.at_work or job.to_paint]

    def _waits_for_its_file(self, row: JobRow) -> bool:
        kept = row.spec.mode == "keep"
        return kept and any(_is_of_same_file(row, job.row) for job in self._running.values())

    def _is_kept_apart(self, row: JobRow) -> bool:
        if row.suspect:
            return bool(self._inside)
        return self._suspects_wait or any(job.row.suspect for job in self._inside)

    def _has_turn(self, job: RunningJob) -> bool:
        loaded = self._pool.loaded
        return not self._gives_way and loaded is not None and job.model == loaded.name

    def _standings(self, left_out: Callable[[str], bool], *, given: bool = False) -> list[Standing]:
        """Where the running jobs stand; with ``given``, the left out by what the worker has."""
        unpainted = Counter(job for job, _ in self._pool.unpainted)
        standings: list[Standing] = []
        for job in self._running.values():
            out = left_out(job.id)
            if given:
                out |= not self._has_turn(job)
                # A suspect shows with few that it is none; others wait for that.
                out |= job.row.suspect and unpainted[job.id] >= SHORT_JOB
            if given or not out:
                to_paint = 0 if out else len(job.to_paint)
                frames = len(job.equal_frames)
                standings.append(Standing(job.id, to_paint, unpainted[job.id], frames))
        return standings


def _age(row: JobRow) -> float:
    """Seconds since it was claimed; asked once a job, since the clock may be set meanwhile."""
    return max(0.0, time.time() - row.claimed_at)


def _frames(row: JobRow) -> int:
    return len(row.spec.reserved.frames)


def _is_long(row: JobRow) -> bool:
    return is_long(_frames(row), WINDOW)


def _is_of_same_file(row: JobRow, other: JobRow) -> bool:
    return (row.spec.inbox, row.spec.rel) == (other.spec.inbox, other.spec.rel)

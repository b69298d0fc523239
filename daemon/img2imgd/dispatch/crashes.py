"""What the worker's death means for the jobs that were in it: suspects, attempts, set aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.faults import Faults
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.pool.messages import Death, WorkerDied

_MEMORY = "perhaps the machine's memory ran out"
_ADVICE = {
    Death.CRASHED: "Try another size or model; the log of img2imgd says more.",
    Death.KILLED: (
        "Ask for a smaller size, or set `engine.offload` to none if memory is short; "
        "`journalctl -k` says whether the kernel killed it for memory."
    ),
    Death.HUNG: (
        "Try another size or model; if it only takes long, set `engine.stall_timeout` higher."
    ),
    Death.DEVICE_LOST: "Try another size or model; the log of img2imgd says more.",
}
_MACHINE = "See the system's log of that time (`journalctl -b -1`), or try another size or model."


class Crashes:
    """Jobs that were in the worker are suspects; one that was there alone is to blame.

    A lost device is another matter, since it may be unplugged: the job that was alone is to blame
    once a new worker has loaded a model, which shows that the device is in order without it
    (ADR 0014). A worker that somebody stopped blames nobody. ``running`` is the dispatcher's own
    table: a job that is queued again, or set aside, leaves it.
    """

    def __init__(
        self,
        ledger: Ledger,
        faults: Faults,
        running: dict[str, RunningJob],
        archive: Archive,
        max_attempts: int,
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._running = running
        self._archive = archive
        self.max_attempts = max_attempts
        self._lost_device: tuple[str, WorkerDied] | None = None

    def worker_died(self, event: WorkerDied, now: float) -> None:
        """Decide for every running job how it goes on.

        What the ledger has to take is one commit, and comes before all else: where its disk is
        full, the event comes again, and counts nothing twice.
        """
        inside = sorted({job for job, _ in (*event.frames, *event.assembling)})
        affected = [job for job in self._running.values() if job.in_worker]
        painting = [job for job in affected if job.assembling is None and not job.cancelled]
        with self._ledger.transaction():
            for job in painting:
                self._set_back(job.row, inside, event)
        if event.loading is not None:
            self._faults.report_model(
                event.loading, f"the worker died loading it ({_how(event)}).", now
            )
        elif inside:
            self._faults.report_death(f"The worker died ({_how(event)}).", now)
        for job in painting:
            del self._running[job.id]
            if inside == [job.id] and event.cause is Death.DEVICE_LOST:
                self._lost_device = job.id, event
        for job in affected:
            if job.assembling is not None:
                self._lose_assembly(job, job.assembling, event)

    def daemon_died(self, row: JobRow) -> None:
        """A job was running when this daemon, or the whole machine, went down: once at start.

        It may have been the job's doing, by a driver that takes the machine along: so it is a
        suspect; one that was alone is counted, or the machine would go down with it for ever.
        """
        with self._ledger.transaction():
            if row.suspect and self._used_up(row, "img2imgd or its machine", "", _MACHINE):
                return
            self._queue_again(row, suspect=True)

    def got_on(self, job: RunningJob) -> None:
        """A frame was staged: crashes in a row are over, and a suspect is none any more."""
        self._ledger.clear_attempts(job.id)
        self.lived(job)

    def lived(self, job: RunningJob) -> None:
        """The worker is through with a frame, staged or refused: a suspect is none any more.

        Suspects are painted alone. One that is to blame comes to its fatal frame again, since
        frames that are staged or refused are not painted again.
        """
        if job.row.suspect:
            self._ledger.set_suspect(job.id, False)
            job.row = replace(job.row, suspect=False)

    def model_loaded(self) -> None:
        """The device works: if one was lost with a job alone, that was the job's doing."""
        if self._lost_device is not None:
            job, event = self._lost_device
            row = self._ledger.job(job)
            if row is not None and row.state is JobState.QUEUED:
                with self._ledger.transaction():
                    self._is_used_up_by(event, row)
            self._lost_device = None

    def _set_back(self, row: JobRow, inside: list[str], event: WorkerDied) -> None:
        """Queue a job again that was being painted, or set it aside."""
        stopped = event.cause is Death.STOPPED
        blamed = inside == [row.id] and not stopped and event.cause is not Death.DEVICE_LOST
        if not (blamed and self._is_used_up_by(event, row)):
            self._queue_again(row, suspect=row.id in inside and not stopped)

    def _lose_assembly(self, job: RunningJob, target: Path, event: WorkerDied) -> None:
        """Have an animation or sheet made again, unless the worker has died of it too often.

        They are made one by one, so those that waited are not to blame. Nor is the first if frames
        were painted meanwhile: their jobs wait until it is made, which shows whose fault it was.
        """
        job.assembling = None
        to_blame = event.cause is not Death.STOPPED and not event.frames
        if not to_blame or event.assembling[:1] != ((job.id, target),):
            return
        job.deaths[target] += 1
        if job.deaths[target] >= self.max_attempts:
            what = f"{target.name} could not be made: the worker died of it ({event.exit})."
            job.give_up(target, what)

    def _queue_again(self, row: JobRow, *, suspect: bool) -> None:
        if suspect:
            self._ledger.set_suspect(row.id, True)
        self._ledger.set_state(row.id, JobState.QUEUED)

    def _is_used_up_by(self, event: WorkerDied, row: JobRow) -> bool:
        return self._used_up(row, "The worker", f" ({_how(event)})", _ADVICE[event.cause])

    def _used_up(self, row: JobRow, who: str, how: str, advice: str) -> bool:
        """Count an attempt; True if it was the last, and the job is set aside."""
        attempts = self._ledger.count_attempt(row.id)
        if attempts < self.max_attempts:
            return False
        reason = f"{who} died {attempts} times while it painted this picture alone{how}."
        self._archive.end(row, JobState.FAILED, f"{reason}\n{advice}")
        return True


def _how(event: WorkerDied) -> str:
    return f"{event.exit}; {_MEMORY}" if event.cause is Death.KILLED else event.exit

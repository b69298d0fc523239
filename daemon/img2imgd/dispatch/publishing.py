"""From painted frames to the outbox: animations and a sheet made, one rename, archived."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from pathlib import Path

from img2imgd import metrics
from img2imgd.dispatch.archive import Archive
from img2imgd.dispatch.assemblies import next_assembly
from img2imgd.dispatch.latest import Latest
from img2imgd.dispatch.running import RunningJob
from img2imgd.errors import EnvironmentFault
from img2imgd.job import CANCELLED_FRAME, FrameState, JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.outputs.folders import free_folder, path_below
from img2imgd.outputs.staging import STAGING, Staging
from img2imgd.outputs.stamps import stamps_below
from img2imgd.pool.messages import Assembly
from img2imgd.pool.supervision import WorkerPool

log = logging.getLogger(__name__)

_STALE = "Given up while it was painted: the picture was saved anew."


def check_outbox(staging: Staging) -> None:
    """Refuse to conclude anything from an outbox that is not mounted.

    Raises:
        EnvironmentFault: it is gone, or another folder has its name.
    """
    if staging.available:
        return
    if staging.outbox.is_dir():
        raise EnvironmentFault(
            f"Another folder has the name of the outbox {staging.outbox}: it has no {STAGING}.",
            "Mount its disk again, or start img2imgd anew if it is a new folder.",
        )
    raise EnvironmentFault(
        f"The outbox {staging.outbox} is not there.",
        "Mount it again; what is painted waits there.",
    )


class Publishing:
    """Brings jobs whose frames are painted to their end."""

    def __init__(
        self, outbox: Path, ledger: Ledger, pool: WorkerPool, archive: Archive, latest: Latest
    ) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._pool = pool
        self._archive = archive
        self._latest = latest

    def advance(self, job: RunningJob) -> bool:
        """Do the next thing for a painted job; True when it has ended."""
        if job.stale:
            self._archive.end(job.row, JobState.REPLACED, _STALE)
            return True
        if job.cancelled:
            self._leave_out_unpainted(job)
        if not self.can_go_on(job):
            self._paint_again(job)
            return False
        if not job.assembled:
            self._settle_equal_frames(job)
            if len(job.refused) == len(job.frames):
                state = JobState.CANCELLED if job.left_out else JobState.FAILED
                self._archive.end(job.row, state, _why_none(job))
                return True
            assembly = self._next_assembly(job)
            if assembly is not None:
                job.assembling = assembly.target
                self._pool.assemble(job.id, assembly)
                return False
            job.assembled = True
        if not job.staging.announced:  # else a fault cut the publishing short
            painted = stamps_below(job.staging.path(job.outputs.name, None))
            self._ledger.set_publishing(replace(job.row.spec, painted=painted))
        self.publish(job)
        return True

    def was_begun(self, row: JobRow) -> bool:
        """True of a job that was being published when its ledger was lost."""
        return bool(Staging(self._outbox, row.id).announced)

    def can_go_on(self, job: RunningJob) -> bool:
        """False when a job's frames are not all staged, nor on their way to the outbox.

        Raises:
            EnvironmentFault: the outbox is gone; nothing can be told.
        """
        check_outbox(job.staging)
        return bool(job.staging.announced) or not job.missing()

    def publish(self, job: RunningJob) -> None:
        """One rename into the outbox; a name that is staged no more was published before.

        The name is announced before it, so that this is known whatever becomes of the ledger.
        """
        check_outbox(job.staging)
        if job.staging.is_staged(job.outputs.name):
            with metrics.STAGES.timed("publish"):
                published = self._rename_into_outbox(job)
        else:
            published = job.staging.announced
        self._latest.update(job, published)
        self._ledger.set_published(job.id, published)
        log.info("job %s published %s", job.id, published)
        told = [*_kept(job, published), *job.notes, *job.row.spec.notes, *_partly(job.refused)]
        state = JobState.CANCELLED if job.left_out else JobState.DONE
        self._archive.end(job.row, state, "\n".join(told))

    def _leave_out_unpainted(self, job: RunningJob) -> None:
        """Go on with what is staged of a cancelled job, if it is not on its way to the outbox.

        Raises:
            EnvironmentFault: the outbox is gone; nothing can be told.
        """
        check_outbox(job.staging)
        if job.staging.announced or not (missing := job.missing()):
            return
        with self._ledger.transaction():
            for index in missing:
                self._ledger.set_frame(job.id, index, FrameState.FAILED, CANCELLED_FRAME)
        job.leave_out(missing)
        job.assembled = job.assembled and job.painting is None

    def _paint_again(self, job: RunningJob) -> None:
        """Somebody has removed frames from the staging folder."""
        job.to_paint, job.assembled = job.missing(), False
        log.warning("job %s: staged frames are gone, they are painted again", job.id)
        self._ledger.set_state(job.id, JobState.RUNNING)

    def _next_assembly(self, job: RunningJob) -> Assembly | None:
        """What to make next; a fault of ours in planning it costs it, and not the frames."""
        try:
            return next_assembly(job)
        except OSError:
            raise
        except Exception as error:
            log.exception("job %s: no further animation or sheet is made", job.id)
            job.notes.append(f"Its animations or sheet could not be made: {error!r}")
            return None

    def _settle_equal_frames(self, job: RunningJob) -> None:
        states = job.settle_equal_frames()
        with self._ledger.transaction():
            for index, state in states.items():
                self._ledger.set_frame(job.id, index, state, job.refused.get(index, ""))

    def _rename_into_outbox(self, job: RunningJob) -> str:
        """Publish under the reserved name, or the next one where a foreign file has taken it.

        The same goes for its folder: what is painted is not lost because of a file in the way.
        """
        staged = job.outputs.name
        while True:
            folder = path_below(self._outbox, free_folder(self._outbox, job.outputs.folder))
            name = job.staging.free_name(staged, folder)
            job.staging.announce(_below(folder, name))
            with contextlib.suppress(FileExistsError):  # taken since it was looked for
                return job.staging.publish(staged, name, folder)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _reasons(refused: dict[int, str]) -> str:
    return "\n".join(dict.fromkeys(refused.values()))


def _without_left_out(refused: dict[int, str]) -> dict[int, str]:
    return {index: why for index, why in refused.items() if why != CANCELLED_FRAME}


def _why_none(job: RunningJob) -> str:
    """Why nothing of a job is published."""
    told = [cancelled_in_words(len(job.frames))] if job.left_out else []
    return "\n".join(filter(None, [*told, _reasons(_without_left_out(job.refused))]))


def cancelled_in_words(frames: int) -> str:
    """That a job was cancelled, and nothing of its so many frames was kept."""
    return f"Cancelled by hand before {'it' if frames == 1 else 'any of its frames'} was painted."


def _kept(job: RunningJob, published: str) -> list[str]:
    """What was kept of a job that was cancelled."""
    if not job.left_out:
        return []
    kept, of = len(job.frames) - len(job.refused), len(job.frames)
    are = "is" if kept == 1 else "are"
    return [f"Cancelled by hand: {kept} of its {of} frames {are} kept, in the outbox: {published}"]


def _partly(refused: dict[int, str]) -> list[str]:
    refused = _without_left_out(refused)
    if not refused:
        return []
    frames = ", ".join(str(index) for index in sorted(refused))
    return [f"Frames {frames} could not be painted: {_reasons(refused)}"]

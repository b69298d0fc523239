"""The start of a job: is there room, is its picture one, which of its frames are still to paint."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from img2imgd import durable, filesystems
from img2imgd.config import Config
from img2imgd.dispatch.publishing import check_outbox
from img2imgd.dispatch.running import Painting, RunningJob
from img2imgd.dispatch.spools import has_files
from img2imgd.engine.protocol import ModelInfo
from img2imgd.errors import DocumentError, EnvironmentFault, PictureError, shown
from img2imgd.job import FrameState, JobState
from img2imgd.ledger import JobRow, Ledger
from img2imgd.outputs.metadata import Origin
from img2imgd.outputs.orders import Encoding, Restoration
from img2imgd.outputs.recipe import EmbeddingOrigin, LoraOrigin, ModelOrigin, PictureOrigin
from img2imgd.outputs.staging import STAGING, Staging
from img2imgd.pool.preparing import Preparation, Preparing
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import Prepared, SizeRule
from img2imgd.request import OWN, Request
from img2imgd.request.outputs import LONGEST_SIDES

_PREPARED = "prepared.png"  # in a job's spool folder: what it is painted from
_MADE_FROM = "made-from.json"  # and what its files tell of how they were made
_AHEAD = 2  # pictures at the reader: the one that it reads, and the next


@dataclass(frozen=True)
class _Reading:
    """A job whose picture is read: to be painted with this model, and in full as asked here."""

    model: ModelInfo
    request: Request
    picture: Path
    preparation: Preparation


class Starting:
    """Turns queued jobs into running ones, whose pictures are read before; :meth:`stop` ends it.

    ``read`` is called, from another thread, when a picture was read.
    """

    def __init__(
        self, config: Config, ledger: Ledger, reader: ReaderProcess, read: Callable[[], None]
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._preparing = Preparing(reader, read)
        self._readings: dict[str, _Reading] = {}  # by job
        self._earlier: dict[str, RunningJob] = {}  # as they were when they were queued again

    def reconfigure(self, config: Config) -> None:
        """Start by another config what has not been read yet."""
        self._config = config

    @property
    def under_way(self) -> bool:
        """True while a picture is being read."""
        return not all(reading.preparation.collected for reading in self._readings.values())

    @property
    def reading(self) -> list[str]:
        """Jobs whose pictures are being read, or are next."""
        return [job for job, one in self._readings.items() if not one.preparation.collected]

    def collect(self) -> None:
        """Take over what the reader has done."""
        for reading in self._readings.values():
            reading.preparation.collect()

    def keep(self, jobs: Container[str], model: ModelInfo | None) -> None:
        """Forget what was read, but for these jobs, to be painted with this model."""
        self._readings = {
            job: reading
            for job, reading in self._readings.items()
            if not reading.preparation.collected or (job in jobs and reading.model == model)
        }

    def remember(self, job: RunningJob) -> None:
        """Know, when a job that is queued again begins, what was noted of it."""
        self._earlier[job.id] = job

    def forget(self, job: str) -> None:
        """Forget what was noted of a job that has ended."""
        self._earlier.pop(job, None)

    def take_up(self, row: JobRow) -> RunningJob:
        """A queued job that has been painted in part, of which nothing more is to be painted.

        Without the notes of what it was painted from, nothing can be made of its frames.
        """
        job = self._earlier.pop(row.id, None)
        if job is None:
            job = RunningJob.resume(row, self._config.outbox, self._ledger.frames(row.id))
            job.painting = _painting_of(row)
        job.row, job.assembled = row, job.painting is None
        if job.assembled and job.has_folder:
            job.notes.append("No animation or sheet was made of its frames.")
        return job

    def prepare(self, row: JobRow, model: ModelInfo) -> bool:
        """Have a job's picture read, if there is room for it; True once that was done.

        Raises:
            PictureError: its picture cannot be read, or the model cannot do what is asked.
            InboxAway: its inbox is not there.
            EnvironmentFault: the disk or a folder does not allow it now.
        """
        reading = self._readings.get(row.id)
        if reading is None and (row.suspect or len(self._readings) < _AHEAD):  # all wait for it
            reading = self._readings[row.id] = self._read(row, model)
        return reading is not None and reading.model == model and reading.preparation.collect()

    def begin(self, row: JobRow) -> RunningJob | None:
        """Start a job whose picture was read; None if a newer save took its place meanwhile.

        Raises:
            PictureError, EnvironmentFault: as :meth:`prepare`.
        """
        reading = self._readings.pop(row.id)
        self._check_room(row)
        model, request, prepared = reading.model, reading.request, reading.preparation.result()
        _check_sides(request, prepared)
        encoding, origin = _encoding(request, prepared), _origin(row, request, model, prepared)
        painting = Painting(reading.picture, encoding, origin)
        frames, earlier = self._ledger.frames(row.id), self._earlier.get(row.id)
        job = RunningJob.begin(row, self._config.outbox, painting, frames, earlier)
        if job.has_folder:  # another process may have to make something of its frames
            durable.write_file(_made_from(row), origin.to_json())
        job.notes.extend(note for note in prepared.notes if note not in job.notes)
        with self._ledger.transaction():
            current = self._ledger.job(row.id)
            if current is None or current.state is not JobState.QUEUED:
                return None
            self._ledger.set_state(row.id, JobState.RUNNING)
            for index in job.equal_frames.keys() - job.refused.keys() - set(job.to_paint):
                self._ledger.set_frame(row.id, index, FrameState.STAGED)
        self.forget(row.id)
        return job

    def stop(self) -> None:
        """Forget every picture; nothing waits for the reader."""
        self._preparing.stop()
        for reading in self._readings.values():
            reading.preparation.drop()
        self._readings.clear()

    def _read(self, row: JobRow, model: ModelInfo) -> _Reading:
        """Have the reader make the plain RGB picture of the output's size."""
        check_files(row)
        self._check_room(row)
        request = self._in_full(row, model)
        _check_keys(request, model)
        rule = SizeRule(
            request.size or model.native_size, request.fit, model.multiple, request.restore_size,
            request.prepare,
        )  # fmt: skip
        spool = Path(row.spec.inbox) / STAGING / row.id
        source, target = spool / "in" / row.spec.subject.name, spool / _PREPARED
        return _Reading(model, request, target, self._preparing.begin(source, target, rule))

    def _in_full(self, row: JobRow, model: ModelInfo) -> Request:
        """The request with the size and the scheduler that are used where it names none.

        They are kept in the spool: a job that goes on after a change of the config is painted to
        its end as it was begun.
        """
        kept = Path(row.spec.inbox) / STAGING / row.id / "painted-as.json"
        try:
            return Request.from_json(kept.read_bytes())
        except (FileNotFoundError, DocumentError):
            pass
        request, table = row.spec.asked, self._config.models[model.name]
        full = structs.replace(
            request,
            size=request.size or table.size or model.native_size,
            scheduler=request.scheduler or table.scheduler,
        )
        durable.write_file(kept, full.to_json().encode())
        return full

    def _check_room(self, row: JobRow) -> None:
        check_outbox(Staging(self._config.outbox, row.id))
        needed = self._config.limits.min_free_gb * 1e9
        free = filesystems.free_bytes(self._config.outbox)
        if free < needed:
            raise EnvironmentFault(
                f"Only {free / 1e9:.1f} GB are free for the outbox; "
                f"limits.min_free_gb asks for {needed / 1e9:g}."
            )


def check_files(row: JobRow) -> None:
    """Refuse a job whose inputs somebody took out of the spool.

    Raises:
        PictureError: they are gone.
        InboxAway: its inbox is not there.
    """
    if not has_files(row):
        raise PictureError(
            f"Its files are no longer in {Path(row.spec.inbox) / STAGING}, where they waited.",
            "Drop the picture once more.",
        )


def _check_keys(request: Request, model: ModelInfo) -> None:
    """Refuse what a sidecar asks for and the model cannot follow; defaults have no effect there.

    Raises:
        PictureError: a key of the sidecar would change nothing.
    """
    ignored = [key for key in request.asked_of_model if key in model.ignores]
    if ignored:
        raise PictureError(
            f"The model {model.name} (family {model.family}) knows no {' and no '.join(ignored)}.",
            f"Leave {' and '.join(ignored)} out of the sidecar, or name another model.",
        )


def _check_sides(request: Request, prepared: Prepared) -> None:
    """Refuse a picture that the format has no room for.

    Raises:
        PictureError: a side of the output would be too long.
    """
    size = prepared.original if request.restore_size else (prepared.width, prepared.height)
    most = LONGEST_SIDES[request.format]
    if max(size) > most:
        raise PictureError(
            f"The output would be {size[0]}×{size[1]}, and a {request.format} has at most {most:,}"
            " pixels a side.",
            "Ask for `format: png`, or for a smaller size.",
        )


def _made_from(row: JobRow) -> Path:
    return Path(row.spec.inbox) / STAGING / row.id / _MADE_FROM


def _painting_of(row: JobRow) -> Painting | None:
    """What a job was painted from, as an earlier process noted it; None where that is not there."""
    path = _made_from(row)
    try:
        origin = Origin.from_json(path.read_bytes())
    except OSError:
        return None
    if origin is None:
        return None
    encoding = Encoding(origin.request.format, origin.request.quality)
    return Painting(path.with_name(_PREPARED), encoding, origin)


def _encoding(request: Request, prepared: Prepared) -> Encoding:
    restoration = Restoration(prepared.inside, prepared.original) if request.restore_size else None
    return Encoding(request.format, request.quality, restoration)


def _origin(row: JobRow, request: Request, model: ModelInfo, prepared: Prepared) -> Origin:
    return Origin(
        request=request,
        picture=PictureOrigin(shown(row.spec.subject.name), prepared.sha256),
        model=ModelOrigin(
            name=model.name,
            family=model.family,
            sha256=model.weights,
            vae_sha256=model.vae,
            refiner_sha256=model.refiner,
            loras=tuple(LoraOrigin(*lora) for lora in model.loras),
            embeddings=tuple(EmbeddingOrigin(*one) for one in model.embeddings),
        ),
        painted_size=(prepared.width, prepared.height),
        scheduler=model.scheduler if request.scheduler in (None, OWN) else request.scheduler,
        libraries=model.libraries,
        ignored=model.ignores,
    )

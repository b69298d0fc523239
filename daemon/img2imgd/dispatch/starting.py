"""The start of a job: is there room, is its picture one, which of its frames are still to paint."""

from __future__ import annotations

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
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import Prepared, SizeRule
from img2imgd.request import OWN, Request
from img2imgd.request.outputs import LONGEST_SIDES


class Starting:
    """Turns queued jobs into running ones."""

    def __init__(self, config: Config, ledger: Ledger, reader: ReaderProcess) -> None:
        self._config = config
        self._ledger = ledger
        self._reader = reader

    def begin(self, row: JobRow, model: ModelInfo) -> RunningJob | None:
        """Start a job with the loaded model; None if a newer save took its place just now.

        Raises:
            PictureError: its picture cannot be read, or the model cannot do what is asked.
            InboxAway: its inbox is not there.
            EnvironmentFault: the disk or a folder does not allow it now.
        """
        if not has_files(row):
            raise PictureError(
                f"Its files are no longer in {Path(row.spec.inbox) / STAGING}, where they waited.",
                "Drop the picture once more.",
            )
        check_outbox(Staging(self._config.outbox, row.id))
        self._check_room()
        picture = Path(row.spec.inbox) / STAGING / row.id / "prepared.png"
        request = self._in_full(row, model)
        _check_keys(request, model)
        prepared = self._prepare(row, request, model, picture)
        _check_sides(request, prepared)
        painting = Painting(
            picture, _encoding(request, prepared), _origin(row, request, model, prepared)
        )
        job = RunningJob.begin(row, self._config.outbox, painting)
        job.notes.extend(prepared.notes)
        with self._ledger.transaction():
            current = self._ledger.job(row.id)
            if current is None or current.state is not JobState.QUEUED:
                return None
            self._ledger.set_state(row.id, JobState.RUNNING)
            for frame in job.frames:
                if frame.painted_by == frame.index and frame.index not in job.to_paint:
                    self._ledger.set_frame(row.id, frame.index, FrameState.STAGED)
        return job

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

    def _prepare(self, row: JobRow, request: Request, model: ModelInfo, target: Path) -> Prepared:
        """Have the reader make the plain RGB picture of the output's size."""
        source = target.parent / "in" / row.spec.subject.name
        rule = SizeRule(
            request.size or model.native_size, request.fit, model.multiple, request.restore_size
        )
        return self._reader.prepare(source, target, rule)

    def _check_room(self) -> None:
        needed = self._config.limits.min_free_gb * 1e9
        free = filesystems.free_bytes(self._config.outbox)
        if free < needed:
            raise EnvironmentFault(
                f"Only {free / 1e9:.1f} GB are free for the outbox; "
                f"limits.min_free_gb asks for {needed / 1e9:g}."
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

"""The claim protocol: files leave the inbox for the spool so that a crash anywhere loses nothing.

Order (each step durable before the next): spool folder with ``job.json`` → ledger row ``claiming``
with the output names reserved → rename of picture, then sidecar → fsync of both folders → check
that what was taken is what was seen → ledger row ``queued``. A crash in between is repaired by
:mod:`img2imgd.inbox.recover`.

Frames are planned and files written before the ledger is locked, since others wait for it. A claim
of many pictures is recorded part by part, which is safe while nothing has been taken; but all
become ``queued`` at once, since a shared sidecar goes with all of its pictures or none.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from img2imgd import durable
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import EnvironmentFault
from img2imgd.inbox.adopting import BUNDLE, SpoolReader
from img2imgd.inbox.taking import (
    ChangedMeanwhile,
    Input,
    check_disks,
    is_home,
    is_whole,
    lies_apart,
    number_of,
    put_back,
    take,
)
from img2imgd.inbox.watch import SPOOL
from img2imgd.job import Frame, JobState, new_job_id, plan_frames
from img2imgd.ledger import JOB_FILE, BundleRow, FileEntry, JobSpec, Ledger, Outputs
from img2imgd.ledger.marker import spool_id
from img2imgd.log import Lasting
from img2imgd.outputs.folders import fitting
from img2imgd.outputs.names import first_free, folder_name, frame_names
from img2imgd.outputs.staging import Staging
from img2imgd.pairing.kinds import fold, split_suffix
from img2imgd.request import Request

log = logging.getLogger(__name__)

AT_ONCE = 50  # jobs that are recorded in one commit


@dataclass(frozen=True)
class Drop:
    """A drop ready to be claimed: ``rel`` is its path in the inbox; a request or an error."""

    rel: str
    inputs: tuple[Input, ...]
    request: Request | None
    error: str = ""
    notes: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class _Prepared:
    """A job whose spool folder is made: the names it would like, its frames as (index, steps)."""

    spec: JobSpec
    wanted: Outputs | None
    steps: Sequence[tuple[int, int]]


class Claims:
    """Claims drops of one inbox. ``progress`` is called as often as a claim gets on."""

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        ledger: Ledger,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._ledger = ledger
        self.spool = inbox.path / SPOOL
        self.found = SpoolReader(config, inbox.path)
        self.progress = progress
        self.lasting = Lasting(log)  # a claim that a fault undoes is tried again and again

    def claim(
        self, drops: Sequence[Drop], shared: Input | None = None, beside: Sequence[Input] = ()
    ) -> bool:
        """Claim drops together; ``shared`` is a sidecar that serves all of them.

        Or the document that they are pages of, and ``beside`` its sidecar, which goes along.

        Returns False when a file changed meanwhile: everything is back where it was.
        """
        bundle = f"{new_job_id()}{BUNDLE}" if shared is not None else None
        specs: list[JobSpec] = []
        for first in range(0, len(drops), AT_ONCE):
            chosen: set[str] = set()
            self.progress()
            some = [self._prepare(drop, bundle, chosen) for drop in drops[first : first + AT_ONCE]]
            with self._ledger.transaction():
                specs.extend(self._record(prepared) for prepared in some)
                if bundle is not None and shared is not None and first == 0:
                    self._ledger.add_bundle(
                        BundleRow(
                            bundle, str(self._inbox.path), self._rel(shared.path),
                            shared.path.name, shared.signature.inode,
                        )
                    )  # fmt: skip
        try:
            for spec, drop in zip(specs, drops, strict=True):
                self.progress()
                take(spec.files, drop.inputs, self.spool / spec.id / "in")
            if bundle is not None and shared is not None:
                for item in (shared, *beside):  # a document in the spool has all its pages there
                    self._take_shared(bundle, item)
        except (ChangedMeanwhile, FileNotFoundError, NotADirectoryError) as error:
            if not self.is_home_of(specs[0]):  # left as it is: repaired when the inbox is back
                raise EnvironmentFault(f"The inbox {self._inbox.path} is not there.") from error
            self.check_disks(specs)
            log.info("%s changed while it was claimed; it waits again", error)
            self._give_back(specs, bundle, [item for item in (shared, *beside) if item])
            return False
        with self._ledger.transaction():
            for spec in specs:
                self._enter(spec)
        return True

    def is_home_of(self, spec: JobSpec) -> bool:
        """True when the spool that is there is the one that a job was claimed into."""
        return self.spool.is_dir() and spec.spool in ("", spool_id(self.spool))

    def check_disks(self, specs: Sequence[JobSpec]) -> None:
        """As :func:`check_disks`, but of what was painted: that had been claimed wholly."""
        if not self._begun(specs):
            for spec in specs:
                check_disks(spec.files, self.spool / spec.id / "in")

    def _begun(self, specs: Sequence[JobSpec]) -> bool:
        """True when a worker had one of them, so that all had been claimed."""
        return any(Staging(self._config.outbox, spec.id).folder.is_dir() for spec in specs)

    def undo(self, spec: JobSpec) -> None:
        """Return a job's files to where they came from, replacing nothing, and forget the job."""
        folder = self.spool / spec.id / "in"
        moved = [entry for entry in spec.files if entry.how == "move" and not is_home(entry)]
        here = [entry for entry in moved if durable.is_there(folder / entry.name)]
        put_back(
            [(folder / entry.name, Path(entry.source)) for entry in here],
            self._inbox.path,
            max([1, *(number_of(e, self._inbox.path) for e in moved if e not in here)]),
        )
        durable.remove_tree(self.spool / spec.id)
        self._ledger.drop_job(spec.id)

    def complete(self, specs: Sequence[JobSpec]) -> bool:
        """Finish a claim that a crash cut short, if every file of its jobs was taken whole.

        A copy counts only once its original is gone, which the disk may not allow any more. What
        has been painted had been claimed, whatever a new ledger and a copied disk say of times.
        """
        taken = [
            (self.spool / spec.id / "in" / entry.name, entry)
            for spec in specs
            for entry in spec.files
        ]
        if not self._begun(specs) and not all(is_whole(path, entry) for path, entry in taken):
            return False
        for _, entry in taken:
            if entry.how == "move" and is_home(entry):
                try:
                    Path(entry.source).unlink(missing_ok=True)
                    durable.fsync_path(Path(entry.source).parent)
                except OSError:
                    return False
        with self._ledger.transaction():
            for spec in specs:
                self._enter(spec)
        return True

    def clear(self, job: str) -> None:
        """Remove the folders of a job that has no inputs any more."""
        Staging(self._config.outbox, job).discard()
        durable.remove_tree(self.spool / job)

    def reserve_again(self, spec: JobSpec) -> None:
        """Take the names of a job that a new ledger does not know yet."""
        if spec.outputs is not None:
            name = _below(spec.outputs.folder, spec.outputs.name)
            self._ledger.reserve(str(self._config.outbox), fold(name), spec.id)

    def _give_back(
        self, specs: Sequence[JobSpec], bundle: str | None, shared: Sequence[Input]
    ) -> None:
        """Undo a claim; what is shared first, while its jobs still say where it belongs."""
        if bundle is not None:
            files = [(self.spool / bundle / item.path.name, item.path) for item in shared]
            put_back([pair for pair in files if durable.is_there(pair[0])], self._inbox.path)
            durable.remove_tree(self.spool / bundle)
        for spec in specs:
            self.undo(spec)
        if bundle is not None:
            self._ledger.end_bundle(bundle)

    def _prepare(self, drop: Drop, bundle: str | None, chosen: set[str]) -> _Prepared:
        """Make the spool folder and write ``job.json``; ``chosen`` are names chosen before."""
        job = new_job_id()
        files: list[FileEntry] = []
        for item in drop.inputs:
            taken = {entry.name for entry in files}
            name = first_free(item.name or item.path.name, taken.__contains__)
            files.append(
                FileEntry(
                    role=item.role,  # pyright: ignore[reportArgumentType]
                    name=name,
                    source=str(item.path),
                    how=item.how,  # pyright: ignore[reportArgumentType]
                    inode=item.signature.inode,
                    size=item.size,
                    mtime_ns=item.signature.mtime_ns,
                    across=(item.how == "move" or item.made is not None)
                    and lies_apart(item.path, self.spool),
                )
            )
        frames = plan_frames(drop.request) if drop.request else ()
        outputs = self._outputs(job, drop.rel, drop.request, frames) if drop.request else None
        spec = JobSpec(
            id=job, inbox=str(self._inbox.path), rel=drop.rel, mode=self._inbox.mode,
            files=tuple(files), request=drop.request, outputs=outputs, error=drop.error,
            notes=drop.notes, bundle=bundle, digest=drop.digest, spool=spool_id(self.spool),
        )  # fmt: skip
        steps = [(frame.index, frame.effective_steps) for frame in frames]
        outbox = str(self._config.outbox)

        def is_chosen(folded: str) -> bool:
            return folded in chosen or self._ledger.is_reserved(outbox, folded)

        prepared = _Prepared(self._named(spec, is_chosen), outputs, steps)
        if prepared.spec.outputs is not None:
            chosen.add(fold(_below(prepared.spec.outputs.folder, prepared.spec.outputs.name)))
        durable.make_folders(self.spool / job / "in")
        self._write(prepared.spec)
        return prepared

    def _record(self, prepared: _Prepared) -> JobSpec:
        """Reserve the names and add the ledger's row; another inbox may have been quicker."""
        spec = prepared.spec
        outbox = str(self._config.outbox)
        wanted = replace(spec, outputs=prepared.wanted)
        named = self._named(wanted, lambda name: not self._ledger.reserve(outbox, name, spec.id))
        if named != spec:
            self._write(named)
        self._ledger.add_job(named, JobState.CLAIMING, prepared.steps)
        return named

    def _write(self, spec: JobSpec) -> None:
        durable.write_file(self.spool / spec.id / JOB_FILE, spec.to_json().encode("ascii"))

    def _outputs(self, job: str, rel: str, request: Request, frames: Sequence[Frame]) -> Outputs:
        """The names that the outputs of a job should have."""
        folder, _, file = rel.rpartition("/")
        folder = fitting(self._config.outbox, _writable(folder))
        template, stem = self._config.outputs.name, split_suffix(file)[0]
        prompt = frames[0].words
        names = frame_names(template, request.suffix, job, stem, prompt, frames)
        single = len(frames) == 1
        name = names[0] if single else folder_name(template, job, stem, prompt, frames[0])
        return Outputs(folder, name, names)

    def _named(self, spec: JobSpec, is_reserved: Callable[[str], bool]) -> JobSpec:
        """A job whose outputs are named past those that are reserved or exist."""
        if (wanted := spec.outputs) is None:
            return spec

        def is_taken(name: str) -> bool:
            path = _below(wanted.folder, name)
            return durable.is_there(self._config.outbox / path) or is_reserved(fold(path))

        name = first_free(wanted.name, is_taken)
        frames = (name,) if len(wanted.frames) == 1 else wanted.frames
        return replace(spec, outputs=Outputs(wanted.folder, name, frames))

    def _take_shared(self, bundle: str, shared: Input) -> None:
        durable.make_folders(self.spool / bundle)
        target = self.spool / bundle / shared.path.name
        seen = shared.signature
        entry = FileEntry(
            role="sidecar", name=target.name, source=str(shared.path), how="move",
            inode=seen.inode, size=seen.size, mtime_ns=seen.mtime_ns,
        )  # fmt: skip
        if not is_home(entry):
            raise ChangedMeanwhile(shared.path.name)
        durable.move_new(shared.path, target)
        if not is_whole(target, entry):
            raise ChangedMeanwhile(shared.path.name)

    def _enter(self, spec: JobSpec) -> None:
        """The claim holds: the job may be served, or is failed at once with its error."""
        state = JobState.FAILED if spec.error else JobState.QUEUED
        if spec.mode == "keep":
            for older in self._ledger.queued_for(spec.inbox, spec.rel, spec.home):
                log.info("job %s replaced by a newer save of %s", older.id, spec.rel)
                self._ledger.set_state(older.id, JobState.REPLACED)
            self._ledger.set_served(spec.home, spec.rel, spec.digest)
        self._ledger.set_state(spec.id, state, spec.error or None)
        sources = {Path(entry.source) for entry in spec.files}
        here = [self._rel(path) for path in sources if path.is_relative_to(self._inbox.path)]
        self._ledger.end_waiting(spec.inbox, here)
        refused = f", refused: {spec.error.partition(chr(10))[0]}" if spec.error else ""
        log.info("job %s claimed %s%s", spec.id, spec.rel, refused)

    def _rel(self, path: Path) -> str:
        return str(path.relative_to(self._inbox.path))


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _writable(folder: str) -> str:
    """A mirrored folder's name for the outbox: bytes that are no UTF-8 are replaced."""
    return os.fsencode(folder).decode("utf-8", "replace")

"""The ledger's rows as frozen values, and the job file that repeats a job's row in its spool."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from img2imgd.job import FrameState, JobState
from img2imgd.request import Request

JOB_FILE = "job.json"  # in a job's spool folder: its JobSpec
ENDED_FILE = "ended.json"  # beside it, once the job has ended: an EndedJob


@dataclass(frozen=True)
class FileEntry:
    """An input of a job; it lies in the spool as ``JOB/in/NAME``.

    ``source`` is the absolute path it was taken from. ``how`` is ``move`` for a rename, ``copy``
    where the original stays elsewhere (keep mode, a shared sidecar, a picture from done).
    ``across`` is of a file moved from another disk than the spool's, mounted below the inbox.
    """

    role: Literal["picture", "sidecar", "also"]
    name: str
    source: str
    how: Literal["move", "copy"]
    inode: int
    size: int
    mtime_ns: int
    across: bool = False


@dataclass(frozen=True)
class Outputs:
    """The names reserved for a job, relative to the outbox.

    ``folder`` mirrors the inbox's subfolder; ``name`` is the file, or the folder of a job with
    several frames, that one rename publishes; ``frames`` are the files' names inside it.
    """

    folder: str
    name: str
    frames: tuple[str, ...]


@dataclass(frozen=True)
class JobSpec:
    """All that must be known to serve a job again from its spool folder alone.

    ``digest`` is of a kept file's content; ``spool`` is the id of the spool that its files are in;
    ``painted`` are the stamps (size, mtime_ns) of the outputs, known to the ledger alone.
    """

    id: str
    inbox: str
    rel: str
    mode: Literal["move", "keep"]
    files: tuple[FileEntry, ...]
    request: Request | None
    outputs: Outputs | None
    error: str = ""
    notes: tuple[str, ...] = ()
    bundle: str | None = None
    digest: str = ""
    spool: str = ""
    painted: tuple[tuple[int, int], ...] = ()

    @property
    def subject(self) -> FileEntry:
        """The file the job is about: its picture, or whatever was set aside."""
        return self.files[0]

    @property
    def is_page(self) -> bool:
        """True of a page of a document: the document itself goes with the last of its jobs."""
        return self.bundle is not None and self.subject.how == "copy"

    @property
    def home(self) -> str:
        """The id of its spool, or the inbox's path for a job from before spools had ids."""
        return self.spool or self.inbox

    @property
    def asked(self) -> Request:
        """The request of a job that runs.

        Raises:
            ValueError: the job was refused at its claim and has none.
        """
        if self.request is None:
            raise ValueError(f"job {self.id} has no request")
        return self.request

    @property
    def reserved(self) -> Outputs:
        """The output names of a job that runs.

        Raises:
            ValueError: the job was refused at its claim and has none.
        """
        if self.outputs is None:
            raise ValueError(f"job {self.id} has no outputs")
        return self.outputs

    def to_json(self) -> str:
        """JSON in ASCII: names that are no valid UTF-8 survive as escaped surrogates."""
        plain = {**asdict(self), "request": None}
        if self.request is not None:
            plain["request"] = json.loads(self.request.to_json())
        return json.dumps(plain, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> JobSpec:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: the text is no job file of this version.
        """
        plain: dict[str, Any] = json.loads(text)
        outputs, request = plain["outputs"], plain["request"]
        plain["files"] = tuple(FileEntry(**entry) for entry in plain["files"])
        plain["notes"] = tuple(plain["notes"])
        plain["painted"] = tuple((size, mtime) for size, mtime in plain.get("painted", ()))
        if outputs is not None:
            frames = tuple(outputs["frames"])
            plain["outputs"] = Outputs(outputs["folder"], outputs["name"], frames)
        if request is not None:
            plain["request"] = Request.from_json(json.dumps(request))
        return cls(**plain)


@dataclass(frozen=True)
class ArchivePlan:
    """Where the inputs of an ended job go, committed before they move.

    ``names`` maps names in the spool to names in ``folder`` (absolute, in done or failed);
    ``reason`` is the reason file's name there, empty without one, and ``reason_as`` its stamp
    (size, mtime_ns) once it is written. ``back`` is the number that the names get where a retry
    brings the files back to the inbox, 0 where none has begun.
    """

    kind: Literal["done", "failed"]
    folder: str
    names: dict[str, str]
    reason: str
    reason_as: tuple[int, int] | None = None
    back: int = 0

    @property
    def paths(self) -> list[Path]:
        """Where the inputs are, or will be."""
        return [Path(self.folder) / name for name in self.names.values()]

    def to_json(self) -> str:
        """JSON in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ArchivePlan:
        """The inverse of :meth:`to_json`."""
        return cls.from_plain(json.loads(text))

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> ArchivePlan:
        """From the values that JSON gives."""
        plan = cls(**plain)
        stamp = plan.reason_as
        return replace(plan, reason_as=(stamp[0], stamp[1])) if stamp else plan


@dataclass(frozen=True)
class EndedJob:
    """How a job ended, as a file of its spool folder says while its inputs move.

    A ledger that is new learns from it that nothing is to be painted any more.
    """

    state: JobState
    reason: str
    published: str
    archive: ArchivePlan

    def to_json(self) -> str:
        """JSON in ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EndedJob:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, KeyError, TypeError: the text is no such file.
        """
        plain = json.loads(text)
        plan = ArchivePlan.from_plain(plain["archive"])
        return cls(JobState(plain["state"]), plain["reason"], plain["published"], plan)


@dataclass(frozen=True)
class JobRow:
    """A job as the ledger knows it. Times are seconds since 1970."""

    spec: JobSpec
    state: JobState
    claimed_at: float
    started_at: float | None
    ended_at: float | None
    attempts: int
    suspect: bool
    reason: str
    published: str
    archive: ArchivePlan | None
    archived: bool

    @property
    def id(self) -> str:
        """The job's id."""
        return self.spec.id


@dataclass(frozen=True)
class FrameRow:
    """A frame as the ledger knows it; ``step`` of ``steps`` have run."""

    job: str
    index: int
    state: FrameState
    step: int
    steps: int
    name: str
    reason: str


@dataclass(frozen=True)
class WaitingRow:
    """A file that lies in an inbox, why, and when that ends or is looked at again, if time does."""

    inbox: str
    rel: str
    why: str
    until: float | None


def stem_of(rel: str) -> bytes:
    """A picture's path without its suffix, as the ledger keys it."""
    folder, _, name = rel.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return os.fsencode(f"{folder}/{stem}" if folder else stem)


def as_text(text: str) -> str:
    """Text as SQLite takes it: names in it may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()

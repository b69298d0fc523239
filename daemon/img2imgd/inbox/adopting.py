"""What a spool folder says of its job, believed as far as it keeps to img2imgd's own folders.

Whoever may write into an inbox may put a folder there that looks like a job's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from img2imgd import durable, plainfiles
from img2imgd.config import Config
from img2imgd.errors import DocumentError
from img2imgd.job import ENDED, plan_frames
from img2imgd.ledger import ENDED_FILE, JOB_FILE, EndedJob, JobSpec, rebased
from img2imgd.ledger.marker import spool_id
from img2imgd.outputs.staging import STAGING

# Ends the name of a spool folder that holds a shared sidecar, or a document and its sidecar.
BUNDLE = "-sidecar"
OURS = re.compile(rf"\d{{8}}T\d{{6}}-[0-9a-f]{{8}}({BUNDLE})?")

_MOST = 16 << 20  # bytes of a job's file
_NO_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.EISDIR})

T = TypeVar("T", JobSpec, EndedJob)


class SpoolReader:
    """Reads the jobs in the spool of an inbox; it may have been moved since they were written."""

    def __init__(self, config: Config, inbox: Path) -> None:
        self._config = config
        self._inbox = inbox
        self._spool = inbox / STAGING

    def is_ours(self, folder: Path) -> bool:
        """True of a folder that this user, or root, has made; also of one that is gone by now."""
        status = durable.look_at(folder)
        if status is None:
            return True
        owner = status.st_uid
        return owner in (0, os.geteuid()) or owner == self._own_id()

    def noted_inbox(self) -> str:
        """Where the inbox was when its jobs were claimed, as they say; empty where none tells."""
        with contextlib.suppress(OSError):  # what is wrong there is told when it is served
            for folder in files_in(self._spool):
                if OURS.fullmatch(folder.name) and is_folder(folder) and self.is_ours(folder):
                    spec = _read(folder / JOB_FILE, JobSpec)
                    if spec is not None:
                        return spec.inbox
        return ""

    def job(self, folder: Path) -> JobSpec | None:
        """The job as it is to be served from here; None where its file cannot be read or used."""
        spec = _read(folder / JOB_FILE, JobSpec)
        if spec is None or not _is_sound(spec, folder.name):
            return None
        here = rebased(spec, str(self._inbox), {})
        home = self._inbox / here.rel.rpartition("/")[0]
        ours = self._inbox, self._config.done, self._config.failed
        files = (
            entry
            if _is_below(entry.source, ours)
            else replace(entry, source=str(home / entry.name))
            for entry in here.files
        )
        return replace(here, files=tuple(files), spool=spool_id(self._spool))

    def ended(self, folder: Path, spec: JobSpec) -> EndedJob | None:
        """How the job ended; None if it has not, or where that cannot be read or used."""
        ended = _read(folder / ENDED_FILE, EndedJob)
        if ended is None or ended.state not in ENDED:
            return None
        plan = ended.archive
        if not all(map(_is_name, (*plan.names, *plan.names.values(), plan.reason or "none"))):
            return None
        root = self._config.failed if plan.kind == "failed" else self._config.done
        if not _is_below(plan.folder, (self._config.done, self._config.failed)):
            plan = replace(plan, folder=str(root / spec.rel.rpartition("/")[0]))
        published = ended.published if _is_relative(ended.published) else ""
        return replace(ended, archive=plan, published=published)

    def _own_id(self) -> int:
        """The user that new files belong to: a mount may show one user for all."""
        probe = self._spool / f"owner-{secrets.token_hex(4)}"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            return os.fstat(descriptor).st_uid
        finally:
            os.close(descriptor)
            probe.unlink()


def is_folder(path: Path) -> bool:
    """True of a folder itself, not of a link to one."""
    status = durable.look_at(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def files_in(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where there is none, or while it is removed."""
    try:
        return sorted(folder.iterdir()) if is_folder(folder) else []
    except FileNotFoundError:
        return []


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        made = kind.from_json(plainfiles.read_regular(path, _MOST).decode("ascii"))
        msgspec.convert({**asdict(made), "request": None}, kind)  # the types of all the rest
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, DocumentError):
        return None
    return made


def _is_sound(spec: JobSpec, folder: str) -> bool:
    """True if every name that paths are made from is one, and nothing is missing to serve it."""
    bundle = spec.bundle
    named = bundle is None or bool(OURS.fullmatch(bundle) and bundle.endswith(BUNDLE))
    names = all(_is_name(entry.name) for entry in spec.files)
    sound = spec.id == folder and named and names and bool(spec.files and spec.rel)
    if not sound or not _is_relative(spec.rel):
        return False
    if spec.request is None or spec.outputs is None:
        return bool(spec.error)
    made = spec.outputs
    if not all(map(_is_relative, (made.folder, made.name, *made.frames))):
        return False
    return len(made.frames) == len(plan_frames(spec.request))


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _is_relative(path: str) -> bool:
    """True of a path that stays below the folder it is put behind; also of an empty one."""
    return "\0" not in path and not path.startswith("/") and ".." not in path.split("/")


def _is_below(path: str, folders: Iterable[Path]) -> bool:
    whole = Path(path)
    sane = ".." not in whole.parts and "\0" not in path
    return sane and any(whole.is_relative_to(folder) for folder in folders)


# Made while there is one thread: msgspec (0.22) crashes where two meet a type for the first time.
_TYPES = (msgspec.json.Decoder(JobSpec), msgspec.json.Decoder(EndedJob))

"""``NAME.latest.png``: the newest result of a picture under a name that stays the same.

It is replaced by one rename, so that a viewer that is open on it shows the old picture or the new
one, and never half of one. The history lies beside it under names of its own.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from img2imgd import durable, plainfiles
from img2imgd.dispatch.running import RunningJob
from img2imgd.job import JobState
from img2imgd.ledger import JobSpec, Ledger
from img2imgd.log import Lasting
from img2imgd.outputs.names import cut_bytes, first_free, is_sheet, safe_stem
from img2imgd.pairing.kinds import fold, split_suffix

log = logging.getLogger(__name__)

_LATEST = ".latest"
_LONGEST_STEM = 200  # bytes


class Latest:
    """Keeps the newest results of ``inboxes``, by their paths, under names that stay."""

    def __init__(self, outbox: Path, ledger: Ledger, inboxes: Collection[str]) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self.inboxes = inboxes
        self._lasting = Lasting(log)

    def update(self, job: RunningJob, published: str) -> None:
        """Copy what a job has published; of several frames their sheet, or else the first.

        That it cannot be written is no fault of the job: the history has its pictures.
        """
        spec = job.row.spec
        if spec.inbox not in self.inboxes:
            return
        if any(later.state is JobState.DONE for later in self._ledger.later_of(job.row)):
            return  # it was overtaken by a newer one
        try:
            source = _shown(self._outbox / published, job.outputs.frames)
            target = self._target(spec, published.rpartition("/")[0], source.suffix)
            with (
                os.fdopen(plainfiles.open_regular(source), "rb") as reading,
                durable.writing(target) as file,
            ):
                shutil.copyfileobj(reading, file, 1 << 20)
        except FileNotFoundError:
            return  # somebody was quicker, and took it away
        except OSError as error:
            what = f"{error.filename or self._outbox}: {error.strerror or error}"
            self._lasting.say(spec.rel, f"job {job.id}: no newest result of {spec.rel}: {what}")

    def _target(self, spec: JobSpec, folder: str, suffix: str) -> Path:
        """The name that belongs to this picture, whatever other files are called."""
        owner = hashlib.blake2b(os.fsencode(f"{spec.home}/{spec.rel}"), digest_size=12).hexdigest()
        outbox, stem = str(self._outbox), split_suffix(spec.rel.rpartition("/")[2])[0]

        def is_taken(name: str) -> bool:
            path = f"{folder}/{name}" if folder else name
            known = self._ledger.owner_of(outbox, fold(path))
            if known is None and not durable.is_there(self._outbox / path):
                return not self._ledger.reserve(outbox, fold(path), f"{_LATEST}-{owner}")
            # A folder that somebody put there cannot be replaced as a file can.
            return known != f"{_LATEST}-{owner}" or _is_folder(self._outbox / path)

        name = f"{safe_stem(cut_bytes(stem, _LONGEST_STEM))}{_LATEST}{suffix}"
        return self._outbox / folder / first_free(name, is_taken)


def _is_folder(path: Path) -> bool:
    status = durable.look_at(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _shown(published: Path, frames: Sequence[str]) -> Path:
    """The picture to show of a published file or folder; perhaps it is gone."""
    if not published.is_dir():
        return published
    names = {path.name for path in published.iterdir()}
    sheets = [name for name in names if is_sheet(name, published.name)]
    here = [name for name in frames if name in names]
    return published / next(iter([*sheets, *here]), frames[0])

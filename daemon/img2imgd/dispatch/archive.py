"""The end of a job: its inputs go to done or failed under free names, with a reason file.

The names are committed to the ledger before anything moves, so that a crash in the middle is
finished by doing the rest; and written to the spool, where a ledger that is new finds them. ``~2``
before the extension is given to all files of a job alike.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from img2imgd import durable, metrics
from img2imgd.config import Config, command
from img2imgd.dispatch.failures import OldFailures
from img2imgd.dispatch.spools import has_files
from img2imgd.errors import EnvironmentFault, shown
from img2imgd.job import JobState
from img2imgd.ledger import (
    ENDED_FILE,
    ArchivePlan,
    BundleFile,
    BundleRow,
    EndedJob,
    JobRow,
    JobSpec,
    Ledger,
    missing_mount,
)
from img2imgd.outputs.folders import can_be_made, free_folder
from img2imgd.outputs.names import numbered, safe_name
from img2imgd.outputs.reasons import (
    REASON_SUFFIX,
    free_reason,
    job_of_reason,
    reason_name,
    write_reason,
)
from img2imgd.outputs.staging import STAGING, Staging
from img2imgd.outputs.stamps import stamp_of

log = logging.getLogger(__name__)

# What FAT, exFAT and SMB answer to names that Linux's own filesystems take.
_NAME_REFUSED = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})
_AGAIN = """\
To try again, put the corrected files back into the inbox. Once they are corrected, this does it:

    {retry}"""
_AFTER_ALL = """\
To have it painted after all, put its files back into the inbox, or:

    {retry}"""
_AGAIN_KEPT = """\
It is served again when it is saved anew, or by:

    {retry}"""


class Archive:
    """Ends jobs and brings their inputs where they stay."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._failures = OldFailures(ledger)

    def end(self, row: JobRow, state: JobState, reason: str = "") -> None:
        """End a job: commit its state and where its inputs go; :meth:`finish` moves them."""
        try:
            plan = self._plan(row.spec, state)
        except (OSError, EnvironmentFault) as error:
            if isinstance(error, OSError) and not durable.is_environment(error):
                raise
            self._ledger.set_state(row.id, state, reason)  # its plan is made when it can be
        else:
            self._ledger.set_archive(row.id, plan, state, reason)
        metrics.JOBS.add(state.value)
        log.info("job %s %s%s", row.id, state.value, f": {reason}" if reason else "")

    def finish(self, row: JobRow) -> None:
        """Move the inputs of an ended job, as far as they have not been moved yet.

        Raises:
            InboxAway: they are in another folder, which had the inbox's name.
            EnvironmentFault: the disk that they go to is not mounted.
        """
        spool = Path(row.spec.inbox) / STAGING / row.id
        has_files(row)  # else what was not moved before a crash was, or was taken out
        plan = row.archive
        # Without one it was refused at claim, perhaps. A new one is committed like any other.
        if plan is not None:
            self._check_disk(Path(plan.folder))
        if plan is None or not can_be_made(Path(plan.folder)):
            plan = self._plan(row.spec, row.state)
            self._ledger.set_archive(row.id, plan, row.state, row.reason)
        folder = Path(plan.folder)
        if spool.is_dir():
            ended = EndedJob(row.state, row.reason, row.published, plan)
            durable.write_file(spool / ENDED_FILE, ended.to_json().encode("ascii"))
        if plan.reason:
            durable.make_folders(folder)
            reason = self._write_reason(row, folder, plan.reason)
            stamp = stamp_of((folder / reason).lstat())
            made = replace(plan, reason=reason, reason_as=stamp)
        else:
            made = plan
        names = {
            name: self._move(row.spec, spool / "in" / name, folder, archived)
            for name, archived in plan.names.items()
        }
        made = replace(made, names=names)
        if (made.names, made.reason) != (plan.names, plan.reason):
            self._ledger.set_archive(row.id, made, row.state, row.reason)
        if row.spec.bundle:
            self._end_bundle(row.spec.bundle, row)
        Staging(self._config.outbox, row.id).discard()
        durable.remove_tree(spool)
        if row.state is JobState.DONE:
            self._failures.end(row)
        with self._ledger.transaction():
            self._ledger.replace_plan(row.id, made)
            self._ledger.set_archived(row.id)

    def _write_reason(self, row: JobRow, folder: Path, name: str) -> str:
        """Write why a job failed, under a name that is free; returns that name."""
        retry = command(self._config, "retry", row.id)
        again = _AFTER_ALL if row.state is JobState.CANCELLED else _AGAIN
        advice = (again if row.spec.mode == "move" else _AGAIN_KEPT).format(retry=retry)
        text = "\n\n".join(filter(None, [row.reason, advice]))
        reason = free_reason(name, self._taken(row.spec, folder))
        try:
            outcome = "was cancelled" if row.state is JobState.CANCELLED else "was not served"
            write_reason(folder / reason, shown(row.spec.subject.name), text, row.id, outcome)
        except OSError as error:
            if error.errno not in _NAME_REFUSED or safe_name(name) == name:
                raise
            return self._write_reason(row, folder, safe_name(name))
        return reason

    def _plan(self, spec: JobSpec, state: JobState) -> ArchivePlan:
        failed = state in (JobState.FAILED, JobState.CANCELLED)
        folder = self._folder(spec.rel, failed=failed)
        stay = {
            entry.name
            for entry in spec.files
            if entry.how == "copy" and (spec.mode == "keep" or not failed)
        }
        names = [entry.name for entry in spec.files if entry.name not in stay]
        reason = reason_name(spec.subject.name) if failed else ""
        is_taken = self._taken(spec, folder)
        if names:
            archived = _free_together([*names, *filter(None, [reason])], is_taken)
        else:
            archived = [free_reason(reason, is_taken)] if reason else []
        return ArchivePlan(
            kind="failed" if failed else "done",
            folder=str(folder),
            names=dict(zip(names, archived, strict=False)),
            reason=archived[-1] if reason else "",
        )

    def _folder(self, rel: str, *, failed: bool) -> Path:
        """Where a file goes whose path in the inbox is ``rel``."""
        root = self._config.failed if failed else self._config.done
        self._check_disk(root)
        return free_folder(root, rel.rpartition("/")[0])

    def _check_disk(self, folder: Path) -> None:
        """Refuse to look, or put anything, below a mount point whose disk has gone."""
        if mount := missing_mount(folder, self._ledger.facts()):
            raise EnvironmentFault(
                f"{folder} lay on a disk that was mounted at {mount}, and none is there now.",
                "Mount it again; the inputs wait in the spool.",
            )

    def _move(self, spec: JobSpec, taken: Path, folder: Path, name: str) -> str:
        """Move a file unless that was done before a crash; returns the name it got."""
        if not durable.is_there(taken):
            durable.end_move(taken, folder)
            return name
        durable.make_folders(folder)
        while True:
            try:
                durable.move_new(taken, folder / name)
            except FileExistsError:  # somebody put a file there since the plan was made
                [name] = _free_together([name], self._taken(spec, folder))
            except OSError as error:
                if error.errno not in _NAME_REFUSED or safe_name(name) == name:
                    raise
                name = safe_name(name)
            else:
                return name

    def _end_bundle(self, bundle: str, last: JobRow) -> None:
        """With the last job of a shared sidecar the original goes where its jobs went.

        So does a document with its last page, and its sidecar with it.
        """
        if not self._ledger.is_last_of_bundle(bundle, last.id):
            return
        rows = self._ledger.jobs_of_bundle(bundle)
        row = next((b for b in self._ledger.open_bundles() if b.id == bundle), None)
        if row is None:
            return
        spool = Path(row.inbox) / STAGING / bundle
        for file in self._places(row, rows, spool, last.spec):
            folder, name = file.path.parent, file.path.name
            moved = self._move(last.spec, spool / file.name, folder, name)
            if moved != name:
                self._ledger.place_bundle(bundle, [replace(file, path=folder / moved)])
        durable.remove_tree(spool)
        if any(job.state is JobState.DONE for job in rows):
            self._failures.end_of_bundle(last, row)
        self._ledger.end_bundle(bundle)

    def _places(
        self, bundle: BundleRow, jobs: Sequence[JobRow], spool: Path, spec: JobSpec
    ) -> list[BundleFile]:
        """Where the files of a bundle go: as was committed before a crash, or else is now."""
        placed = self._ledger.bundle_files(bundle.id)
        if placed:
            self._check_disk(placed[0].path.parent)
            if can_be_made(placed[0].path.parent):
                return placed
        failed = all(job.state in (JobState.FAILED, JobState.CANCELLED) for job in jobs)
        folder = self._folder(bundle.rel, failed=failed)
        there = sorted(path.name for path in spool.iterdir()) if spool.is_dir() else []
        names = sorted(there, key=lambda name: name != bundle.name)
        files = [
            BundleFile(name, folder / archived, *stamp_of((spool / name).lstat()))
            for name, archived in zip(
                names, _free_together(names, self._taken(spec, folder)), strict=True
            )
        ]
        self._ledger.place_bundle(bundle.id, files)
        return files

    def _taken(self, spec: JobSpec, folder: Path) -> Callable[[str], bool]:
        """Whether a name is taken in a folder, but by a reason of the same drop.

        What other jobs are about to put there counts, or two of one name would get unlike ones.
        """
        planned = {
            name
            for row in self._ledger.placing(str(folder))
            if row.archive and not _same_drop(row.spec, spec)
            for name in (*row.archive.names.values(), row.archive.reason)
        }

        def is_taken(name: str) -> bool:
            path = folder / name
            if name in planned or not durable.is_there(path):
                return name in planned
            if not name.endswith(REASON_SUFFIX):
                return True
            row = self._ledger.job(job_of_reason(path))
            return row is None or not _same_drop(row.spec, spec)

        return is_taken


def _same_drop(one: JobSpec, other: JobSpec) -> bool:
    """True for a job and itself, and for jobs of one kept file: its newest reason holds."""
    kept = one.mode == other.mode == "keep"
    return one.id == other.id or (kept and (one.inbox, one.rel) == (other.inbox, other.rel))


def _free_together(names: list[str], is_taken: Callable[[str], bool]) -> list[str]:
    """The names, or all of them with the same ``~N`` where any is taken."""
    number = 1
    while any(is_taken(name) for name in numbered(names, number)):
        number += 1
    return numbered(names, number)

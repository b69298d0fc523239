"""The end of a job: its inputs go to done or failed under free names, with a reason file.

The names are committed to the ledger before anything moves, so that a crash in the middle is
finished by doing the rest; and written to the spool, where a ledger that is new finds them. ``~2``
before the extension is given to all files of a job alike.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from img2imgd import durable
from img2imgd.config import Config
from img2imgd.dispatch.spools import has_files
from img2imgd.errors import shown
from img2imgd.job import JobState
from img2imgd.ledger import ENDED_FILE, ArchivePlan, EndedJob, JobRow, JobSpec, Ledger
from img2imgd.outputs.names import numbered
from img2imgd.outputs.reasons import reason_name, write_reason
from img2imgd.outputs.staging import STAGING, Staging
from img2imgd.outputs.stamps import stamp_of

log = logging.getLogger(__name__)

_AGAIN = "To try again, put the corrected files back into the inbox."


class Archive:
    """Ends jobs and brings their inputs where they stay."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger

    def end(self, row: JobRow, state: JobState, reason: str = "") -> None:
        """End a job: commit its state and where its inputs go; :meth:`finish` moves them."""
        plan = self._plan(row.spec, state)
        self._ledger.set_archive(row.id, plan, state, reason)
        log.info("job %s %s%s", row.id, state.value, f": {reason}" if reason else "")

    def finish(self, row: JobRow) -> None:
        """Move the inputs of an ended job, as far as they have not been moved yet.

        Raises:
            InboxAway: they are in another folder, which had the inbox's name.
        """
        spool = Path(row.spec.inbox) / STAGING / row.id
        has_files(row)  # else what was not moved before a crash was, or was taken out
        plan = row.archive
        if plan is None:  # refused at claim: the plan is made now, and committed like any other
            plan = self._plan(row.spec, row.state)
            self._ledger.set_archive(row.id, plan, row.state, row.reason)
        folder = Path(plan.folder)
        if spool.is_dir():
            ended = EndedJob(row.state, row.reason, row.published, plan)
            durable.write_file(spool / ENDED_FILE, ended.to_json().encode("ascii"))
        if plan.reason:
            durable.make_folders(folder)
            advice = _AGAIN if row.spec.mode == "move" else ""
            what = shown(row.spec.subject.name)
            text = "\n\n".join(filter(None, [row.reason, advice]))
            write_reason(folder / plan.reason, what, text, row.id)
            plan = replace(plan, reason_as=stamp_of((folder / plan.reason).lstat()))
        names = {
            name: self._move(spool / "in" / name, folder, archived)
            for name, archived in plan.names.items()
        }
        if names != plan.names:
            plan = replace(plan, names=names)
            self._ledger.set_archive(row.id, plan, row.state, row.reason)
        if row.spec.bundle:
            self._end_bundle(row.spec.bundle, row)
        Staging(self._config.outbox, row.id).discard()
        durable.remove_tree(spool)
        with self._ledger.transaction():
            self._ledger.replace_plan(row.id, plan)
            self._ledger.set_archived(row.id)

    def _plan(self, spec: JobSpec, state: JobState) -> ArchivePlan:
        failed = state in (JobState.FAILED, JobState.CANCELLED)
        root = self._config.failed if failed else self._config.done
        folder = root / spec.rel.rpartition("/")[0]
        stay = {
            entry.name
            for entry in spec.files
            if entry.how == "copy" and (spec.mode == "keep" or not failed)
        }
        names = [entry.name for entry in spec.files if entry.name not in stay]
        reason = reason_name(spec.subject.name) if failed else ""
        archived = [*names, *filter(None, [reason])]
        if spec.mode == "move":  # else the reason is about a file that stays: the newest one holds
            archived = _free_together(folder, archived)
        return ArchivePlan(
            kind="failed" if failed else "done",
            folder=str(folder),
            names=dict(zip(names, archived, strict=False)),
            reason=archived[-1] if reason else "",
        )

    def _move(self, taken: Path, folder: Path, name: str) -> str:
        """Move a file unless that was done before a crash; returns the name it got."""
        if not os.path.lexists(taken):
            durable.end_move(taken, folder)
            return name
        durable.make_folders(folder)
        while True:
            try:
                durable.move_new(taken, folder / name)
            except FileExistsError:  # somebody put a file there since the plan was made
                name = _free_together(folder, [name])[0]
            else:
                return name

    def _end_bundle(self, bundle: str, last: JobRow) -> None:
        """With the last job of a shared sidecar the original goes where its jobs went."""
        rows = self._ledger.jobs_of_bundle(bundle)
        if any(not row.archived for row in rows if row.id != last.id):
            return
        row = next((b for b in self._ledger.open_bundles() if b.id == bundle), None)
        if row is None:
            return
        failed = all(job.state in (JobState.FAILED, JobState.CANCELLED) for job in rows)
        root = self._config.failed if failed else self._config.done
        spool = Path(row.inbox) / STAGING / bundle
        self._move(spool / row.name, root / row.rel.rpartition("/")[0], row.name)
        durable.remove_tree(spool)
        self._ledger.end_bundle(bundle)


def _free_together(folder: Path, names: list[str]) -> list[str]:
    """The names, or all of them with the same ``~N`` where any is taken in the folder."""
    number = 1
    while any(os.path.lexists(folder / name) for name in numbered(names, number)):
        number += 1
    return numbered(names, number)

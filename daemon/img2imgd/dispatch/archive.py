"""The end of a job: its inputs go to done or failed under free names, with a reason file.

The names are committed to the ledger before anything moves, so that a crash in the middle is
finished by doing the rest. ``~2`` before the extension is given to all files of a job alike.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from img2imgd import durable
from img2imgd.config import Config
from img2imgd.job import JobState
from img2imgd.ledger import ArchivePlan, JobRow, JobSpec, Ledger
from img2imgd.outputs.names import first_free
from img2imgd.outputs.reasons import reason_name, write_reason
from img2imgd.outputs.staging import STAGING, Staging

log = logging.getLogger(__name__)

_AGAIN = "To try again, put the corrected files back into the inbox."


class Archive:
    """Ends jobs and brings their inputs where they stay."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger

    def end(self, row: JobRow, state: JobState, reason: str = "") -> None:
        """End a job: commit its state and where its inputs go, then move them."""
        plan = self._plan(row.spec, state)
        self._ledger.set_archive(row.id, plan, state, reason)
        log.info("job %s %s%s", row.id, state.value, f": {reason}" if reason else "")
        ended = self._ledger.job(row.id)
        if ended is not None:
            self.finish(ended)

    def finish(self, row: JobRow) -> None:
        """Move the inputs of an ended job, as far as they have not been moved yet."""
        plan = row.archive
        if plan is None:  # refused at claim: the plan is made now, and committed like any other
            plan = self._plan(row.spec, row.state)
            self._ledger.set_archive(row.id, plan, row.state, row.reason)
        folder = Path(plan.folder)
        spool = Path(row.spec.inbox) / STAGING / row.id
        if plan.reason:
            durable.make_folders(folder)
            advice = _AGAIN if row.spec.mode == "move" else ""
            what = os.fsencode(row.spec.subject.name).decode("utf-8", "backslashreplace")
            text = "\n\n".join(filter(None, [row.reason, advice]))
            write_reason(folder / plan.reason, what, text, row.id)
        for name, archived in plan.names.items():
            self._move(spool / "in" / name, folder, archived)
        shutil.rmtree(spool, ignore_errors=True)
        Staging(self._config.outbox, row.id).discard()
        self._ledger.set_archived(row.id)
        if row.spec.bundle:
            self._end_bundle(row.spec.bundle)

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
        archived = _free_together(folder, [*names, *filter(None, [reason])])
        return ArchivePlan(
            kind="failed" if failed else "done",
            folder=str(folder),
            names=dict(zip(names, archived, strict=False)),
            reason=archived[-1] if reason else "",
        )

    def _move(self, taken: Path, folder: Path, name: str) -> None:
        if not os.path.lexists(taken):
            return  # moved before a crash
        durable.make_folders(folder)
        while True:
            try:
                durable.move_new(taken, folder / name)
                return
            except FileExistsError:  # somebody put a file there since the plan was made
                name = first_free(name, lambda free: os.path.lexists(folder / free))

    def _end_bundle(self, bundle: str) -> None:
        """After the last job of a shared sidecar: the original goes where its jobs went."""
        rows = self._ledger.jobs_of_bundle(bundle)
        if any(not (row.state.ended and row.archived) for row in rows):
            return
        row = next((b for b in self._ledger.open_bundles() if b.id == bundle), None)
        if row is None:
            return
        failed = all(job.state in (JobState.FAILED, JobState.CANCELLED) for job in rows)
        root = self._config.failed if failed else self._config.done
        spool = Path(row.inbox) / STAGING / bundle
        self._move(spool / row.name, root / row.rel.rpartition("/")[0], row.name)
        shutil.rmtree(spool, ignore_errors=True)
        self._ledger.end_bundle(bundle)


def _free_together(folder: Path, names: list[str]) -> list[str]:
    """The names, or all of them with the same ``~N`` where any is taken in the folder."""
    number = 1
    while True:
        wanted = [_numbered(name, number) for name in names]
        if not any(os.path.lexists(folder / name) for name in wanted):
            return wanted
        number += 1


def _numbered(name: str, number: int) -> str:
    """``cat.png`` → ``cat~2.png``; ``cat.png.reason.txt`` → ``cat~2.png.reason.txt``."""
    if number == 1:
        return name
    mark = f"~{number}"
    for end in (".reason.txt", ""):
        if end and not name.endswith(end):
            continue
        base = name[: len(name) - len(end)]
        stem, dot, suffix = base.rpartition(".")
        marked = f"{stem}{mark}{dot}{suffix}" if stem else f"{base}{mark}"
        if len(os.fsencode(marked + end)) <= 255:
            return marked + end
        room = 255 - len(os.fsencode(f"{mark}{dot}{suffix}{end}"))
        short = os.fsdecode(os.fsencode(stem or base)[:room])
        return f"{short}{mark}{dot}{suffix}{end}" if stem else f"{short}{mark}{end}"
    return name

"""Retries: the inputs of jobs that failed or were cancelled go from failed back to their inbox.

Order: the number that their names get, if one is taken, is committed → each file moved, sidecars
first, replacing nothing → the reason file removed → one commit that the job was replaced, and the
order done. A crash in between is finished by doing the rest, before anything is claimed; until
then the files that are back already are held. In an inbox that keeps its files, the content
that counts as served is forgotten instead.
"""

from __future__ import annotations

import errno
import logging
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from img2imgd import durable
from img2imgd.config import InboxConfig
from img2imgd.errors import EnvironmentFault, LedgerDamaged, shown
from img2imgd.inbox.taking import home_of
from img2imgd.job import JobState
from img2imgd.ledger import (
    RETRIABLE,
    JobRow,
    Ledger,
    OrderRow,
    missing_mount,
    why_not_retried,
)
from img2imgd.log import Lasting
from img2imgd.outputs.names import numbered
from img2imgd.outputs.reasons import remove_reason

log = logging.getLogger(__name__)

_AT_ONCE = 100  # orders of one step: the scan waits meanwhile


@dataclass(frozen=True)
class _File:
    """A file that goes back: where it lies, and where it lay in the inbox."""

    path: Path
    home: Path


class Retries:
    """Carries the orders of one inbox out. ``forget(rel)`` has a kept file count as new.

    ``held`` are paths of the inbox whose drops are not whole yet, and why. ``progress`` is called
    for each order: files may come from another disk.
    """

    def __init__(
        self,
        inbox: InboxConfig,
        failed: Path,
        ledger: Ledger,
        forget: Callable[[str], None],
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._inbox = inbox
        self._failed = failed
        self._ledger = ledger
        self._forget = forget
        self._progress = progress
        self._left = 0  # orders that the last step could not carry out
        self._lasting = Lasting(log)
        self.held: dict[str, str] = {}
        self.more = False

    def step(self) -> bool:
        """Carry out what was ordered, for a moment; True if something lies in the inbox anew.

        Raises:
            EnvironmentFault: the ledger cannot be written now; the orders stand.
        """
        self.held = {}
        most = _AT_ONCE + self._left  # what waits for a disk keeps nobody behind it waiting
        orders = self._ledger.retries(str(self._inbox.path), most)
        done = [self._try(order) for order in orders]
        self._left = done.count(False)
        self.more = len(orders) == most
        return any(done)

    def _try(self, order: OrderRow) -> bool:
        """Carry an order out, or leave it where a disk does not allow it; True if it is done."""
        self._progress()
        row = self._ledger.job(order.job)
        if row is None or not (row.archived or why_not_retried(row, None)):
            return False  # forgotten meanwhile, or its inputs are on their way to failed
        try:
            why = self._carry_out(row)
        except OSError as error:
            what = f"{error.filename or self._failed}: {error.strerror or error}"
            self._lasting.say(row.id, f"job {row.id}: its retry waits: {what}")
            return False
        except (EnvironmentFault, LedgerDamaged):
            raise
        except Exception as error:  # one order's edge: it would keep the inbox from being served
            log.exception("job %s: its retry failed by a fault of img2imgd itself", row.id)
            why = f"img2imgd itself failed on it: {error!r}"
        if why:
            self._refuse(order, row, why)
        self._lasting.over(row.id)
        return True

    def _carry_out(self, row: JobRow) -> str:
        """Have a job served once more; returns why that cannot be, or nothing."""
        if why := why_not_retried(row, None):
            return why
        return self._serve_again(row) if row.spec.mode == "keep" else self._bring_back(row)

    # An inbox that keeps its files

    def _serve_again(self, row: JobRow) -> str:
        if self._ledger.later_of(row):
            return "a newer save of it has been taken since."
        if not durable.is_there(self._inbox.path / row.spec.rel):
            return f"{shown(row.spec.rel)} is no longer in the inbox."
        self._remove_reason(row)
        with self._ledger.transaction():
            self._forget(row.spec.rel)
            self._replace(row, "It is taken from its inbox once more.")
        return ""

    # An inbox whose drops are moved

    def _bring_back(self, row: JobRow) -> str:
        if not self._is_here(row):
            return "its picture is no longer in failed."
        rows = self._together(row)
        files = [*self._shared_sidecar(row), *(file for one in rows for file in _files_of(one))]
        number = self._move(rows, files, _begun(row))
        for one in rows:
            self._remove_reason(one)
        with self._ledger.transaction():
            for one in rows:
                (picture,) = numbered([Path(one.spec.rel).name], number)
                self._replace(one, f"Its files are back in the inbox ({shown(picture)}).")
        return ""

    def _together(self, row: JobRow) -> list[JobRow]:
        """The job; with all others of a shared sidecar that could not be read: it is theirs too."""
        if (
            row.spec.bundle is None
            or row.spec.is_page
            or any(file.role == "sidecar" for file in row.spec.files)
        ):
            return [row]  # it has its own copy of the keys
        return [
            other
            for other in self._ledger.jobs_of_bundle(row.spec.bundle)
            if other.archived and not why_not_retried(other, None) and self._is_here(other)
        ]

    def _shared_sidecar(self, row: JobRow) -> list[_File]:
        """The original of a shared sidecar that its jobs have no copies of, where it is found."""
        if (
            row.spec.bundle is None
            or row.spec.is_page
            or any(file.role == "sidecar" for file in row.spec.files)
        ):
            return []
        bundle = self._ledger.ended_bundle(row.spec.bundle)
        if bundle is None:
            return []
        places = {file.name: file.path for file in self._ledger.bundle_files(bundle.id)}
        # A ledger of an earlier version does not say where it went.
        path = places.get(bundle.name, self._failed / bundle.rel)
        return [_File(path, self._inbox.path / bundle.rel)] if _is_file(path) else []

    def _is_here(self, row: JobRow) -> bool:
        """True when a job's picture can be put back, or was by an earlier, cut-off step.

        Raises:
            OSError: the disk that it was brought to is not there.
        """
        plan, name = row.archive, row.spec.subject.name
        if plan is None or name not in plan.names:
            return False
        path = Path(plan.folder) / plan.names[name]
        if mount := missing_mount(path.parent, self._ledger.facts()):
            raise OSError(errno.ENODEV, "its disk is not mounted", str(mount))
        status = durable.look_at(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            return not any(_lies_at(path, later) for later in self._ledger.later_of(row))
        home = self._home(self._inbox.path / row.spec.rel)
        begun = _begun(row)
        return begun > 0 and durable.is_there(_numbered(home, [home], begun))

    def _move(self, rows: Sequence[JobRow], files: Sequence[_File], begun: int) -> int:
        """Move the files back under their old names, or all with one number; returns that."""
        homes = [self._home(file.home) for file in files]
        number = begun
        while True:
            before = [_numbered(home, homes, number) if number else None for home in homes]
            now = [
                back if back is not None and not durable.is_there(file.path) else file.path
                for file, back in zip(files, before, strict=True)
            ]
            free = _free_number(now, homes, max(number, 1))
            if free != number:
                number = free
                self._commit(rows, number)
            targets = [_numbered(home, homes, number) for home in homes]
            rels = [str(target.relative_to(self._inbox.path)) for target in targets]
            self.held.update(dict.fromkeys(rels, "waits: not all files of its retry are back"))
            try:
                for file, where, target in zip(files, now, targets, strict=True):
                    self._move_one(file, where, target)
            except FileExistsError:  # somebody has just dropped another file of that name
                continue
            for rel in rels:
                del self.held[rel]
            return number

    def _move_one(self, file: _File, where: Path, target: Path) -> None:
        if where != target and durable.is_there(where):
            durable.make_folders(target.parent)
            durable.move_new(where, target)
        if where != file.path:
            durable.end_move(file.path, target.parent)

    def _commit(self, rows: Sequence[JobRow], number: int) -> None:
        with self._ledger.transaction():
            for row in rows:
                if row.archive is not None:
                    self._ledger.replace_plan(row.id, replace(row.archive, back=number))

    def _home(self, home: Path) -> Path:
        return home_of(home, self._inbox.path)

    # Both

    def _remove_reason(self, row: JobRow) -> None:
        if row.archive is not None and row.archive.reason:
            path = Path(row.archive.folder) / row.archive.reason
            remove_reason(path, row.id, row.archive.reason_as)

    def _replace(self, row: JobRow, what: str) -> None:
        """End a job's part: it is history, and nothing in failed is its own any more."""
        if row.archive is not None:
            gone = replace(row.archive, names={}, reason="", reason_as=None, back=0)
            self._ledger.replace_plan(row.id, gone)
        reason = f"{what} Before that: {row.reason}" if row.reason else what
        self._ledger.restate(row.id, JobState.REPLACED, reason)
        self._ledger.end_orders(row.id)
        log.info("job %s is tried again: %s", row.id, what)

    def _refuse(self, order: OrderRow, row: JobRow, why: str) -> None:
        """There is nothing to be done; the job says why."""
        text = f"It could not be tried again: {why}"
        with self._ledger.transaction():
            if row.state in RETRIABLE and text not in row.reason:
                self._ledger.restate(row.id, row.state, f"{row.reason}\n{text}".lstrip())
            if row.archive is not None and row.archive.back:
                self._ledger.replace_plan(row.id, replace(row.archive, back=0))
            self._ledger.end_order(order)
        log.warning("job %s: %s", row.id, text)


def _begun(row: JobRow) -> int:
    """The number under which the files of a retry that was cut off went back; 0 for none."""
    return row.archive.back if row.archive else 0


def _files_of(row: JobRow) -> list[_File]:
    """The archived inputs of a job, its picture last: with it the drop is whole."""
    plan = row.archive
    if plan is None:
        return []
    inbox = Path(row.spec.inbox)
    folder = (inbox / row.spec.rel).parent
    files = [
        _File(Path(plan.folder) / plan.names[entry.name], folder / entry.name)
        for entry in row.spec.files[1:]
        if entry.name in plan.names
    ]
    if (name := row.spec.subject.name) in plan.names:
        files.append(_File(Path(plan.folder) / plan.names[name], inbox / row.spec.rel))
    return files


def _lies_at(path: Path, row: JobRow) -> bool:
    """True if a job's own input was brought to a path."""
    plan = row.archive
    return plan is not None and path in plan.paths


def _is_file(path: Path) -> bool:
    status = durable.look_at(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _numbered(home: Path, homes: Sequence[Path], number: int) -> Path:
    """A file's path in the inbox under the number that all files of its drop get."""
    names = numbered([each.name for each in homes], number)
    return home.with_name(names[[each.name for each in homes].index(home.name)])


def _free_number(now: Sequence[Path], homes: Sequence[Path], first: int) -> int:
    """The first number with which no other file has any of the names."""
    number = first
    while any(
        durable.is_there(target) and target != path and not durable.same_file(path, target)
        for path, home in zip(now, homes, strict=True)
        if (target := _numbered(home, homes, number))
    ):
        number += 1
    return number

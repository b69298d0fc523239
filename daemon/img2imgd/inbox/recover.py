"""Repairing claims after a crash: what the spool, the inbox and the ledger say, made one again."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from img2imgd import durable, plainfiles
from img2imgd.inbox.adopting import BUNDLE, OURS, files_in, is_folder
from img2imgd.inbox.claim import Claims
from img2imgd.inbox.taking import put_back
from img2imgd.job import JobState, plan_frames
from img2imgd.ledger import JOB_FILE, BundleRow, JobRow, JobSpec, Ledger
from img2imgd.log import Lasting
from img2imgd.pairing.kinds import Kind, kind_of
from img2imgd.settle import Signature

log = logging.getLogger(__name__)


def repair_claims(inbox: Path, claims: Claims, ledger: Ledger) -> dict[str, str]:
    """Complete or undo every claim of an inbox that did not come to its end.

    A claim is complete when all its files are in the spool as recorded; otherwise they go back.
    Those of another spool, whose disk is away, are left as they are. So is one that the disk does
    not allow to be repaired, or that copied its files from a disk that is away: returned are the
    paths of its files in the inbox, and why.
    """
    bundles = [
        bundle
        for bundle in ledger.open_bundles()
        if bundle.inbox == str(inbox)
        and all(claims.is_home_of(job.spec) for job in ledger.jobs_of_bundle(bundle.id))
    ]
    repairs = _Repairs(inbox, claims.lasting)

    def repair_bundles() -> None:
        for bundle in bundles:
            repair = partial(_repair_bundle, inbox, claims, ledger, bundle)
            repairs.attempt(bundle.id, [inbox / bundle.rel], repair)

    repair_bundles()  # before their jobs may be served: left behind, one would be served again
    for specs in _together(ledger, inbox, claims):
        claims.progress()
        files = [Path(file.source) for spec in specs for file in spec.files]
        repair = partial(_repair_claim, specs, inbox, claims)
        repairs.attempt(specs[0].bundle or specs[0].id, files, repair)
    repair_bundles()  # one whose jobs were all undone goes back
    return repairs.failed


class _Repairs:
    """Repairs claim by claim; a fault of the disk ends the repair of one, until the next time.

    ``failed`` are the files of such claims in the inbox, and why they wait.
    """

    def __init__(self, inbox: Path, lasting: Lasting) -> None:
        self._inbox = inbox
        self._lasting = lasting
        self._left: dict[str, str] = {}  # claims, and what kept them from being repaired
        self.failed: dict[str, str] = {}

    def attempt(self, claim: str, files: Sequence[Path], repair: Callable[[], None]) -> None:
        """Take one step of a claim's repair, unless an earlier one has failed."""
        fault = self._left.get(claim, "")
        if not fault:
            try:
                repair()
            except OSError as error:
                fault = error.strerror or str(error)
                self._lasting.say(
                    claim, f"job {claim}: its claim cannot be repaired: {error.filename}: {fault}"
                )
            else:
                return
        self._left[claim] = fault
        for file in files:
            if file.is_relative_to(self._inbox):
                why = f"waits: what a fault left of its claim cannot be repaired: {fault}"
                self.failed.setdefault(str(file.relative_to(self._inbox)), why)


def _repair_claim(specs: list[JobSpec], inbox: Path, claims: Claims) -> None:
    names = ", ".join(spec.id for spec in specs)
    claims.check_disks(specs)
    if claims.complete(specs):
        log.info("job %s: claim completed after a crash", names)
        return
    undone = f"job {names}: claim undone after a crash; its files wait again"
    claims.lasting.say(f"{inbox}/{specs[0].rel}", undone, logging.INFO)
    for spec in specs:
        claims.undo(spec)


def _together(ledger: Ledger, inbox: Path, home: Claims) -> list[list[JobSpec]]:
    """The claims of an inbox that were cut short; the jobs of a shared sidecar are one claim."""
    claims: dict[str, list[JobSpec]] = defaultdict(list)
    for row in ledger.jobs_in(JobState.CLAIMING):
        if row.spec.inbox == str(inbox) and home.is_home_of(row.spec):
            claims[row.spec.bundle or row.id].append(row.spec)
    return list(claims.values())


def adopt_spool(inbox: Path, claims: Claims, ledger: Ledger) -> None:
    """Take up spool folders that the ledger does not know: it is new, or a claim died early.

    And those it takes for archived: their disk was away while it thought so. While the dispatcher
    works, folders of ended jobs go.
    """
    if not claims.spool.is_dir():
        return
    folders = sorted(
        path for path in claims.spool.iterdir() if OURS.fullmatch(path.name) and is_folder(path)
    )
    with ledger.transaction():  # else the dispatcher might end a job before its shared sidecar
        _adopt_folders(folders, inbox, claims, ledger)


def _adopt_folders(folders: list[Path], inbox: Path, claims: Claims, ledger: Ledger) -> None:
    known = {bundle.id for bundle in ledger.open_bundles()}
    foreign: list[Path] = []
    for folder in folders:
        claims.progress()
        # What the ledger knows is ours, whoever owns it now.
        is_known = folder.name in known or ledger.job(folder.name) is not None
        if not is_known and not claims.found.is_ours(folder):
            foreign.append(folder)
    for folder in foreign:
        _give_back(folder, inbox, "belongs to another user")
    folders = [folder for folder in folders if folder not in foreign]
    bundles = [path for path in folders if path.name.endswith(BUNDLE)]
    for folder in folders:
        claims.progress()
        if folder in bundles:
            continue
        row = ledger.job(folder.name)
        if row is None:
            _adopt(folder, inbox, claims, ledger)
        elif row.archived and _has_inputs(folder):
            log.warning("job %s: inputs of it were left in the spool; they are archived", row.id)
            ledger.set_unarchived(row.id)
    _adopt_untaken(inbox, ledger)
    known = {bundle.id for bundle in ledger.open_bundles()}
    for folder in bundles:
        if folder.name not in known:
            _adopt_bundle(folder, inbox, ledger)


def _adopt(folder: Path, inbox: Path, claims: Claims, ledger: Ledger) -> None:
    spec = claims.found.job(folder)
    ended = claims.found.ended(folder, spec) if spec else None
    bundle = claims.spool / spec.bundle if spec and ended and spec.bundle else None
    if not _has_inputs(folder) and not (bundle and bundle.is_dir()):
        claims.clear(folder.name)  # the claim died before it took anything, or all was archived
        return
    if spec is None:
        _give_back(folder, inbox, f"has no {JOB_FILE} that can be used")
        return
    if ended is None and spec.is_page and not _has_document(claims.spool / (spec.bundle or "")):
        claims.clear(folder.name)  # the document is in the inbox, to be taken apart once more
        return
    if ended is not None:
        log.info("job %s found in the spool, %s: its inputs are archived", spec.id, ended.state)
        ledger.add_ended(spec, ended)
        return
    log.info("job %s found in the spool, unknown to the ledger: taken up again", spec.id)
    frames = plan_frames(spec.request) if spec.request else ()
    with ledger.transaction():
        claims.reserve_again(spec)
        ledger.add_job(spec, JobState.CLAIMING, [(f.index, f.effective_steps) for f in frames])


def _give_back(folder: Path, inbox: Path, why: str) -> None:
    """The files of a spool folder that is not to be trusted wait in the inbox again."""
    log.warning("%s %s; its files go back to the inbox", folder, why)
    inputs = folder if folder.name.endswith(BUNDLE) else folder / "in"
    try:
        put_back([(stray, inbox / stray.name) for stray in files_in(inputs)], inbox)
        durable.remove_tree(folder)
    except PermissionError as error:
        log.warning("%s cannot be emptied and stays: %s", folder, error.strerror)


def _has_document(folder: Path) -> bool:
    return any(kind_of(path.name) is Kind.PICTURE for path in files_in(folder))


def _has_inputs(folder: Path) -> bool:
    return bool(files_in(folder / "in"))


def _adopt_untaken(inbox: Path, ledger: Ledger) -> None:
    """Shared sidecars, and documents, whose rows are lost and that may still lie in the inbox.

    Each job's own copy says where the sidecar was, each page where its document was.
    """
    known = {bundle.id for bundle in ledger.open_bundles()}
    for row in ledger.jobs_in(JobState.CLAIMING):
        bundle = row.spec.bundle
        if bundle is None or bundle in known or row.spec.inbox != str(inbox):
            continue
        role = "picture" if row.spec.is_page else "sidecar"
        for entry in row.spec.files:
            home = Path(entry.source)
            if entry.role == role and entry.how == "copy" and home.is_relative_to(inbox):
                rel = str(home.relative_to(inbox))
                ledger.add_bundle(BundleRow(bundle, str(inbox), rel, home.name, entry.inode))
                known.add(bundle)


def _adopt_bundle(folder: Path, inbox: Path, ledger: Ledger) -> None:
    """A shared sidecar or a document whose row is lost: it lay beside the pictures of its jobs."""
    jobs = ledger.jobs_of_bundle(folder.name)
    home = jobs[0].spec.rel.rpartition("/")[0] if jobs else ""
    files = [path for path in files_in(folder) if path.is_file()]
    for sidecar in sorted(files, key=lambda path: kind_of(path.name) is not Kind.PICTURE):
        rel = f"{home}/{sidecar.name}" if home else sidecar.name
        if jobs:
            inode = sidecar.lstat().st_ino
            ledger.add_bundle(BundleRow(folder.name, str(inbox), rel, sidecar.name, inode))
            return
        put_back([(sidecar, inbox / rel)], inbox)
    durable.remove_tree(folder)


def _repair_bundle(inbox: Path, claims: Claims, ledger: Ledger, bundle: BundleRow) -> None:
    """What is shared belongs in the spool if any job of it was claimed, else in the inbox."""
    folder = claims.spool / bundle.id
    home = inbox / bundle.rel
    if jobs := ledger.jobs_of_bundle(bundle.id):
        claims.check_disks([job.spec for job in jobs if job.state is JobState.CLAIMING])
        for file in (home, *_beside(home, jobs)):
            if _is_as_claimed(file, bundle, jobs):  # also if its copy to this disk was cut off
                durable.make_folders(folder)
                durable.move_new(file, folder / file.name)
            durable.end_move(file, folder)
        return
    put_back([(path, home.with_name(path.name)) for path in files_in(folder)], inbox)
    durable.remove_tree(folder)
    ledger.end_bundle(bundle.id)


def _beside(document: Path, jobs: Sequence[JobRow]) -> set[Path]:
    """The sidecar that goes with a document, as the copies of its pages tell."""
    files = [entry for job in jobs if job.spec.is_page for entry in job.spec.files]
    sidecars = {Path(e.source) for e in files if e.role == "sidecar" and e.how == "copy"}
    return {path for path in sidecars if path != document and path.parent == document.parent}


def _is_as_claimed(home: Path, bundle: BundleRow, jobs: Sequence[JobRow]) -> bool:
    """True unless somebody has written a shared sidecar anew since its jobs were claimed.

    Its time tells that, which the jobs' copies have; its inode is another on another disk.
    """
    status = durable.look_at(home)
    if status is None:
        return False
    found = Signature.of(status)
    copied = {e.mtime_ns for job in jobs for e in job.spec.files if e.source == str(home)}
    unchanged = found.mtime_ns in copied if copied else found.inode == bundle.inode
    return unchanged and not plainfiles.has_writer(home)

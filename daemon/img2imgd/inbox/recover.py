"""Repairing claims after a crash: what the spool, the inbox and the ledger say, made one again."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from img2imgd import durable
from img2imgd.errors import DocumentError
from img2imgd.inbox.claim import Claims, put_back
from img2imgd.job import JobState, plan_frames
from img2imgd.ledger import BundleRow, JobSpec, Ledger
from img2imgd.settle import Signature

log = logging.getLogger(__name__)


def repair_claims(inbox: Path, claims: Claims, ledger: Ledger) -> None:
    """Complete or undo every claim of an inbox that did not come to its end.

    A claim is complete when all its files are in the spool as recorded; otherwise they go back.
    """
    for row in ledger.jobs_in(JobState.CLAIMING):
        if row.spec.inbox != str(inbox):
            continue
        if claims.complete(row.spec):
            log.info("job %s: claim completed after a crash", row.id)
        else:
            log.info("job %s: claim undone after a crash; its files wait again", row.id)
            claims.undo(row.spec)
    for bundle in ledger.open_bundles():
        if bundle.inbox == str(inbox):
            _repair_bundle(inbox, claims, ledger, bundle)


def adopt_spool(inbox: Path, claims: Claims, ledger: Ledger) -> None:
    """Take up spool folders that the ledger does not know: it is new, or a claim died early."""
    if not claims.spool.is_dir():
        return
    for folder in sorted(claims.spool.iterdir()):
        if not folder.is_dir() or ledger.job(folder.name) is not None:
            continue
        if any(bundle.id == folder.name for bundle in ledger.open_bundles()):
            continue
        _adopt(folder, inbox, claims, ledger)


def _adopt(folder: Path, inbox: Path, claims: Claims, ledger: Ledger) -> None:
    inputs = folder / "in"
    if not (folder / "job.json").exists():
        for stray in [p for p in folder.iterdir() if p.is_file()]:  # a shared sidecar
            put_back(stray, inbox / stray.name)
        shutil.rmtree(folder, ignore_errors=True)
        return
    if not inputs.is_dir() or not any(inputs.iterdir()):
        shutil.rmtree(folder)  # the claim died before it took anything
        return
    try:
        spec = JobSpec.from_json((folder / "job.json").read_text("ascii"))
    except (ValueError, KeyError, TypeError, DocumentError):
        log.warning("%s is not readable; its files go back to the inbox", folder / "job.json")
        for stray in inputs.iterdir():
            put_back(stray, inbox / stray.name)
        shutil.rmtree(folder)
        return
    log.info("job %s found in the spool, unknown to the ledger: taken up again", spec.id)
    frames = plan_frames(spec.request) if spec.request else ()
    ledger.add_job(spec, JobState.CLAIMING, [(f.index, f.effective_steps) for f in frames])
    if not claims.complete(spec):
        claims.undo(spec)


def _repair_bundle(inbox: Path, claims: Claims, ledger: Ledger, bundle: BundleRow) -> None:
    """A shared sidecar belongs in the spool if any job of it was claimed, else in the inbox."""
    taken = claims.spool / bundle.id / bundle.name
    home = inbox / bundle.rel
    if ledger.jobs_of_bundle(bundle.id):
        if not os.path.lexists(taken) and _has_inode(home, bundle.inode):
            durable.make_folders(taken.parent)
            durable.move_new(home, taken)
        return
    if os.path.lexists(taken):
        put_back(taken, home)
    shutil.rmtree(claims.spool / bundle.id, ignore_errors=True)
    ledger.end_bundle(bundle.id)


def _has_inode(path: Path, inode: int) -> bool:
    try:
        return Signature.of(path.lstat()).inode == inode
    except FileNotFoundError:
        return False

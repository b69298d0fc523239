"""Late sidecars: which served picture a sidecar that came alone belongs to."""

from __future__ import annotations

import stat
from pathlib import Path

from img2imgd import durable
from img2imgd.inbox.taking import Input, is_whole
from img2imgd.ledger import JobRow, Ledger
from img2imgd.pairing.kinds import PICTURE_SUFFIXES, split_suffix
from img2imgd.settle import Signature


def find_served(ledger: Ledger, inbox: str, sidecar: str, since: float) -> JobRow | None:
    """The newest job of the picture that ``sidecar`` names (``cat.yaml``, ``cat.png.yaml``)."""
    stem = split_suffix(sidecar)[0]
    if split_suffix(stem)[1] in PICTURE_SUFFIXES:
        exact = ledger.newest_for(inbox, stem, stem_only=False, since=since)
        if exact is not None:
            return exact
    row = ledger.newest_for(inbox, stem, stem_only=True, since=since)
    is_picture = row is not None and split_suffix(row.spec.rel)[1] in PICTURE_SUFFIXES
    return row if is_picture else None


def late_inputs(row: JobRow) -> Input | None:
    """The archived picture of a job as an input: a copy from done, the file itself from failed.

    None where it is there no more, or another file has its name, or something that is no file.
    """
    subject = row.spec.subject
    if row.archive is None:
        return None
    if (name := row.archive.names.get(subject.name)) is not None:
        path = Path(row.archive.folder) / name
    elif subject.how == "copy":
        path = Path(subject.source)  # it came late itself: its picture never left done
    else:
        return None
    found = durable.look_at(path)
    if found is None or not stat.S_ISREG(found.st_mode) or not is_whole(path, subject):
        return None
    how = "move" if row.archive.kind == "failed" else "copy"
    return Input("picture", path, Signature.of(found), how, name=subject.name)

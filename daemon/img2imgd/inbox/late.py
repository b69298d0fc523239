"""Sidecars that come alone: which served picture or document each belongs to."""

from __future__ import annotations

import logging
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from img2imgd import durable
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import DocumentError, shown
from img2imgd.inbox.asked import Asked
from img2imgd.inbox.claim import Drop
from img2imgd.inbox.documents import Documents
from img2imgd.inbox.drops import FolderDefaults
from img2imgd.inbox.inputs import Inputs
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.room import need_room
from img2imgd.inbox.scan import Found
from img2imgd.inbox.taking import Input, is_whole
from img2imgd.ledger import BundleFile, BundleRow, JobRow, Ledger
from img2imgd.outputs.reasons import remove_reason
from img2imgd.outputs.stamps import is_as
from img2imgd.pairing.decisions import Reject
from img2imgd.pairing.kinds import PICTURE_SUFFIXES, SIDECAR_SUFFIXES, split_suffix
from img2imgd.settle import Signature

log = logging.getLogger(__name__)

_NOT_YET = "waits until its picture has been served"


class LateSidecars:
    """Serves the pictures of one inbox once more, for a sidecar that came after they were served.

    A picture of ``done`` is copied, one of ``failed`` taken. A document, of which each page is a
    job, is put back beside its sidecar instead, from wherever it is, and paired there as ever:
    ``brought_back`` are their paths in the inbox.
    """

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        ledger: Ledger,
        asked: Asked,
        inputs: Inputs,
        documents: Documents,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._ledger = ledger
        self._asked = asked
        self._inputs = inputs
        self._documents = documents
        self.brought_back: set[str] = set()

    def served(self, file: Found) -> JobRow | None:
        """The newest job of the picture that a sidecar belongs to; None if none was served lately.

        Raises:
            NotYet: it is being served.
        """
        row = find_served(self._ledger, str(self._inbox.path), file.rel, self._since)
        if row is not None and not row.archived:
            raise NotYet(_NOT_YET, seconds=1.0)
        return row

    def bring_back(self, file: Found, row: JobRow | None) -> bool:
        """Put the document that a sidecar belongs to back, unless a picture was ``served`` since.

        Returns False where there is none.

        Raises:
            NotYet: its pages are being served.
            FileExistsError: another file has its name by now.
        """
        bundle, claimed_at = next(self._documents_of(file.rel), (None, 0.0))
        if bundle is not None and (row is None or row.claimed_at <= claimed_at):
            if self._ledger.ended_bundle(bundle.id) is None:
                raise NotYet(_NOT_YET, seconds=1.0)
            for place in self._ledger.bundle_files(bundle.id):
                if place.name == bundle.name and _is_as_left(place):
                    self._put_back(place.path, bundle.rel)
                    return True
        picture = late_inputs(row) if row is not None else None
        if row is None or picture is None:
            return False
        pages, wrong = self._documents.count(picture.path, picture.signature)
        if pages == 1 and not wrong:
            return False
        self._put_back(picture.path, row.spec.rel)  # it was refused as a whole, and may be again
        self.remove_reason(row)
        return True

    def drop(self, file: Found, row: JobRow, defaults: FolderDefaults) -> Drop | None:
        """The sidecar with the picture that was served; None where that is not found any more.

        Raises:
            NotYet: there is no room for what it becomes.
        """
        if (picture := late_inputs(row)) is None:
            return None
        drop = Drop(row.spec.rel, (picture, self._inputs.of("sidecar", file)), None)
        drop = self._asked.settle(drop, self._asked.sidecar(file), defaults)
        need_room(self._config, self._inbox, [drop])
        return drop

    def remove_reason(self, row: JobRow) -> None:
        """Remove what was told of a job whose picture is served once more."""
        if row.archive is not None and row.archive.reason:
            path = Path(row.archive.folder) / row.archive.reason
            remove_reason(path, row.id, row.archive.reason_as)

    def orphan(self, file: Found) -> Reject:
        """What to tell of a sidecar that belongs to nothing."""
        stem = split_suffix(file.name)[0]
        named = split_suffix(stem)[1] in PICTURE_SUFFIXES
        picture = shown(stem) if named else f"{shown(stem)}.png (or .jpg, …)"
        what = f"It was taken for a sidecar, but {picture} did not come, nor was it served lately."
        keys = self._asked.sidecar(file).keys
        if isinstance(keys, DocumentError):  # perhaps its list of pictures is what is wrong
            what += f" Nor can it be used as one: {keys}"
        advice = "Put this file and its picture into the inbox together."
        if split_suffix(stem)[1] in SIDECAR_SUFFIXES:  # Windows hides the .txt that Notepad adds
            advice = (
                f"Rename it to {shown(stem)}, and put it and its picture into the inbox together."
            )
        return Reject(file.name, what, advice)

    @property
    def _since(self) -> float:
        return time.time() - self._inbox.late_sidecar

    def _documents_of(self, sidecar: str) -> Iterator[tuple[BundleRow, float]]:
        """Documents that a sidecar may name, newest first, and when each was claimed."""
        stem = split_suffix(sidecar)[0]
        exact = split_suffix(stem)[1] in PICTURE_SUFFIXES  # scan.pdf.yaml, not scan.yaml
        known = self._ledger.documents(
            str(self._inbox.path), split_suffix(stem)[0] if exact else stem, self._since
        )
        for bundle, claimed_at in known:
            if split_suffix(bundle.rel)[1] in PICTURE_SUFFIXES and (
                not exact or bundle.rel == stem
            ):
                yield bundle, claimed_at

    def _put_back(self, path: Path, rel: str) -> None:
        durable.move_new(path, self._inbox.path / rel)
        self.brought_back.add(rel)
        log.info("%s is back in the inbox, for a sidecar that came late", rel)


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


def _is_as_left(file: BundleFile) -> bool:
    found = durable.look_at(file.path)
    return (
        found is not None and stat.S_ISREG(found.st_mode) and is_as(found, file.size, file.mtime_ns)
    )

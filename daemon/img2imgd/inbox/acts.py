"""Carrying out decisions: from "claim these" to drops with their requests, and their claims."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import DocumentError, PictureError, shown
from img2imgd.inbox.asked import Asked, Sidecar
from img2imgd.inbox.claim import Claims, Drop
from img2imgd.inbox.documents import Documents
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.kept import Kept
from img2imgd.inbox.late import find_served, late_inputs
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.notes import ListNotes
from img2imgd.inbox.room import lacking
from img2imgd.inbox.scan import Found
from img2imgd.inbox.similar import Similar
from img2imgd.inbox.taking import Input, why_it_stays
from img2imgd.job import JobState
from img2imgd.ledger import Ledger
from img2imgd.outputs.names import cut_bytes
from img2imgd.pairing.decide import Claim, Late, Reject, Wait
from img2imgd.pairing.kinds import PICTURE_SUFFIXES, split_suffix
from img2imgd.reader.files import too_large
from img2imgd.reader.protocol import Glance
from img2imgd.request import RequestKeys, sidecar_text

log = logging.getLogger(__name__)

_CHANGED = "changed while it was being taken"
_LONGEST_STEM = 250  # bytes: a name has 255, and ".yaml" comes behind it


class Acts:
    """Carries out the decisions for one inbox.

    ``restart(rel)`` makes a file settle anew; ``infotext(path)`` reads a picture's parameters.
    """

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        ledger: Ledger,
        drops: Drops,
        claims: Claims,
        notes: ListNotes,
        infotext: Callable[[Path], str | None],
        glance: Callable[[Path], Glance],
        restart: Callable[[str], None],
        documents: Documents,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._ledger = ledger
        self._claims = claims
        self._notes = notes
        self._restart = restart
        self._documents = documents
        self._found: dict[str, Found] = {}
        self._most_mb = math.ceil(config.limits.max_file_mb)
        self._kept = Kept(inbox.path, ledger, self._most_mb * 1_000_000)
        self._similar = Similar(inbox.path, inbox.skip_similar, glance)
        self._asked = Asked(config, inbox, drops, infotext)
        self.lacking = ""  # the drop for which there was no room last, in words; reset by the inbox

    def begin(self, spool: str) -> None:
        """After recovery, before the first scan of the folder that is there now; its spool's id."""
        self._kept.begin(spool)

    def take_over(self, before: Acts) -> None:
        """Go on with the folder that the same inbox had by other rules."""
        self._kept.take_over(before._kept)

    def serve_again(self, rel: str) -> None:
        """Have the next scan of a keeping inbox take a picture once more."""
        self._kept.forget(rel)
        self._similar.forget(rel)

    def begin_scan(self, found: Sequence[Found], unreadable: Collection[str]) -> None:
        """Take the files of a new scan, and the paths that it could not look at."""
        self._found = {file.rel: file for file in found}
        self._kept.begin_scan(self._found, unreadable)
        self._similar.keep_only(self._found)
        self._asked.keep_only(self._found)

    def has_prompt(self, folder: str, name: str, defaults: FolderDefaults) -> bool:
        """True when a picture needs no sidecar."""
        return self._asked.has_prompt(self.file(folder, name), defaults)

    def act(
        self, decision: Claim | Late | Reject, folder: str, defaults: FolderDefaults
    ) -> list[Wait]:
        """Carry out one decision; returns the files that must wait after all."""
        if self._inbox.mode == "move" and (why := why_it_stays(self._inbox.path / folder)):
            return [
                Wait(name, why, self._inbox.rescan, for_a_person=True) for name in decision.names
            ]
        if isinstance(decision, Reject):
            return self._reject(decision, folder)
        try:
            if isinstance(decision, Claim):
                return self._claim(decision, folder, defaults)
            return self._late(decision, folder, defaults)
        except NotYet as held:  # pictures are read and requests are settled before any file moves
            return [Wait(name, held.why, for_a_person=held.for_a_person) for name in decision.names]

    def _claim(self, claim: Claim, folder: str, defaults: FolderDefaults) -> list[Wait]:
        if self._inbox.mode == "keep":
            claim = self._without_served(claim, folder)
            if not claim.pictures:
                return []
        names = claim.names
        busy = [name for name in names if self._is_busy(self.file(folder, name))]
        if busy:
            return [Wait(name, "is still held open by a program that writes it") for name in busy]
        sidecar = self._asked.sidecar(self.file(folder, claim.sidecar)) if claim.sidecar else None
        pictures = [self.file(folder, name) for name in claim.pictures]
        if self._inbox.mode == "keep":
            beside = sidecar.file if sidecar else None
            pictures = [file for file in pictures if self._is_new(file, beside, defaults)]
            if not pictures:
                return []
        counts = [(file, self._page_count(file)) for file in pictures]
        documents = [(file, pages) for file, pages in counts if pages > 1]
        pictures = [file for file, pages in counts if pages == 1]
        for at, (file, pages) in enumerate(documents, 1):
            last = at == len(documents) and not pictures
            also = claim.also if last else ()
            if waits := self._claim_document(file, pages, sidecar, defaults, also, last=last):
                return waits
        if not pictures:
            return self._served(claim, sidecar)
        shared = sidecar is not None and len(pictures) > 1 and self._inbox.mode == "move"
        drops = [
            self._drop(file, sidecar, defaults, shared=shared, also=claim.also if i == 0 else ())
            for i, file in enumerate(pictures)
        ]
        if why := lacking(self._config, self._inbox.path, drops):
            self.lacking = f"{names[0]} {why}"
            return [Wait(name, why, self._inbox.rescan) for name in names]
        whole = self._input("sidecar", sidecar.file) if sidecar and shared else None
        if not self._claims.claim(drops, whole):
            return [Wait(name, _CHANGED) for name in names]
        if self._inbox.mode == "keep":
            for file in pictures:
                self._kept.note_claimed(file, sidecar.file if sidecar else None)
                self._similar.note_claimed(file)
        return self._served(claim, sidecar)

    def _served(self, claim: Claim, sidecar: Sidecar | None) -> list[Wait]:
        if claim.missing and sidecar is not None:
            self._notes.missing(sidecar.file.rel, claim.missing)
        return []

    def _page_count(self, file: Found) -> int:
        return 1 if self._too_large(file) else self._documents.pages(file)

    def _claim_document(
        self,
        file: Found,
        pages: int,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        also: Iterable[str],
        *,
        last: bool,
    ) -> list[Wait]:
        """A job for each page. With the ``last`` picture of its sidecar, that goes along."""
        document = self._input("picture", file)
        beside = [self._input("sidecar", sidecar.file)] if sidecar is not None and last else []
        beside += [self._input("also", self.file(file.folder, name)) for name in also]
        drop = self._asked.settle(Drop(file.rel, (), None), sidecar, defaults)
        error = drop.error or self._documents.too_many(pages)
        if not error and (why := lacking(self._config, self._inbox.path, [drop] * pages)):
            self.lacking = f"{file.name} {why}"
            return [Wait(file.name, why, self._inbox.rescan)]
        try:
            if not error:
                with self._documents.apart(document.path, pages) as made:
                    drops = [self._page(file, document, one, sidecar, defaults, last=last)
                             for one in made]  # fmt: skip
                    claimed = self._claims.claim(drops, document, beside)
                    return [] if claimed else [Wait(file.name, _CHANGED)]
        except PictureError as fault:
            error = str(fault)
        refused = Drop(file.rel, (document, *beside), None, error=error)
        return [] if self._claims.claim([refused]) else [Wait(file.name, _CHANGED)]

    def _page(
        self,
        file: Found,
        document: Input,
        made: Path,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        *,
        last: bool,
    ) -> Drop:
        """A page as a drop; its own copy of the sidecar's keys tells whose sidecar goes along."""
        inputs = [replace(document, how="copy", name=made.name, made=made)]
        if sidecar is not None and isinstance(sidecar.keys, RequestKeys):
            own = self._own_copy(replace(file, name=made.name), sidecar.file, sidecar.keys)
            if not last:
                own = replace(own, path=document.path, signature=document.signature)
            inputs.append(own)
        rel = f"{file.folder}/{made.name}" if file.folder else made.name
        drop = Drop(rel, tuple(inputs), None)
        return self._asked.settle(drop, sidecar, defaults, named=file.name)

    def _drop(
        self,
        file: Found,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        *,
        shared: bool,
        also: Iterable[str],
    ) -> Drop:
        inputs = [self._input("picture", file)]
        if sidecar is not None and not shared:
            inputs.append(self._input("sidecar", sidecar.file))
        elif sidecar is not None and isinstance(sidecar.keys, RequestKeys):
            inputs.append(self._own_copy(file, sidecar.file, sidecar.keys))
        inputs.extend(self._input("also", self.file(file.folder, name)) for name in also)
        digest = (
            self._kept.digest(file, sidecar.file if sidecar else None)
            if self._inbox.mode == "keep"
            else ""
        )
        drop = Drop(file.rel, tuple(inputs), None, digest=digest)
        if error := self._too_large(file) or self._documents.fault(file):
            return replace(drop, error=str(error))
        return self._asked.settle(drop, sidecar, defaults, file)

    def _late(self, late: Late, folder: str, defaults: FolderDefaults) -> list[Wait]:
        """A sidecar alone: a new job on the picture it belongs to, if that was served lately."""
        file = self.file(folder, late.sidecar)
        if self._inbox.mode == "keep":
            return [Wait(file.name, "has no picture", for_a_person=True)]
        since = time.time() - self._inbox.late_sidecar
        row = find_served(self._ledger, str(self._inbox.path), file.rel, since)
        if row is not None and not row.archived:
            return [Wait(file.name, "waits until its picture has been served", 1.0)]
        if row is not None and (picture := late_inputs(row)) is not None:
            sidecar = self._asked.sidecar(file)
            drop = Drop(row.spec.rel, (picture, self._input("sidecar", file)), None)
            drop = self._asked.settle(drop, sidecar, defaults)
            if why := lacking(self._config, self._inbox.path, [drop]):
                self.lacking = f"{file.name} {why}"
                return [Wait(file.name, why, self._inbox.rescan)]
            if not self._claims.claim([drop]):
                return [Wait(file.name, _CHANGED)]
            if row.archive is not None and row.archive.reason:
                (Path(row.archive.folder) / row.archive.reason).unlink(missing_ok=True)
            return []
        if not late.orphan:
            return [Wait(file.name, "waits for its picture", self._inbox.rescan, ends_in=late.rest)]
        stem = split_suffix(file.name)[0]
        named = split_suffix(stem)[1] in PICTURE_SUFFIXES
        picture = shown(stem) if named else f"{shown(stem)}.png (or .jpg, …)"
        what = f"It was taken for a sidecar, but {picture} did not come, nor was it served lately."
        keys = self._asked.sidecar(file).keys
        if isinstance(keys, DocumentError):  # perhaps its list of pictures is what is wrong
            what += f" Nor can it be used as one: {keys}"
        advice = "Put this file and its picture into the inbox together."
        return self._reject(Reject(file.name, what, advice), folder)

    def _reject(self, reject: Reject, folder: str) -> list[Wait]:
        file = self.file(folder, reject.name)
        text = f"{reject.reason}\n{reject.advice}"
        also = [self._input("also", self.file(folder, name)) for name in reject.also]
        drop = Drop(file.rel, (self._input("picture", file), *also), None, error=text)
        return [] if self._claims.claim([drop]) else [Wait(file.name, _CHANGED)]

    def _is_busy(self, file: Found) -> bool:
        if not plainfiles.has_writer(self._inbox.path / file.rel):
            return False
        self._restart(file.rel)
        return True

    def _without_served(self, claim: Claim, folder: str) -> Claim:
        """Keep mode: the claim without pictures that look as they did when they were served."""
        sidecar = self.file(folder, claim.sidecar) if claim.sidecar else None
        files = [self.file(folder, name) for name in claim.pictures]
        new = [file.name for file in files if self._kept.looks_new(file, sidecar)]
        return replace(claim, pictures=tuple(new))

    def _is_new(self, file: Found, sidecar: Found | None, defaults: FolderDefaults) -> bool:
        """Keep mode: whether this content of a picture is to be painted."""
        if not self._kept.is_new(file, sidecar):
            return False
        if not self._similar.is_alike(file, sidecar, defaults) or self._came_to_nothing(file):
            return True
        log.info("%s looks as it did: no job for this save", file.rel)
        self._kept.count_as_served(file, sidecar)
        return False

    def _came_to_nothing(self, file: Found) -> bool:
        """True when the newest job of a picture failed, or was cancelled."""
        newest = self._ledger.newest_for(str(self._inbox.path), file.rel, stem_only=False, since=0)
        return newest is not None and newest.state in (JobState.FAILED, JobState.CANCELLED)

    def _own_copy(self, file: Found, sidecar: Found, keys: RequestKeys) -> Input:
        """Each job of a shared sidecar keeps its keys, as the sidecar of this picture alone."""
        content = sidecar_text(keys).encode()
        copy = self._input("sidecar", sidecar)
        return replace(copy, how="copy", name=_own_name(file.name), content=content)

    def _input(self, role: str, file: Found) -> Input:
        path = self._inbox.path / file.rel
        if self._inbox.mode == "move":
            return Input(role, path, file.signature, "move")
        content = b"" if self._too_large(file) else None
        return Input(role, path, file.signature, "copy", content=content)

    def _too_large(self, file: Found) -> PictureError | None:
        return too_large(self._inbox.path / file.rel, file.signature.size, self._most_mb)

    def file(self, folder: str, name: str) -> Found:
        """A file of the last scan."""
        return self._found[f"{folder}/{name}" if folder else name]


def _own_name(picture: str) -> str:
    """The name of a picture's own sidecar; by its stem, or cut, where the other is too long."""
    for name in (picture, split_suffix(picture)[0]):
        if len(os.fsencode(name)) <= _LONGEST_STEM:
            return f"{name}.yaml"
    return f"{cut_bytes(picture, _LONGEST_STEM)}.yaml"

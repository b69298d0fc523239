"""Carrying out decisions: from "claim these" to drops with their requests, and their claims."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.config import Config, InboxConfig
from img2imgd.inbox.asked import Asked, Sidecar
from img2imgd.inbox.claim import Claims, Drop
from img2imgd.inbox.documents import Documents
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.inputs import Inputs
from img2imgd.inbox.late import LateSidecars
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.notes import ListNotes
from img2imgd.inbox.pages import PageClaims
from img2imgd.inbox.room import NoRoom, need_room
from img2imgd.inbox.saves import Saves
from img2imgd.inbox.scan import Found
from img2imgd.inbox.taking import why_it_stays
from img2imgd.ledger import Ledger
from img2imgd.pairing.decisions import Claim, Late, Reject, Wait
from img2imgd.reader.protocol import Glance
from img2imgd.request import RequestKeys

CHANGED = "changed while it was being taken"


class Acts:
    """Carries out the decisions for one inbox.

    ``restart(rel)`` makes a file settle anew; ``infotext(path)`` reads a picture's parameters.
    ``lacking`` is the drop for which there was no room last, in words; the inbox empties it.
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
        self._found: dict[str, Found] = {}
        self._inputs = Inputs(config, inbox)
        self._saves = Saves(inbox, ledger, glance, self._inputs.most_bytes)
        self._asked = Asked(config, inbox, drops, infotext)
        self._pages = PageClaims(
            config, inbox, ledger, claims, documents, self._asked, self._inputs
        )
        self._late = LateSidecars(config, inbox, ledger, self._asked, self._inputs, documents)
        self.lacking = ""

    def begin(self, spool: str) -> None:
        """After recovery, before the first scan of the folder that is there now; its spool's id."""
        self._saves.begin(spool)

    def take_over(self, before: Acts) -> None:
        """Go on with the folder that the same inbox had by other rules."""
        self._saves.take_over(before._saves)

    def serve_again(self, rel: str) -> None:
        """Have the next scan of a keeping inbox take a picture once more."""
        self._saves.forget(rel)

    def brought_back(self, rel: str) -> bool:
        """True of a document that was put back into the inbox for a late sidecar."""
        return rel in self._late.brought_back

    def begin_scan(self, found: Sequence[Found], unreadable: Collection[str]) -> None:
        """Take the files of a new scan, and the paths that it could not look at."""
        self._found = {file.rel: file for file in found}
        self._saves.begin_scan(self._found, unreadable)
        self._asked.keep_only(self._found)

    def has_prompt(self, folder: str, name: str, defaults: FolderDefaults) -> bool:
        """True when a picture needs no sidecar."""
        return self._asked.has_prompt(self.file(folder, name), defaults)

    def file(self, folder: str, name: str) -> Found:
        """A file of the last scan."""
        return self._found[f"{folder}/{name}" if folder else name]

    def act(
        self, decision: Claim | Late | Reject, folder: str, defaults: FolderDefaults
    ) -> list[Wait]:
        """Carry out one decision; returns the files that must wait after all."""
        if self._inbox.mode == "move" and (why := why_it_stays(self._inbox.path / folder)):
            return [
                Wait(name, why, self._inbox.rescan, for_a_person=True) for name in decision.names
            ]
        try:
            match decision:
                case Claim():
                    waits = self._claim(decision, folder, defaults)
                case Late():
                    waits = self._serve_late(decision, folder, defaults)
                case Reject():
                    waits = self._reject(decision, folder)
        except NotYet as held:  # pictures are read and requests are settled before any file moves
            if isinstance(held, NoRoom):
                self.lacking = held.what
            return [
                Wait(name, held.why, held.seconds, for_a_person=held.for_a_person)
                for name in decision.names
            ]
        return waits

    def _claim(self, claim: Claim, folder: str, defaults: FolderDefaults) -> list[Wait]:
        keeping = self._inbox.mode == "keep"
        listed = self.file(folder, claim.sidecar) if claim.sidecar else None
        if keeping:
            new = [n for n in claim.pictures if self._saves.looks_new(self.file(folder, n), listed)]
            claim = replace(claim, pictures=tuple(new))
            if not new:
                return []
        busy = [name for name in claim.names if self._is_busy(self.file(folder, name))]
        if busy:
            return [Wait(name, "is still held open by a program that writes it") for name in busy]
        sidecar = self._asked.sidecar(listed) if listed else None
        pictures = [self.file(folder, name) for name in claim.pictures]
        if keeping:
            pictures = [file for file in pictures if self._saves.is_new(file, listed, defaults)]
            if not pictures:
                return []
        counts = [(file, self._pages.count(file)) for file in pictures]
        documents = [(file, pages) for file, pages in counts if pages > 1]
        pictures = [file for file, pages in counts if pages == 1]
        others = [self.file(folder, name) for name in claim.also]
        for at, (file, pages) in enumerate(documents, 1):
            last = at == len(documents) and not pictures
            also = others if last else ()
            if not self._pages.claim(file, pages, sidecar, defaults, also, last=last):
                return [Wait(file.name, CHANGED)]
        if pictures and not self._claim_pictures(pictures, sidecar, defaults, others):
            return [Wait(name, CHANGED) for name in claim.names]
        if listed is not None:
            missing = [n for n in claim.missing if not self._pages.was_claimed(folder, n, listed)]
            if missing:
                self._notes.missing(listed.rel, missing)
        return []

    def _claim_pictures(
        self,
        pictures: Sequence[Found],
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        also: Sequence[Found],
    ) -> bool:
        """Claim pictures of one sidecar together; False when one changed meanwhile."""
        shared = sidecar is not None and len(pictures) > 1 and self._inbox.mode == "move"
        drops = [
            self._drop(file, sidecar, defaults, shared=shared, also=also if at == 0 else ())
            for at, file in enumerate(pictures)
        ]
        need_room(self._config, self._inbox, drops)
        whole = self._inputs.of("sidecar", sidecar.file) if sidecar and shared else None
        if not self._claims.claim(drops, whole):
            return False
        if self._inbox.mode == "keep":
            for file in pictures:
                self._saves.note_claimed(file, sidecar.file if sidecar else None)
        return True

    def _drop(
        self,
        file: Found,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        *,
        shared: bool,
        also: Iterable[Found],
    ) -> Drop:
        inputs = [self._inputs.of("picture", file)]
        if sidecar is not None and not shared:
            inputs.append(self._inputs.of("sidecar", sidecar.file))
        elif sidecar is not None and isinstance(sidecar.keys, RequestKeys):
            inputs.append(self._inputs.own_copy(file.name, sidecar.file, sidecar.keys))
        inputs.extend(self._inputs.of("also", other) for other in also)
        digest = self._saves.digest(file, sidecar.file if sidecar else None)
        drop = Drop(file.rel, tuple(inputs), None, digest=digest)
        if error := self._pages.fault(file):
            return replace(drop, error=str(error))
        return self._asked.settle(drop, sidecar, defaults, file)

    def _serve_late(self, late: Late, folder: str, defaults: FolderDefaults) -> list[Wait]:
        file = self.file(folder, late.sidecar)
        if self._inbox.mode == "keep":
            return [Wait(file.name, "has no picture", for_a_person=True)]
        row = self._late.served(file)
        if self._late.bring_back(file, row):
            why = "waits until its document, which was put back beside it, has settled"
            return [Wait(file.name, why, self._inbox.settle)]
        drop = self._late.drop(file, row, defaults) if row is not None else None
        if row is not None and drop is not None:
            if not self._claims.claim([drop]):
                return [Wait(file.name, CHANGED)]
            self._late.remove_reason(row)
            return []
        if not late.orphan:
            rescan = self._inbox.rescan
            return [Wait(file.name, "waits for its picture", rescan, ends_in=late.rest)]
        return self._reject(self._late.orphan(file), folder)

    def _reject(self, reject: Reject, folder: str) -> list[Wait]:
        file = self.file(folder, reject.name)
        text = f"{reject.reason}\n{reject.advice}"
        also = [self._inputs.of("also", self.file(folder, name)) for name in reject.also]
        drop = Drop(file.rel, (self._inputs.of("picture", file), *also), None, error=text)
        return [] if self._claims.claim([drop]) else [Wait(file.name, CHANGED)]

    def _is_busy(self, file: Found) -> bool:
        if not plainfiles.has_writer(self._inbox.path / file.rel):
            return False
        self._restart(file.rel)
        return True

"""Keep mode: what was served of a file that stays where it is, told by its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import astuple
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.inbox.scan import Found
from img2imgd.ledger import Ledger
from img2imgd.pairing.kinds import Kind
from img2imgd.settle import Signature


class Kept:
    """The pictures of one inbox and the content last served for each.

    The ledger knows the content's digest. What looks as it did when that was last compared is not
    opened again; nor is a file of more than ``most_bytes``, which is refused by its size.
    """

    def __init__(self, inbox: Path, ledger: Ledger, most_bytes: int) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._most_bytes = most_bytes
        self._spool = ""
        self._looks: dict[str, tuple[Signature, Signature | None]] = {}
        self._unseen: frozenset[str] = frozenset()

    def begin(self, spool: str) -> None:
        """Take up the folder that is there now, known to the ledger by its spool's id."""
        self._spool = spool
        self._looks.clear()
        self._unseen = self._ledger.unseen(spool)

    def take_over(self, before: Kept) -> None:
        """Know what another one knows of the same folder.

        By another limit, what was refused for its size may be served: each file is compared anew.
        """
        self._spool, self._unseen = before._spool, before._unseen
        if self._most_bytes == before._most_bytes:
            self._looks = before._looks

    def begin_scan(self, present: Mapping[str, Found], unreadable: Collection[str]) -> None:
        """Take the files of a new scan, by their paths, and the paths it could not look at."""
        if self._unseen:
            self._note_what_lies_there(present, unreadable)
        for gone in self._looks.keys() - present.keys():
            del self._looks[gone]

    def looks_new(self, file: Found, sidecar: Found | None) -> bool:
        """False when neither file has been touched since it was found to be served."""
        return self._looks.get(file.rel) != _looks(file, sidecar)

    def forget(self, rel: str) -> None:
        """Have the next look find a picture new, whatever its content."""
        self._ledger.forget_served(self._spool, [rel])
        self._looks.pop(rel, None)

    def is_new(self, file: Found, sidecar: Found | None) -> bool:
        """Whether this content of picture and sidecar was not served last."""
        digest = self.digest(file, sidecar)
        if all(self._lay_there(part) for part in (file, sidecar) if part is not None):
            self._ledger.set_served(self._spool, file.rel, digest)
        elif self._ledger.served(self._spool, file.rel) != digest:
            return True
        self._looks[file.rel] = _looks(file, sidecar)
        return False

    def count_as_served(self, file: Found, sidecar: Found | None) -> None:
        """Have no job made of this content."""
        self._ledger.set_served(self._spool, file.rel, self.digest(file, sidecar))
        self.note_claimed(file, sidecar)

    def note_claimed(self, file: Found, sidecar: Found | None) -> None:
        """What was claimed is what was looked at."""
        self._looks[file.rel] = _looks(file, sidecar)

    def digest(self, file: Found, sidecar: Found | None) -> str:
        """The digest of both files' contents."""
        digest = hashlib.blake2b(digest_size=20)
        for part in (file, sidecar):
            if part is not None and part.signature.size > self._most_bytes:
                digest.update(f"{part.signature.size} {part.signature.mtime_ns}".encode())
            elif part is not None:
                with os.fdopen(plainfiles.open_regular(self._inbox / part.rel), "rb") as data:
                    digest.update(hashlib.file_digest(data, "blake2b").digest())
        return digest.hexdigest()

    def _lay_there(self, file: Found) -> bool:
        """True if it counts as served as it is now, not only as it was when it was scanned."""
        noted = self._ledger.served(self._spool, file.rel)
        return noted == _as_text(Signature.of((self._inbox / file.rel).lstat()))

    def _note_what_lies_there(
        self, present: Mapping[str, Found], unreadable: Collection[str]
    ) -> None:
        """After a lost ledger: what is seen for the first time since then counts as served."""
        found = {
            rel: _as_text(file.signature)
            for rel, file in present.items()
            if file.kind in (Kind.PICTURE, Kind.SIDECAR)
            and any(_is_in(rel, path) for path in self._unseen)
        }
        below = {rel for rel in unreadable if any(_is_in(rel, path) for path in self._unseen)}
        above = {path for path in self._unseen if any(_is_in(path, rel) for rel in unreadable)}
        unseen = frozenset(below | above)
        if found or unseen != self._unseen:
            self._ledger.note_seen(self._spool, found, unseen)
            self._unseen = unseen


def _looks(file: Found, sidecar: Found | None) -> tuple[Signature, Signature | None]:
    return file.signature, sidecar.signature if sidecar else None


def _as_text(signature: Signature) -> str:
    """A signature as the ledger keeps it; no digest looks like that."""
    return " ".join(map(str, astuple(signature)))


def _is_in(rel: str, path: str) -> bool:
    return not path or rel == path or rel.startswith(f"{path}/")

"""Keep mode: what was served of a file that stays where it is, told by its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.inbox.scan import Found
from img2imgd.ledger import Ledger
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
        self._looks: dict[str, tuple[Signature, Signature | None]] = {}
        self._ledger_lost = False
        self._there: dict[str, Signature] = {}  # when the ledger was lost

    def lose_ledger(self) -> None:
        """The ledger is new: what the next scan finds counts as served."""
        self._ledger_lost = True

    def begin_scan(self, present: Mapping[str, Found]) -> None:
        """Take the files of a new scan, by their paths."""
        if self._ledger_lost:
            self._there = {rel: file.signature for rel, file in present.items()}
            self._ledger_lost = False
        for gone in self._looks.keys() - present.keys():
            del self._looks[gone]

    def looks_new(self, file: Found, sidecar: Found | None) -> bool:
        """False when neither file has been touched since it was found to be served."""
        return self._looks.get(file.rel) != _looks(file, sidecar)

    def is_new(self, file: Found, sidecar: Found | None) -> bool:
        """Whether this content of picture and sidecar was not served last."""
        digest = self.digest(file, sidecar)
        parts = [part for part in (file, sidecar) if part is not None]
        if self._there and all(self._there.get(part.rel) == part.signature for part in parts):
            del self._there[file.rel]
            self._ledger.set_served(str(self._inbox), file.rel, digest)
        if self._ledger.served(str(self._inbox), file.rel) != digest:
            return True
        self._looks[file.rel] = _looks(file, sidecar)
        return False

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


def _looks(file: Found, sidecar: Found | None) -> tuple[Signature, Signature | None]:
    return file.signature, sidecar.signature if sidecar else None

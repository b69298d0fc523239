"""Claiming documents: a job for each page, and the document goes along with the last of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from img2imgd.config import Config, InboxConfig
from img2imgd.errors import PictureError
from img2imgd.inbox.asked import Asked, Sidecar
from img2imgd.inbox.claim import Claims, Drop
from img2imgd.inbox.documents import Documents
from img2imgd.inbox.drops import FolderDefaults
from img2imgd.inbox.inputs import Inputs
from img2imgd.inbox.room import need_room
from img2imgd.inbox.scan import Found
from img2imgd.inbox.taking import Input
from img2imgd.ledger import Ledger
from img2imgd.pairing.kinds import fold, split_suffix
from img2imgd.request import RequestKeys


class PageClaims:
    """Claims the documents of an inbox page by page."""

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        ledger: Ledger,
        claims: Claims,
        documents: Documents,
        asked: Asked,
        inputs: Inputs,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._ledger = ledger
        self._claims = claims
        self._documents = documents
        self._asked = asked
        self._inputs = inputs

    def count(self, file: Found) -> int:
        """How many pages a file has of which each is a job; 1 for a picture.

        Raises:
            NotYet: its disk does not allow to read it now.
        """
        return 1 if self._inputs.too_large(file) else self._count(file)[0]

    def fault(self, file: Found) -> str:
        """Why a file is not served at all, for its size or for pages that cannot be counted."""
        return str(self._inputs.too_large(file) or self._count(file)[1])

    def claim(
        self,
        file: Found,
        pages: int,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        also: Iterable[Found],
        *,
        last: bool,
    ) -> bool:
        """Claim a document; with the ``last`` picture of its sidecar, that goes along.

        Returns False when it changed meanwhile.

        Raises:
            NotYet: it has to wait for room, or for its disk.
        """
        document = self._inputs.of("picture", file)
        beside = [self._inputs.of("sidecar", sidecar.file)] if sidecar is not None and last else []
        beside += [self._inputs.of("also", other) for other in also]
        drop = self._asked.settle(Drop(file.rel, (), None), sidecar, defaults)
        error = drop.error or self._documents.too_many(pages)
        if not error:
            need_room(self._config, self._inbox, [drop] * pages)
        try:
            if not error:
                with self._documents.apart(document.path, pages) as made:
                    drops = [
                        self._page(file, document, page, sidecar, defaults, last=last)
                        for page in made
                    ]
                    return self._claims.claim(drops, document, beside)
        except PictureError as fault:
            error = str(fault)
        return self._claims.claim([Drop(file.rel, (document, *beside), None, error=error)])

    def _count(self, file: Found) -> tuple[int, str]:
        return self._documents.count(self._inbox.path / file.rel, file.signature)

    def was_claimed(self, folder: str, name: str, sidecar: Found) -> bool:
        """True of a document that this sidecar lists and that was claimed before a crash."""
        rel = f"{folder}/{name}" if folder else name
        since = sidecar.signature.ctime_ns / 1e9
        known = self._ledger.documents(str(self._inbox.path), split_suffix(rel)[0], since)
        return any(fold(bundle.rel) == fold(rel) for bundle, _ in known)

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
            own = self._inputs.own_copy(made.name, sidecar.file, sidecar.keys)
            if not last:
                own = replace(own, path=document.path, signature=document.signature)
            inputs.append(own)
        rel = f"{file.folder}/{made.name}" if file.folder else made.name
        drop = Drop(rel, tuple(inputs), None)
        return self._asked.settle(drop, sidecar, defaults, named=file.name)

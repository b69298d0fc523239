"""The lists of prompts and styles that lie in an inbox, and which of them a document means."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd import durable
from img2imgd.errors import DocumentError, Problem, shown
from img2imgd.inbox.scan import Found, scan
from img2imgd.pairing.kinds import Kind
from img2imgd.request import MAX_LIST_BYTES
from img2imgd.settle import Signature

NOT_ALLOWED = Problem(
    "img2imgd is not allowed to read this file.",
    advice="Make it readable for the user that img2imgd runs as.",
)


class NotWhole(Exception):
    """A list that is still being written; whatever names it waits."""

    def __init__(self, rel: str) -> None:
        super().__init__(rel)
        self.rel = rel


def _whole(rel: str, signature: Signature) -> bool:
    del rel, signature
    return True


class InboxLists:
    """The lists that the last scan of an inbox saw; ``is_whole`` tells which may be read."""

    def __init__(self, inbox: Path, is_whole: Callable[[str, Signature], bool] = _whole) -> None:
        self.inbox = inbox
        self.is_whole = is_whole
        self.seen: dict[str, Signature] = {}

    def begin_scan(self, found: Iterable[Found]) -> None:
        """Take the files of a new scan."""
        self.seen = {file.rel: file.signature for file in found if file.kind is Kind.LIST}

    def of(self, folder: str) -> FolderLists:
        """The lists for documents of a folder (relative to the inbox, "" for itself)."""
        return FolderLists(self, folder)


@dataclass(frozen=True)
class FolderLists:
    """What the documents of one folder may name: nearest first, up to the inbox itself."""

    lists: InboxLists
    folder: str

    def read(self, name: str) -> bytes | None:
        """The nearest list of that name, or None.

        Raises:
            NotWhole: it is still being written.
            DocumentError: it may not be read.
        """
        for folder in self._folders():
            rel = f"{folder}/{name}" if folder else name
            signature = self.lists.seen.get(rel)
            if signature is None:
                continue
            if not self.lists.is_whole(rel, signature):
                raise NotWhole(rel)
            return _read(self.lists.inbox / rel)
        return None

    def names(self) -> Sequence[str]:
        """The names of all lists that may be named."""
        folders = set(self._folders())
        seen = (rel.rpartition("/") for rel in self.lists.seen)
        return [shown(name) for folder, _, name in seen if folder in folders]

    def _folders(self) -> Iterator[str]:
        folder = self.folder
        while folder:
            yield folder
            folder = folder.rpartition("/")[0]
        yield ""


def lists_beside(document: Path, inboxes: Iterable[Path]) -> FolderLists:
    """The lists that a document means where it lies now, be that in an inbox or elsewhere."""
    here = document.absolute().parent
    root = next((inbox for inbox in inboxes if here.is_relative_to(inbox)), here)
    lists = InboxLists(root)
    folders = [here, *(folder for folder in here.parents if folder.is_relative_to(root))]
    for folder in folders:
        rel = str(folder.relative_to(root)) if folder != root else ""
        for file in scan(folder, recursive=False):
            if file.kind is Kind.LIST:
                lists.seen[f"{rel}/{file.name}" if rel else file.name] = file.signature
    return lists.of(str(here.relative_to(root)) if here != root else "")


def _read(path: Path) -> bytes:
    try:
        return durable.read_regular(path, MAX_LIST_BYTES)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise
        raise DocumentError(shown(path.name), [NOT_ALLOWED]) from None

"""The lists of prompts and styles that lie in an inbox, and which of them a document means."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.errors import DocumentError, Problem, shown
from img2imgd.inbox.scan import Found, scan
from img2imgd.pairing.kinds import Kind, fold
from img2imgd.request import MAX_LIST_BYTES
from img2imgd.settle import Signature

NOT_ALLOWED = Problem(
    "img2imgd is not allowed to read this file.",
    advice="Make it readable for the user that img2imgd runs as.",
)


class NotYet(Exception):
    """Something that is still being written, or may still come; whatever needs it waits.

    ``for_a_person`` is True when somebody must put or fill it there: time alone will not help;
    ``seconds`` is when it is worth looking again.
    """

    def __init__(
        self, why: str, *, for_a_person: bool = False, seconds: float | None = None
    ) -> None:
        super().__init__(why)
        self.why = why
        self.for_a_person = for_a_person
        self.seconds = seconds


def _always(rel: str, signature: Signature) -> bool:
    del rel, signature
    return True


class InboxLists:
    """The lists that the last scan of an inbox saw.

    ``is_whole`` tells which may be read; ``is_late`` tells, of a document that names a list which
    is not there, that the list has had its time to come.
    """

    def __init__(
        self,
        inbox: Path,
        is_whole: Callable[[str, Signature], bool] = _always,
        is_late: Callable[[str, Signature], bool] = _always,
    ) -> None:
        self.inbox = inbox
        self.is_whole = is_whole
        self.is_late = is_late
        self._found: dict[str, Found] = {}
        self._folded: dict[str, Found] = {}

    def begin_scan(self, found: Iterable[Found]) -> None:
        """Take the files of a new scan."""
        self._found = {file.rel: file for file in found}
        self._folded = {fold(file.rel): file for file in self.all()}

    def of(self, folder: str, document: str = "") -> FolderLists:
        """The lists for a document of a folder (both relative to the inbox, "" for itself)."""
        return FolderLists(self, folder, document)

    def all(self) -> Iterator[Found]:
        """Every list of the inbox."""
        return (file for file in self._found.values() if file.kind is Kind.LIST)

    def file(self, rel: str) -> Found | None:
        """A file of the inbox, if it is there."""
        return self._found.get(rel)

    def list(self, rel: str) -> Found | None:
        """A list of the inbox: of this very name, or of one that is spelt alike (case, NFD)."""
        exact = self._found.get(rel)
        return exact if exact and exact.kind is Kind.LIST else self._folded.get(fold(rel))


@dataclass(frozen=True)
class FolderLists:
    """What a document of one folder may name: nearest first, up to the inbox itself."""

    lists: InboxLists
    folder: str
    document: str = ""

    def read(self, name: str, *, needed: bool) -> bytes | None:
        """The nearest list of that name, or None.

        Raises:
            NotYet: it is still being written, or may still come.
            DocumentError: it may not be read.
        """
        for folder in self._folders():
            file = self.lists.list(f"{folder}/{name}" if folder else name)
            if file is None:
                continue
            if file.signature.size == 0:
                late = self.lists.is_late(file.rel, file.signature)
                raise NotYet(f"waits until {file.rel} is more than empty", for_a_person=late)
            if not self.lists.is_whole(file.rel, file.signature):
                raise NotYet(f"waits until {file.rel} is whole")
            return _read(self.lists.inbox / file.rel)
        document = self.lists.file(self.document)
        if needed and document is not None:
            late = self.lists.is_late(document.rel, document.signature)
            if document.kind is Kind.DEFAULTS:  # these fail no picture
                why = f"is held: {document.rel} names the list {name}, which is not there"
                raise NotYet(why, for_a_person=late)
            if not late:
                raise NotYet(f"waits for the list {name}")
        return None

    def names(self) -> Sequence[str]:
        """The names of all lists that may be named."""
        folders = set(self._folders())
        found = (file for file in self.lists.all() if file.folder in folders)
        return list(dict.fromkeys(shown(file.name) for file in found))

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
    folders = [here, *(folder for folder in here.parents if folder.is_relative_to(root))]
    found = [
        replace(file, folder=_relative(folder, root))
        for folder in folders
        for file in scan(folder, recursive=False)
    ]
    lists = InboxLists(root)
    lists.begin_scan(found)
    return lists.of(_relative(here, root))


def _relative(folder: Path, root: Path) -> str:
    return "" if folder == root else str(folder.relative_to(root))


def _read(path: Path) -> bytes:
    try:
        return plainfiles.read_regular(path, MAX_LIST_BYTES)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise
        raise DocumentError(shown(path.name), [NOT_ALLOWED]) from None

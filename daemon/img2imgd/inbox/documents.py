"""Documents of several pages, taken apart where an inbox says `pages: each`.

The pages are written into a folder of the spool, from which a claim takes them; what a crash leaves
there is removed at the next start. The document itself goes with its pages, as a sidecar that
serves several pictures does.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from img2imgd import durable, filesystems
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.inbox.adopting import files_in
from img2imgd.inbox.lists import NotYet
from img2imgd.outputs.names import cut_bytes
from img2imgd.pairing.kinds import split_suffix
from img2imgd.settle import Signature

log = logging.getLogger(__name__)

_SUFFIXES = (".pdf", ".tif", ".tiff")
_FOLDER = "pages-"  # begins the name of a folder of the spool
_LARGE_PAGE = 2e6  # bytes
_MOST_KNOWN = 1000  # documents whose pages are counted, which wait for something
_LEAST_TIME = 300.0  # seconds that a document may take to be taken apart,
_TIME_PER_PAGE = 5.0  # or so many for each page, if that is more; a page may take a minute
_LONGEST_STEM = 200  # bytes; "_p001.png.yaml.reason.txt" and "~2" come behind it


class PageReader(Protocol):
    """Counts and extracts pages in the reader process, which raises as when it reads a picture."""

    def count_pages(self, path: Path) -> int:
        """How many pages a file has."""
        ...

    def extract_page(self, path: Path, page: int, target: Path) -> None:
        """Write a page, counted from 0, as a picture."""
        ...


class Documents:
    """Counts the pages of an inbox's documents, and takes them apart.

    ``progress`` is called for each page. Without a ``reader`` no file has more than one.
    """

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        spool: Path,
        reader: PageReader | None,
        progress: Callable[[], None],
    ) -> None:
        self._inbox = inbox.path
        self._spool = spool
        wanted = inbox.pages == "each" and inbox.mode == "move"
        self._reader = reader if wanted else None
        self._progress = progress
        self._keep_free = config.limits.min_free_gb * 1e9
        self._most = config.limits.max_frames
        self._known: dict[str, tuple[Signature, int, str]] = {}
        self._needs: dict[tuple[str, int, int], float] = {}  # bytes, of documents found too large

    def clear(self) -> None:
        """Remove what a crash left; before anything is claimed."""
        for folder in files_in(self._spool):
            if folder.name.startswith(_FOLDER):
                durable.remove_tree(folder)

    def count(self, path: Path, signature: Signature) -> tuple[int, str]:
        """The number of a file's pages, and why they could not be counted, if so.

        1 where each page is not wanted, and for a picture. What cannot be counted is refused: as a
        picture it might be read all the same, and all of its pages but the first be missing.

        Raises:
            NotYet: its disk does not allow to read it now.
        """
        if self._reader is None or split_suffix(path.name)[1] not in _SUFFIXES:
            return 1, ""
        key = str(path)
        known = self._known.get(key)
        if known is not None and known[0] == signature:
            return known[1:]
        self._progress()
        try:
            pages, wrong = self._reader.count_pages(path), ""
        except PictureError as fault:
            pages, wrong = 1, str(fault)
        except EnvironmentFault as fault:
            raise NotYet(f"waits until it can be read: {fault.message}") from fault
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = (signature, pages, wrong)
        return pages, wrong

    def too_many(self, pages: int) -> str:
        """Why a document of so many pages is not served, if it is not."""
        if pages <= self._most:
            return ""
        return (
            f"It has {pages:,} pages; at most {self._most:,} are served here.\n"
            "Split it, or raise `limits: max_frames` in the config."
        )

    @contextmanager
    def apart(self, path: Path, pages: int) -> Generator[Sequence[Path]]:
        """The pages as pictures, for as long as the context lasts; each may be taken away.

        Raises:
            PictureError: a page cannot be read, or all take too long together.
            NotYet: the disk has no room for them, or does not allow to read or write them now.
        """
        assert self._reader is not None  # noqa: S101 - else there is one page
        needed = max(pages * _LARGE_PAGE, self._needs.get(_state_of(path), 0.0))
        if not self._has_room(needed):
            raise self._no_room(pages)
        folder = self._spool / f"{_FOLDER}{secrets.token_hex(4)}"
        durable.make_folders(folder)
        try:
            targets = [folder / name for name in page_names(path.name, pages)]
            self._extract(self._reader, path, targets)
            yield targets
        finally:
            durable.remove_tree(folder)

    def _extract(self, reader: PageReader, path: Path, targets: Sequence[Path]) -> None:
        """Write the pages, with the time of their document, which the claim records of them."""
        state = _state_of(path)
        allowed = max(_LEAST_TIME, _TIME_PER_PAGE * len(targets))
        end = time.monotonic() + allowed
        largest, used = _LARGE_PAGE, 0.0
        try:
            for page, target in enumerate(targets):
                self._progress()
                if time.monotonic() > end:
                    raise PictureError(
                        f"After {allowed / 60:.0f} minutes {page:,} of its {len(targets):,} pages "
                        "had been taken apart; it is not waited for longer.",
                        "Split it, or save its pages as pictures.",
                    )
                if not self._has_room(largest):  # nor is it tried again before there is more
                    if len(self._needs) >= _MOST_KNOWN:
                        self._needs.clear()
                    self._needs[state] = used + largest
                    raise self._no_room(len(targets))
                reader.extract_page(path, page, target)
                os.utime(target, ns=(state[2], state[2]))
                size = target.stat().st_size
                largest, used = max(largest, size), used + size
        except EnvironmentFault as fault:
            raise NotYet(f"waits until its pages can be read: {fault.message}") from fault

    def _has_room(self, needed: float) -> bool:
        return filesystems.free_bytes(self._spool) >= self._keep_free + needed

    def _no_room(self, pages: int) -> NotYet:
        return NotYet(f"waits for room: its {pages} pages need some in {self._inbox}")


def _state_of(path: Path) -> tuple[str, int, int]:
    """Which file it is, for as long as nobody changes it."""
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def page_names(document: str, pages: int) -> list[str]:
    """``scan.pdf`` of ten pages → ``scan_p01.png`` … ``scan_p10.png``."""
    stem = cut_bytes(split_suffix(document)[0], _LONGEST_STEM)
    digits = len(str(pages))
    return [f"{stem}_p{page:0{digits}}.png" for page in range(1, pages + 1)]

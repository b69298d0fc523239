"""Keep mode: saves that look like what was painted last, which nobody wants painted again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.inbox.drops import FolderDefaults
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.scan import Found
from img2imgd.reader.protocol import Glance
from img2imgd.request import RequestKeys
from img2imgd.settle import Signature


@dataclass(frozen=True)
class _Seen:
    """What a picture looked like, and what was asked for it."""

    glance: Glance
    picture: Signature
    sidecar: Signature | None
    defaults: tuple[RequestKeys, ...]


class Similar:
    """Knows what the pictures of one inbox looked like when they were claimed last.

    ``least`` is the difference that counts, in ΔE (:meth:`Glance.difference`); with 0 nothing is
    looked at. What is compared is what was claimed: small changes add up. Not known after a start:
    the first save makes a job then.
    """

    def __init__(self, inbox: Path, least: float, glance: Callable[[Path], Glance]) -> None:
        self._inbox = inbox
        self._least = least
        self._glance = glance
        self._claimed: dict[str, _Seen] = {}
        self._looked_at: dict[str, _Seen] = {}

    def keep_only(self, present: Collection[str]) -> None:
        """Forget the pictures that are gone."""
        self._claimed = {rel: seen for rel, seen in self._claimed.items() if rel in present}
        self._looked_at.clear()

    def is_alike(self, file: Found, sidecar: Found | None, defaults: FolderDefaults) -> bool:
        """True for a picture that differs too little from what was claimed, to be painted alike.

        Raises:
            NotYet: its disk does not allow to read it now.
        """
        if not self._least:
            return False
        try:
            glance = self._glance(self._inbox / file.rel)
        except PictureError:
            self.forget(file.rel)
            return False  # it is claimed, and its owner told what is wrong
        except EnvironmentFault as fault:
            raise NotYet(f"waits until it can be read: {fault.message}") from fault
        beside = sidecar.signature if sidecar else None
        seen = _Seen(glance, file.signature, beside, defaults.layers)
        self._looked_at[file.rel] = seen
        before = self._claimed.get(file.rel)
        if before is None:
            return False
        if (before.sidecar, before.defaults) != (seen.sidecar, seen.defaults):
            return False
        return glance.difference(before.glance) < self._least

    def note_claimed(self, file: Found) -> None:
        """A picture was claimed as it was looked at."""
        seen = self._looked_at.get(file.rel)
        if seen is not None and seen.picture == file.signature:
            self._claimed[file.rel] = seen

    def forget(self, rel: str) -> None:
        """Have the next save of a picture make a job."""
        self._claimed.pop(rel, None)

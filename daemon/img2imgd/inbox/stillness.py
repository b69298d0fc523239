"""Which files of one inbox have come to rest: by their settle time, and by who writes them."""

from __future__ import annotations

from collections.abc import Collection

from img2imgd import plainfiles
from img2imgd.config import InboxConfig
from img2imgd.inbox.habits import Habits
from img2imgd.inbox.scan import Found
from img2imgd.pairing.kinds import Kind
from img2imgd.settle import Settling, Signature

_SLACK = 0.01  # seconds past the time, so that a file has settled when it is looked at then


class Stillness:
    """The files of one inbox and since when each is as it is.

    All times are seconds, those of the scans monotonic. In live inboxes of a local disk the settle
    time of a path follows the habits of the program that saves it.
    """

    def __init__(self, inbox: InboxConfig) -> None:
        self._inbox = inbox
        self._settling = Settling(inbox.settle)
        self._local = False  # until it is known where the folder lies
        self._habits: Habits | None = None
        self._now = 0.0

    def begin(self, *, local: bool) -> None:
        """Take up the folder that is there now; on a disk of this host or not."""
        self._local = local
        # Of another host's writers nobody could tell at the claim.
        fitting = self._inbox.mode == "keep" and self._inbox.live and local
        self._habits = Habits(self._inbox.settle) if fitting else None

    def take_over(self, before: Stillness) -> None:
        """Know what the same inbox by other rules knows of its files, but for habits."""
        self._settling = before._settling.taken_over(self._inbox.settle)
        self.begin(local=before._local)

    def begin_step(self, now: float) -> None:
        """What is asked from here on is asked at ``now``."""
        self._now = now

    def keep_only(self, present: Collection[str]) -> None:
        """Forget the files that are gone."""
        self._settling.keep_only(present)
        if self._habits is not None:
            self._habits.keep_only(present, self._now)

    def unchanged(self, file: Found) -> float:
        """For how long a file has been as this scan saw it."""
        seconds = self._settling.observe(file.rel, file.signature, self._now)
        if self._habits is not None and file.kind is Kind.PICTURE:
            self._habits.observe(file.rel, file.signature, self._now)
        return seconds

    def settle(self, rel: str) -> float:
        """The settle time of a path."""
        return self._inbox.settle if self._habits is None else self._habits.seconds(rel)

    def until_settled(self, rel: str, unchanged: float) -> float:
        """Until when a file may have settled; something else holds one that should have by now."""
        rest = self.settle(rel) - unchanged
        return rest + _SLACK if rest > 0 else self._inbox.rescan

    def restart(self, rel: str) -> None:
        """Have a file settle anew."""
        self._settling.restart(rel, self._now)
        if self._habits is not None:
            self._habits.reopen(rel, self._now)

    def is_whole(self, rel: str, signature: Signature) -> bool:
        """True when a list, or defaults, have come to rest and nobody writes them."""
        if self._settling.observe(rel, signature, self._now) < self._inbox.settle:
            return False
        if plainfiles.has_writer(self._inbox.path / rel):
            self.restart(rel)
            return False
        return True

    def has_settled_for(self, seconds: float, rel: str, signature: Signature) -> bool:
        """True when a file has been at rest for so long."""
        unchanged = self._settling.observe(rel, signature, self._now)
        return unchanged - self._inbox.settle >= seconds

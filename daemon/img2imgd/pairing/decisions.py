"""What a scan saw of a folder, and what may be decided on its files: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from img2imgd.pairing.kinds import Kind


@dataclass(frozen=True)
class Entry:
    """One file of a folder as the last scan saw it. Times are seconds.

    ``unchanged`` is how long it has been so; ``settled`` how long it has been settled, None while
    it is not. ``images`` are the names and globs that a settled sidecar lists, None for the usual
    sidecar without a list.
    """

    name: str
    kind: Kind
    unchanged: float
    settled: float | None
    images: tuple[str, ...] | None = None
    empty: bool = False


@dataclass(frozen=True)
class Rules:
    """The pairing times of an inbox, in seconds, and whether originals stay in it.

    ``prompted_wait`` is how long a picture waits for a sidecar if it has a prompt without one, None
    for ``pair_wait``. A file that is still empty after ``empty_after`` is given up; until then it
    is a placeholder. ``tell_unread`` is whether keep mode tells of files that nobody exported.
    """

    pair_wait: float
    orphan_after: float
    empty_after: float
    keep: bool = False
    prompted_wait: float | None = None
    tell_unread: bool = True


@dataclass(frozen=True)
class Claim:
    """Take these pictures, a job each. ``also`` are sidecars that lost by precedence and go along.

    ``missing`` are names that the sidecar lists and nobody dropped.
    """

    pictures: tuple[str, ...]
    sidecar: str | None = None
    also: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every file that it is about."""
        return (*self.pictures, *filter(None, [self.sidecar]), *self.also)


@dataclass(frozen=True)
class Late:
    """A sidecar whose picture is not here: it may belong to a picture served before.

    ``orphan`` is True when it has waited long enough to be given up if no such picture is known;
    until then, ``rest`` seconds are left.
    """

    sidecar: str
    orphan: bool
    rest: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Every file that it is about."""
        return (self.sidecar,)


@dataclass(frozen=True)
class Reject:
    """Set this file aside with a reason. ``also`` are sidecars of its own that go along."""

    name: str
    reason: str
    advice: str
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every file that it is about."""
        return (self.name, *self.also)


@dataclass(frozen=True)
class Wait:
    """Leave this file for now; ``seconds`` until it is worth looking again.

    ``for_a_person`` is True when time alone will not help: somebody must add or mend a file.
    ``ends_in`` seconds the wait ends whatever comes: the file is taken, or set aside.
    """

    name: str
    why: str
    seconds: float | None = None
    for_a_person: bool = False
    ends_in: float | None = None


Decision = Claim | Late | Reject | Wait

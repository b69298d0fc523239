"""Whose the root is: the user as whom to look, where it is another than the one who looks."""

from __future__ import annotations

from collections.abc import Iterator

from img2imgd.config import Config, command
from img2imgd.doctor.as_user import User
from img2imgd.doctor.findings import Finding, warning
from img2imgd.doctor.records import holder_of, is_hidden
from img2imgd.owners import as_that_user, name_of, owner_of


def keeper_of(config: Config, user: User) -> int | None:
    """The other user who serves the root now, or to whom it belongs; None where there is none.

    Folders of a daemon that runs stay its user's, and a person's own look changes no owner.
    """
    lock = config.state / "lock"
    if holder_of(lock) is not None or is_hidden(lock):
        runs_as = owner_of(lock)
        return None if runs_as == user.uid else runs_as
    # A root that is not there yet would be its nearest folder's owner's: then nobody's.
    there = is_hidden(config.root) or config.root.is_dir()
    owner = owner_of(config.root) if there else None
    if not user.is_me or user.uid == 0 or owner in (0, user.uid):
        return None
    return owner


def as_keeper(config: Config, keeper: int) -> str:
    """The command that looks as that user."""
    return f"{as_that_user(keeper)} {command(config, 'doctor')}"


def check_keeper(config: Config, user: User, keeper: int | None) -> Iterator[Finding]:
    """Said first, as it explains what follows."""
    if keeper is not None:
        yield warning(
            "user",
            f"{config.root} is served by, or belongs to, {name_of(keeper)}; this looks as "
            f"{user.name}, who need not have its rights.",
            as_keeper(config, keeper),
        )

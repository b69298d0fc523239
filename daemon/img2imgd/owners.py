"""Files of another user: in words who one is, whose they are, and as whom to run the command."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

from img2imgd.errors import EnvironmentFault, shown


def denied(path: Path, what: str, doing: str, *, write: bool = False) -> EnvironmentFault | None:
    """The fault that another user's rights make of a file; None if rights are not what is wrong.

    ``what`` is the file in words, ``doing`` what cannot be done with it (``read``, ``written``).
    """
    owner = owner_of(path)
    if owner is None or os.geteuid() in (0, owner) or _may(path, write=write):
        return None
    return EnvironmentFault(
        f"{what} {shown(str(path))} cannot be {doing}: "
        f"you are {name_of(os.geteuid())}, and it belongs to {name_of(owner)}.",
        f"Run it as that user: {as_that_user(owner)} img2imgd …",
    )


def owner_of(path: Path) -> int | None:
    """The user's number of a file, or of its nearest folder that can be looked at."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_uid
        except OSError:
            continue
    return None


def name_of(uid: int) -> str:
    """A user's name, or the number of one who has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def as_that_user(uid: int) -> str:
    """What has a command run as a user."""
    name = name_of(uid)
    return f"sudo -u {shlex.quote(f'#{uid}' if name == str(uid) else name)}"


def _may(path: Path, *, write: bool) -> bool:
    """True if this process may use a file, and make what SQLite needs beside it."""
    try:
        path.stat()
    except PermissionError:
        return False
    except OSError:
        return os.access(path.parent, os.X_OK | (os.W_OK if write else 0))
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return os.access(path, os.R_OK)  # nobody may write there
    wanted = os.R_OK | (os.W_OK if write else 0)
    return os.access(path, wanted) and (not write or os.access(path.parent, os.W_OK | os.X_OK))

"""The folders: whether the service's user can make and write them, on what, with how much room."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.doctor.probing import try_folder
from img2imgd.hub.sizes import in_words
from img2imgd.outputs.staging import STAGING

_ANSWERED = 10.0  # seconds, in which a folder answers that does at all
_FEW_INODES = 10_000
_NO_INODES = 100
_IN_MEMORY = ("tmpfs", "ramfs")


@dataclass(frozen=True)
class Folder:
    """A folder of the config, by what it is; ``recursive`` is of inboxes."""

    what: str
    path: Path
    hidden: Path | None = None


def folders_of(config: Config) -> list[Folder]:
    """Every folder that the daemon writes to."""
    inboxes = [Folder("inbox", inbox.path, inbox.path / STAGING) for inbox in config.inboxes]
    outbox = Folder("outbox", config.outbox, config.outbox / STAGING)
    others = [Folder(what, getattr(config, what)) for what in ("done", "failed", "state")]
    return [*inboxes, outbox, *others]


def check_answers(config: Config, user: User) -> Iterator[Finding]:
    """The folders whose disk or server hangs: whoever looks there himself hangs as well."""
    for folder in folders_of(config):
        try:
            as_user(user, lambda path=folder.path: path.exists(), _ANSWERED)
        except OSError:
            continue  # it has answered; its own line says what is wrong
        except NoAnswer:
            yield _silent(folder)


def check_folders(config: Config, user: User, advice: str = "") -> Iterator[Finding]:
    """Each folder, tried by the user; ``advice`` is given in place of other owners and modes."""
    for folder in folders_of(config):
        try:
            found = _tried(folder, user) or _described(config, folder, user)
            rights = found.mend.startswith(("sudo chown ", "sudo chmod ", "sudo install "))
            yield replace(found, mend=advice) if advice and rights else found
        except PermissionError as error:
            yield wrong(
                folder.what, f"{folder.path} cannot be looked at: {error.strerror}.", advice
            )
        except NoAnswer:
            yield _silent(folder)


def _silent(folder: Folder) -> Finding:
    return wrong(
        folder.what,
        f"{folder.path} did not answer within {_ANSWERED:g} s: its disk or server is away.",
        f"See `findmnt -T {shlex.quote(str(folder.path))}`, and mount it anew.",
    )


def check_room(config: Config) -> Iterator[Finding]:
    """Free bytes and inodes of each filesystem, once."""
    seen: set[int] = set()
    least = config.limits.min_free_gb * 1e9
    for folder in folders_of(config):
        place = _existing(folder.path)
        try:
            device, free = place.stat().st_dev, os.statvfs(place)
        except OSError:
            continue  # the folder's own line says it
        if device in seen:
            continue
        seen.add(device)
        yield _room(filesystems.mount_of(place), free, least)


def _room(mount: Path, free: os.statvfs_result, least: float) -> Finding:
    room = free.f_bavail * free.f_frsize
    if room < least:
        return wrong(
            "room",
            f"{mount} has {in_words(room)} free; limits.min_free_gb asks for {least / 1e9:g} GB.",
            f"Free some (`du -xh {mount} | sort -h | tail`), or lower `limits.min_free_gb`.",
        )
    inodes = free.f_favail if free.f_files else None
    if inodes is not None and inodes < _FEW_INODES:
        say = wrong if inodes < _NO_INODES else warning
        return say(
            "room",
            f"{mount} has room for {inodes:,} more files (inodes), however many bytes are free.",
            f"Remove small files: `df -i {mount}`; set `retention` so that old ones go.",
        )
    files = "" if inodes is None else f", for {inodes:,} files"
    return fine("room", f"{mount}: {in_words(room)} free{files}")


def _tried(folder: Folder, user: User) -> Finding | None:
    """What keeps the user from writing there; None if nothing does."""
    if not folder.path.exists() and not folder.path.is_symlink():
        return _makeable(folder, user)
    for place in (folder.path, folder.hidden):
        if place is None or not place.exists():
            continue
        try:
            as_user(user, lambda place=place: try_folder(place))
        except OSError as error:
            return wrong(
                folder.what,
                f"{place} cannot be written by {user.name}: {error.strerror}.",
                _mend(error.errno or 0, place, user),
            )
    return None


def _makeable(folder: Folder, user: User) -> Finding | None:
    parent = _existing(folder.path)
    try:
        as_user(user, lambda: try_folder(parent))
    except OSError as error:
        path = shlex.quote(str(folder.path))
        return wrong(
            folder.what,
            f"{folder.path} is not there, and {user.name} cannot make it in {parent}: "
            f"{error.strerror}.",
            _mend(error.errno or 0, parent, user)
            if error.errno not in (errno.EACCES, errno.EPERM)
            else f"sudo install -d -o {user.name} -g {_group(user)} {path}",
        )
    return fine(folder.what, f"{folder.path} is not there yet, and is made at the first start")


def _described(config: Config, folder: Folder, user: User) -> Finding:
    path, what = folder.path, folder.what
    kind = filesystems.kind_of(path)
    name = filesystem_name(path) if kind.local else kind.name
    able = as_user(user, lambda: try_folder(path))
    if what == "state" and not kind.local:
        return wrong(
            what, f"{path} lies on {name}, where SQLite's log does not hold.",
            "Name a folder on a local disk as `state:` in the config.",
        )  # fmt: skip
    facts = [name]
    if what == "inbox" and not kind.local:
        facts.append("polled, as other hosts' writes give no events")
    if not able["renames_new"]:
        facts.append("no RENAME_NOREPLACE: files are published by link, folders by a look")
    if not able["tells_case"]:
        facts.append("names that differ in case alone are one file")
    if what in ("done", "failed") and _is_elsewhere(path, config):
        facts.append("another disk than the inbox: inputs are copied there")
    told = f"{path}: {', '.join(facts)}"
    if name in _IN_MEMORY and what in ("state", "outbox", "done"):
        return warning(what, f"{told}: what is there is lost when the machine stops")
    return fine(what, told)


def _is_elsewhere(path: Path, config: Config) -> bool:
    inboxes = [inbox.path for inbox in config.inboxes if inbox.path.exists()]
    return any(inbox.stat().st_dev != path.stat().st_dev for inbox in inboxes)


def _mend(number: int, place: Path, user: User) -> str:
    quoted = shlex.quote(str(place))
    if number == errno.EROFS:
        mount = shlex.quote(str(filesystems.mount_of(place)))
        return f"sudo mount -o remount,rw {mount} (see `dmesg` for why it is read-only)"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"Free some room or files there: df -h {quoted}; df -i {quoted}"
    if number == errno.ENOTDIR:
        return f"A file is in the way: move {quoted} elsewhere."
    blocked = next((p for p in reversed(place.parents) if not _may_enter(p, user)), None)
    if blocked is not None:
        return f"sudo chmod o+x {shlex.quote(str(blocked))} (or `setfacl -m u:{user.name}:x` on it)"
    return f"sudo chown -R {user.name}:{_group(user)} {quoted}"


def _may_enter(folder: Path, user: User) -> bool:
    try:
        return bool(as_user(user, lambda: os.access(folder, os.X_OK)))
    except (OSError, NoAnswer):
        return False


def _group(user: User) -> str:
    import grp

    try:
        return grp.getgrgid(user.gid).gr_name
    except KeyError:
        return str(user.gid)


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def filesystem_name(path: Path) -> str:
    """What kind of filesystem it is by the kernel's table of mounts: ``ext4``, ``btrfs`` …"""
    mount = str(filesystems.mount_of(_existing(path)))
    name = "a local disk"
    try:
        table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return name
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        where = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4])
        if where == mount:
            name = rest.split()[0]  # the last one lies over those before it
    return name

"""Files taken into the spool, whole and unchanged since they were seen, or put back."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd import durable, plainfiles
from img2imgd.ledger import FileEntry
from img2imgd.outputs.names import numbered
from img2imgd.settle import Signature


@dataclass(frozen=True)
class Input:
    """A file to take: where it is, and how it looked when it was decided on.

    ``content`` replaces the file's own for a copy: each job of a shared sidecar gets its keys, and
    of a kept file that is too large nothing is copied. ``made`` is a file that was made of it, a
    page of a document, and takes the copy's place: it is moved.
    """

    role: str
    path: Path
    signature: Signature
    how: str
    name: str = ""
    content: bytes | None = None
    made: Path | None = None

    @property
    def size(self) -> int:
        """The bytes that the spool will hold."""
        if self.made is not None:
            return self.made.stat().st_size
        return self.signature.size if self.content is None else len(self.content)


class ChangedMeanwhile(Exception):
    """A file changed while it was being claimed; it goes back to waiting."""


def why_it_stays(folder: Path) -> str:
    """Why no file can be taken out of a folder, in words; empty where they can.

    Asked first, since a file on another disk is copied before it is removed there.
    """
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return "lies on a read-only disk"
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return "lies in a folder that img2imgd is not allowed to change"
    return ""


def take(entries: Sequence[FileEntry], inputs: Sequence[Input], folder: Path) -> None:
    """Bring the inputs of a job into its spool folder and check that they are what was seen.

    Raises:
        ChangedMeanwhile: one is not; what was taken so far is to be put back.
    """
    sources: set[Path] = set()
    for entry, item in zip(entries, inputs, strict=True):
        target = folder / entry.name
        if item.content is not None:
            durable.write_file(target, item.content)
        elif item.made is not None:
            durable.rename_new(item.made, target)
        elif entry.how == "copy":
            _copy_unchanged(item, target)
        else:
            _move_unchanged(item, target)
            sources.add(item.path.parent)
    for changed in (folder, *sources):
        durable.fsync_path(changed)
    for entry in entries:
        if not is_whole(folder / entry.name, entry):
            raise ChangedMeanwhile(entry.name)


def put_back(files: Sequence[tuple[Path, Path]], inbox: Path, first: int = 1) -> None:
    """Return the files of a drop to an inbox, each as (where it is, where it was).

    Where a name is taken meanwhile, all get the same next number, so that they pair again. Where
    something else has the name of their folder, be it a link to one, they come to lie beside it.
    ``first`` is the number that others of the drop have got already.
    """
    number = first
    homes = [home_of(source, inbox) for _, source in files]
    while True:
        names = numbered([home.name for home in homes], number)
        targets = [home.with_name(name) for home, name in zip(homes, names, strict=True)]
        pairs = [(taken, target) for (taken, _), target in zip(files, targets, strict=True)]
        if not any(durable.is_there(b) and not durable.same_file(a, b) for a, b in pairs):
            break
        number += 1
    for taken, target in pairs:
        if durable.same_file(taken, target):
            taken.unlink()  # moved by link and unlink, with a crash in between
            continue
        durable.make_folders(target.parent)
        durable.move_new(taken, target)


def is_whole(path: Path, entry: FileEntry) -> bool:
    """True when the spool holds the file as it was recorded; a copy has an inode of its own.

    A move from another mount is a copy too, with the time of the original; another disk may keep
    that less exactly.
    """
    status = durable.look_at(path)
    if status is None:
        return False
    found = Signature.of(status)
    if entry.how == "copy":
        return found.size == entry.size
    grain = durable.MTIME_GRAIN_NS if _is_on_another_disk(path, Path(entry.source)) else 0
    if found.size != entry.size or abs(found.mtime_ns - entry.mtime_ns) > grain:
        return False
    return not plainfiles.has_writer(path)


def is_home(entry: FileEntry) -> bool:
    """True when the file that was taken still has its old name too.

    A crash came between link, or copy to another filesystem, and unlink.
    """
    seen = durable.look_at(Path(entry.source))
    taken = Signature(entry.inode, entry.size, entry.mtime_ns, 0)
    return seen is not None and Signature.of(seen).same_content(taken)


def check_disks(entries: Sequence[FileEntry], folder: Path) -> None:
    """Refuse to complete or undo a claim while a disk that its files were copied from is away.

    Nobody can tell then whether the originals still lie there.

    Raises:
        OSError: ENODEV, with the path of such a file in the inbox.
    """
    for entry in entries:
        source = Path(entry.source)
        if not entry.across or not durable.is_there(folder / entry.name):
            continue
        if not durable.is_there(source) and not lies_apart(source, folder):
            raise OSError(errno.ENODEV, "its disk is not mounted", entry.source)


def lies_apart(source: Path, spool: Path) -> bool:
    """True when a path in the inbox is on another disk than the spool."""
    folder = source.parent
    while not folder.is_dir():
        folder = folder.parent
    return folder.stat().st_dev != spool.stat().st_dev


def number_of(entry: FileEntry, inbox: Path) -> int:
    """The number under which a file that was put back lies where it was taken from; 1 for none."""
    home = home_of(Path(entry.source), inbox)
    number = 1
    while True:
        number += 1
        (name,) = numbered([home.name], number)
        found = durable.look_at(home.with_name(name))
        if found is None:
            return 1
        if found.st_ino == entry.inode:
            return number


def home_of(source: Path, inbox: Path) -> Path:
    """Where a file goes back to: further up, if something else has a folder's name by now.

    A link in the place of a folder would lead it out of the inbox.
    """
    for folder in reversed(source.parents):
        if inbox not in folder.parents:
            continue
        status = durable.look_at(folder)
        if status is None:
            break
        if not stat.S_ISDIR(status.st_mode):
            return folder.with_name(source.name)
    return source


def _is_on_another_disk(taken: Path, source: Path) -> bool:
    folder = source.parent
    return folder.is_dir() and taken.lstat().st_dev != folder.stat().st_dev


def _move_unchanged(item: Input, target: Path) -> None:
    """Rename a file; from another filesystem (a disk mounted below the inbox) copy, then remove.

    The original goes only when it is what was copied, and nobody writes it. A rename keeps the
    inode: another one is another file, which was put there since the scan.
    """
    try:
        durable.rename_new(item.path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        if target.lstat().st_ino != item.signature.inode:
            raise ChangedMeanwhile(item.path.name)
        return
    if plainfiles.has_writer(item.path):
        raise ChangedMeanwhile(item.path.name)
    durable.copy_across(item.path, target)
    if not Signature.of(item.path.lstat()).same_content(item.signature):
        target.unlink()  # the original stands
        raise ChangedMeanwhile(item.path.name)
    item.path.unlink()


def _copy_unchanged(item: Input, target: Path) -> None:
    """Copy a file that somebody may be saving: its stat must be the same before and after."""
    durable.copy_new(item.path, target)
    if not Signature.of(item.path.lstat()).same_content(item.signature):
        raise ChangedMeanwhile(item.path.name)

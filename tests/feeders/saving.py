"""How art programs save: each writes a file by the very steps that the program takes.

Krita's and GIMP's steps were recorded with strace (``saves_of_art_programs.trace`` beside this
file); those of programs that do not run here follow what is written about them, which each class
names. The pauses are those seen, or longer: a share's network makes them so.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def pause(seconds: float) -> None:
    """Let the time pass that the program takes."""
    threading.Event().wait(seconds)


class Program(ABC):
    """One way to save."""

    name: ClassVar[str]

    @abstractmethod
    def save(self, path: Path, content: bytes) -> None:
        """Write ``content`` to ``path``, which may exist, as the program does."""


def _write(opened: int, content: bytes, part: int, between: float = 0.0) -> None:
    for start in range(0, len(content), part):
        os.write(opened, content[start : start + part])
        if between:
            pause(between)


@contextlib.contextmanager
def _open(path: Path, flags: int) -> Iterator[int]:
    opened = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        yield opened
    finally:
        os.close(opened)


def _link(opened: int, path: Path) -> None:
    """Give an unnamed file a name; the descriptor has Python call linkat, which can (open(2))."""
    os.link(f"/proc/self/fd/{opened}", path, src_dir_fd=opened, follow_symlinks=True)


def _drawn(count: int) -> str:
    """Letters as a program draws them for a temporary name, upper and lower case among them."""
    return "Ab" + "".join(random.choices(_LETTERS, k=count - 2))  # noqa: S311 - a name


class GimpExport(Program):
    """GIMP 2.10, PNG, JPEG and WebP: emptied and written in place (recorded)."""

    name = "gimp-export"

    def save(self, path: Path, content: bytes) -> None:
        with _open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            pause(0.04)  # the first rows are being compressed
            _write(opened, content, 4096)


class GimpThroughGio(Program):
    """GIMP 2.10, XCF and TIFF: ``.goutputstream-XXXXXX``, fsync, rename; new ones in place."""

    name = "gimp-gio"

    def save(self, path: Path, content: bytes) -> None:
        if not path.exists():
            with _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as opened:
                _write(opened, content, 4096)
            return
        with _open(path, os.O_WRONLY | os.O_NOFOLLOW):
            temporary = path.with_name(f".goutputstream-{_drawn(6)}")
            opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.fchmod(opened, 0o644)
        _write(opened, content, 4096)
        os.fsync(opened)
        temporary.rename(path)
        os.close(opened)


class Krita(Program):
    """Krita 5.1: an unnamed file, fdatasync, linked as ``NAME.XXXXXX``, renamed (recorded).

    With its usual settings the file before is kept as ``NAME~``.
    """

    name = "krita"

    def save(self, path: Path, content: bytes) -> None:
        if path.exists():
            _back_up(path)
        opened = os.open(path.parent, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        os.fchmod(opened, 0o644)
        pause(0.08)
        _write(opened, content, 8204)
        os.fdatasync(opened)
        temporary = path.with_name(f"{path.name}.{_drawn(6)}")
        try:
            _link(opened, path)
        except FileExistsError:
            _link(opened, temporary)
        os.close(opened)
        if temporary.exists():
            temporary.rename(path)


class KritaWithoutUnnamedFiles(Program):
    """Krita where the disk has no O_TMPFILE, such as a share: ``NAME.XXXXXX`` all the while.

    Source: Qt 5's QTemporaryFileEngine, which QSaveFile is made of.
    """

    name = "krita-on-a-share"

    def save(self, path: Path, content: bytes) -> None:
        if path.exists():
            _back_up(path)
        temporary = path.with_name(f"{path.name}.{_drawn(6)}")
        with _open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL) as opened:
            _write(opened, content, 1 + len(content) // 3, between=0.3)
            os.fdatasync(opened)
        temporary.rename(path)


def _back_up(path: Path) -> None:
    """The old backup is removed, and the file copied to its name."""
    backup = path.with_name(f"{path.name}~")
    backup.unlink(missing_ok=True)
    with _open(path, os.O_RDONLY) as source, _open(path.parent, os.O_RDWR | os.O_TMPFILE) as copy:
        os.sendfile(copy, source, 0, os.fstat(source).st_size)
        os.fdatasync(copy)
        _link(copy, backup)
    backup.chmod(0o644)


class KritaAutosave(Program):
    """Krita's autosave of an open picture, between saves: ``.NAME-autosave.kra``, hidden.

    Source: Krita's manual, "Saving, AutoSave and Backup Files".
    """

    name = "krita-autosave"

    def save(self, path: Path, content: bytes) -> None:
        for hidden in (".", ""):  # visible ones are of Windows
            autosave = path.with_name(f"{hidden}{path.name}-autosave.kra")
            autosave.write_bytes(content[: len(content) // 2])
        Krita().save(path, content)


class TmpSave(Program):
    """MyPaint, and GIMP's OpenRaster plug-in: ``NAME.tmpsave``, renamed; both are open source."""

    name = "mypaint"

    def save(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f"{path.name}.tmpsave")
        with _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            _write(opened, content, 1 + len(content) // 2, between=0.2)
        temporary.rename(path)


class DeleteAndRename(Program):
    """Photoshop on Windows: a ``.tmp`` beside it, the original deleted, the new one renamed.

    Source: https://github.com/WolvenKit/WolvenKit/pull/949, which had to follow such renames.
    """

    name = "photoshop-windows"

    def save(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f"ps{random.randrange(0x10000):04X}.tmp")  # noqa: S311 - a name
        with _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            _write(opened, content, 1 + len(content) // 3, between=0.1)
        path.unlink(missing_ok=True)
        pause(0.05)  # nothing has the name meanwhile
        temporary.rename(path)


class ReplaceFile(Program):
    """Windows' ReplaceFile, as Paint.NET uses: the original becomes ``NAME~RFxxxx.TMP``, then goes.

    Source: Microsoft's documentation of ReplaceFileW, and the WolvenKit thread above.
    """

    name = "paint.net"

    def save(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(content)
        backup = path.with_name(f"{path.name}~RF{random.randrange(0x100000):x}.TMP")  # noqa: S311
        if path.exists():
            path.rename(backup)
            pause(0.02)
        temporary.rename(path)
        backup.unlink(missing_ok=True)


class NumberedTemporary(Program):
    """Photoshop on a Mac: ``Adobe Photoshop 1371892742`` beside it, renamed over the original.

    Source: Mountain Duck's list of temporary names, https://github.com/iterate-ch/docs/issues/360.
    """

    name = "photoshop-mac"

    def save(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f"Adobe Photoshop {random.randrange(10**9, 2 * 10**9)}")  # noqa: S311
        with _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            _write(opened, content, 1 + len(content) // 2, between=0.2)
        temporary.rename(path)


class MacSafeSave(Program):
    """macOS on a share: a folder with the file's own name in it, renamed over the original.

    ``NAME.sb-XXXXXXXX-XXXXXX`` stays until the document is closed, and ``._NAME`` for good.
    Sources: https://github.com/macfuse/macfuse/issues/485,
    https://github.com/Scille/parsec-cloud/issues/1764.
    """

    name = "mac-safe-save"

    def __init__(self, folder: str = "{name}.sb-515b24a2-00Ug5l") -> None:
        self._folder = folder

    def save(self, path: Path, content: bytes) -> None:
        folder = path.with_name(self._folder.format(name=path.name))
        folder.mkdir(exist_ok=True)
        inner = folder / path.name
        with _open(inner, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            _write(opened, content, 1 + len(content) // 2, between=0.1)
        pause(1.0)  # longer than a tablet's settle: what lies in there looks whole
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7" + bytes(4092))
        inner.rename(path)


class MacItemReplacement(MacSafeSave):
    """macOS where no folder for temporary items can be had: a folder with a name in words.

    Source: URLForDirectory:inDomain:appropriateForURL: of Apple's Foundation, open source in Swift.
    """

    name = "mac-item-replacement"

    def __init__(self) -> None:
        super().__init__("(A Document Being Saved By Preview)")


class WholeFileOverTheNet(Program):
    """Procreate, Clip Studio and others through the Files app, SMB or WebDAV: empty, then whole.

    The server makes an empty file first and the bytes come by pieces, the file held open. Source:
    RFC 4918's PUT and SMB2's CREATE and WRITE.
    """

    name = "files-app"

    def save(self, path: Path, content: bytes) -> None:
        with _open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
            pass
        pause(0.5)
        with _open(path, os.O_WRONLY) as opened:
            _write(opened, content, 1 + len(content) // 4, between=0.15)


class Syncthing(Program):
    """Syncthing: ``.syncthing.NAME.tmp`` with the sender's time, renamed.

    Source: https://docs.syncthing.net/users/syncing.html, "Temporary Files".
    """

    name = "syncthing"

    def save(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".syncthing.{path.name}.tmp")
        with _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as opened:
            _write(opened, content, 1 + len(content) // 2, between=0.2)
        hour_ago = os.stat(path.parent).st_mtime_ns - 3_600_000_000_000  # noqa: PTH116
        os.utime(temporary, ns=(hour_ago, hour_ago))
        temporary.rename(path)


PROGRAMS: Sequence[Program] = (
    GimpExport(), GimpThroughGio(), Krita(), KritaWithoutUnnamedFiles(), KritaAutosave(), TmpSave(),
    DeleteAndRename(), ReplaceFile(), NumberedTemporary(), MacSafeSave(), MacItemReplacement(),
    WholeFileOverTheNet(), Syncthing(),
)  # fmt: skip

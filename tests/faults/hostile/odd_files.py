"""What is no plain file, what may not be read, and names that nobody expects."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from cases import SIDECAR, Case, encoded, raw

NOT_PLAIN = "not a plain file"


def cases(outside: Path) -> list[Case]:
    """All of them; ``outside`` is a folder beside the root."""
    return [*_specials(outside), *_forbidden(), *_folders(), *_names()]


def _specials(outside: Path) -> list[Case]:
    secret = outside / "secret.png"
    specials: list[tuple[str, Callable[[Path], object]]] = [
        ("link-to-picture.png", lambda path: path.symlink_to(secret)),
        ("link-to-passwd.png", lambda path: path.symlink_to("/etc/passwd")),
        ("link-to-folder.png", lambda path: path.symlink_to(outside)),
        ("link-to-root.png", lambda path: path.symlink_to("/")),
        ("link-to-itself.png", lambda path: path.symlink_to(path.name)),
        ("link-to-inbox.png", lambda path: path.symlink_to("..")),
        ("dangling.png", lambda path: path.symlink_to("/absent/picture.png")),
        ("link.yaml", lambda path: path.symlink_to(outside / "secret.yaml")),
        ("pipe.png", os.mkfifo),
        ("pipe.yaml", os.mkfifo),
        ("socket.png", _socket),
    ]
    if os.geteuid() == 0:
        specials += [
            ("zeros.png", lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))),
            ("disk.png", lambda path: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 9))),
        ]
    return [
        *(Case(f"odd/{name}", "failed", NOT_PLAIN, make) for name, make in specials),
        Case("odd/hard-link.png", "done", "", lambda path: path.hardlink_to(secret), SIDECAR),
    ]


def _forbidden() -> list[Case]:
    def unreadable(data: bytes) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            path.write_bytes(data)
            path.chmod(0)

        return make

    return [
        Case("odd/unreadable.png", "failed", "permission denied", unreadable(encoded()), SIDECAR),
        Case("odd/closed.yaml", "failed", "not allowed to read this file", unreadable(SIDECAR),
             about="odd/closed.png"),
        Case("odd/closed.png", "failed", "closed.yaml", encoded()),
    ]  # fmt: skip


def _folders() -> list[Case]:
    def folder(path: Path) -> None:
        path.mkdir(exist_ok=True)
        (path / "in-a-folder.png").write_bytes(encoded())
        (path / "in-a-folder.yaml").write_bytes(SIDECAR)

    return [
        Case("odd/folder.png", "done", "", folder, about="odd/folder.png/in-a-folder.png"),
        Case("odd/folder.yaml", "done", "", folder, about="odd/folder.yaml/in-a-folder.png"),
        Case("odd/folder.yaml/deep/er/x.png", "done", "", encoded(), SIDECAR),
    ]


def _names() -> list[Case]:
    good = [
        "line\nbreak.png",
        "carriage\rreturn.png",
        "tab\tand\x1b[31mred\x1b[0m.png",
        "bell\a\b\x7f.png",
        "-rf.png",
        "--help.png",
        "$(touch owned).png",
        "`id`;|&&>x.png",
        "%s%n{stem}{0}.png",
        "{job.__class__}.png",
        "quote\"'\\.png",
        " leading and trailing .png",
        "con.png",
        "nul.tar.png",
        "right\u202egnp.png",
        "zero\u200bwidth\ufeff.png",
        "emoji🦊👩‍👩‍👧.png",
        "caf\u00e9.png",
        "cafe\u0301.png",
        "CAF\u00c9.png",
        "ﬀ.png",
        "x.PNG.png",
        " .png",
        "*?[a-z].png",
        f"{'l' * 251}.png",
        f"{'Ü' * 125}.png",
        f"{'🦊' * 62}.png",
        raw(b"latin1-caf\xe9.png"),
        raw(b"\xff\xfe\xfd.png"),
        raw(b"half\xf0\x9f\xa6.png"),
        raw(b"surrogate\xed\xa0\x80.png"),
        raw(b"\xc0\xae\xc0\xae\xc0\xaf.png"),
    ]
    return [
        *(Case(f"names/{name}", "done", "", encoded()) for name in good),
        Case("names/_defaults.yaml", "inbox", "", SIDECAR),
        Case("names/.png", "inbox", "", encoded()),
        Case("names/.hidden.png", "inbox", "", encoded()),
        Case("names/....png", "inbox", "", encoded()),
        Case("names/...", "inbox", "", encoded()),
        Case("names/ ", "failed", "neither a picture nor a sidecar", encoded()),
        Case("names/. .", "inbox", "", encoded()),
        Case("names/png", "failed", "neither a picture nor a sidecar", encoded()),
        Case("names/x.png.", "failed", "neither a picture nor a sidecar", encoded()),
        Case("names/x.png ", "failed", "neither a picture nor a sidecar", encoded()),
        Case("names/x.reason.txt", "inbox", "", b"hello"),
        Case("names/new\nline", "failed", "neither a picture nor a sidecar", b"x"),
        Case(raw(b"fold\xe9r/\xff.png"), "done", "", encoded(), SIDECAR),
        Case("new\nfolder/x.png", "done", "", encoded(), SIDECAR),
        Case("-rf/x.png", "done", "", encoded(), SIDECAR),
        Case(f"{'d' * 255}/x.png", "done", "", encoded(), SIDECAR),
    ]


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_PATH)
        try:
            server.bind(f"/proc/self/fd/{here}/{path.name}")  # the whole path may be too long
        finally:
            os.close(here)

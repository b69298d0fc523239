"""The ways that files come into an inbox, each with the real program that people use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fed_root import FedRoot

Send = Callable[[FedRoot, Path, Sequence[str], Path], None]


@dataclass(frozen=True)
class Feeder:
    """``send(root, source, names, inbox)`` brings files of a folder into an inbox, as anna."""

    name: str
    inbox: str
    send: Send


def _smb_put(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    root.samba.do(f"cd {inbox.name}", *(f"put {name}" for name in names), cwd=source)


def _smb_rename(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    orders = [f"put {name} {name}.tmp; rename {name}.tmp {name}" for name in names]
    root.samba.do(f"cd {inbox.name}", *orders, cwd=source)


def _rsync(*options: str) -> Send:
    def send(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
        shell = " ".join(["ssh", *root.ssh.options])
        root.people.run(
            "anna", "rsync", *options, "-e", shell, *names, f"127.0.0.1:{inbox}/", cwd=source
        )

    return send


def _scp(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    command = ["scp", "-q", *root.ssh.options, *names, f"127.0.0.1:{inbox}/"]
    root.people.run("anna", *command, cwd=source)


def _sftp(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    orders = f"cd {inbox}\n" + "".join(f"put {name}\n" for name in names)
    _sftp_orders(root, source, orders)


def _sftp_resumed(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    """The connection breaks amid each file, and is taken up again."""
    halves = source / "halves"
    root.people.run("anna", "mkdir", halves)
    for name in names:
        whole = (source / name).read_bytes()
        (halves / name).write_bytes(whole[: len(whole) // 2])
    _sftp(root, halves, names, inbox)
    root.people.run("anna", "sleep", "1")
    orders = f"cd {inbox}\n" + "".join(f"put -a {name}\n" for name in names)
    _sftp_orders(root, source, orders)


def _sftp_orders(root: FedRoot, source: Path, orders: str) -> None:
    command = ["sftp", "-q", *root.ssh.options, "-b", "-", "127.0.0.1"]
    root.people.run("anna", *command, stdin=orders.encode(), cwd=source)


def _webdav(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    root.people.run(
        "anna", "curl", "--silent", "--show-error", "--fail", "-T", f"{{{','.join(names)}}}",
        f"{root.webdav.url}/", cwd=source,
    )  # fmt: skip


def _with(script: str) -> Send:
    """A shell script per file: ``$1`` is the name, ``$2`` the inbox; it runs in the source."""

    def send(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
        each = f'inbox=$1; shift; for name; do set -- "$name" "$inbox"; {script}; done'
        root.people.run("anna", "sh", "-ec", each, "-", inbox, *names, cwd=source)

    return send


def _mv_across(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    stick = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        root.people.run("root", "chown", "anna:anna", stick)
        root.people.run("anna", "cp", *names, stick, cwd=source)
        assert stick.stat().st_dev != inbox.stat().st_dev
        root.people.run("anna", "mv", *(stick / name for name in names), inbox)
    finally:
        shutil.rmtree(stick)


def _syncthing(root: FedRoot, source: Path, names: Sequence[str], inbox: Path) -> None:
    hers, _ = root.syncthing
    root.people.run("anna", "cp", *names, hers.folder, cwd=source)


_FIREFOX = ': > "$2/$1"; cat "$1" > "$2/$1.Xy12Zabc.part"; mv "$2/$1.Xy12Zabc.part" "$2/$1"'
_CHROME = 'cat "$1" > "$2/Unconfirmed $$.crdownload"; mv "$2/Unconfirmed $$.crdownload" "$2/$1"'

FEEDERS = (
    Feeder("Samba: copy", "smb", _smb_put),
    Feeder("Samba: copy as .tmp, rename", "smb-rename", _smb_rename),
    Feeder("rsync over ssh", "rsync", _rsync()),
    Feeder("rsync -t --inplace over ssh", "rsync-inplace", _rsync("-t", "--inplace")),
    Feeder("scp", "scp", _scp),
    Feeder("sftp", "sftp", _sftp),
    Feeder("sftp, broken and resumed", "sftp-resumed", _sftp_resumed),
    Feeder("WebDAV (curl)", "webdav", _webdav),
    Feeder("Syncthing", "syncthing", _syncthing),
    Feeder("cp", "cp", _with('cp "$1" "$2/"')),
    Feeder("cp --reflink=auto", "cp-reflink", _with('cp --reflink=auto -p "$1" "$2/"')),
    Feeder("mv from another disk", "mv", _mv_across),
    Feeder("hard link", "ln", _with('ln "$1" "$2/"')),
    Feeder("Firefox's way of saving", "firefox", _with(_FIREFOX)),
    Feeder("Chrome's way of saving", "chrome", _with(_CHROME)),
)

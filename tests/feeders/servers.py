"""Real servers on loopback that let people's files into the folders: smbd, sshd, WebDAV."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from documented import block, moved
from household import Household
from tools.ports import free_port

from waiting import wait_until

PASSWORD = "paint"  # noqa: S105 - of accounts that end with the test

# What belongs to the test alone: ports, and where smbd keeps its own files.
_OWN_FILES = """
[global]
   interfaces = 127.0.0.1
   bind interfaces only = yes
   smb ports = {port}
   disable netbios = yes
   load printers = no
   disable spoolss = yes
   rpc start on demand helpers = no
   passdb backend = tdbsam:{own}/passdb.tdb
   private dir = {own}/private
   state directory = {own}/state
   cache directory = {own}/cache
   lock directory = {own}/lock
   pid directory = {own}/pid
   ncalrpc dir = {own}/ncalrpc
   log file = {own}/log
"""


def _answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens on a port."""

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    wait_until(listens, f"port {port} answers")


@dataclass(frozen=True)
class Samba:
    """An smbd that runs with the smb.conf of the docs."""

    people: Household
    port: int
    conf: Path

    @classmethod
    def start(cls, people: Household, root: Path, name: str = "samba", more: str = "") -> Samba:
        """Start it; anna and ben have passwords. ``more`` are lines at the end of its config."""
        own = people.home / name
        for folder in ("private", "state", "cache", "lock", "pid", "ncalrpc"):
            (own / folder).mkdir(parents=True)
        port, conf = free_port(), own / "smb.conf"
        documented = block("shared-folder.md", "Samba", "ini")
        conf.write_text(
            _OWN_FILES.format(port=port, own=own)
            + moved(documented, {"/srv/img2imgd": root})
            + more
        )
        for user in ("anna", "ben"):
            typed = f"{PASSWORD}\n{PASSWORD}\n".encode()
            people.run("root", "smbpasswd", "-c", conf, "-s", "-a", user, stdin=typed)
        log = own / "smbd.log"
        process = people.start(
            "root", "smbd", "--foreground", "--no-process-group", "-s", conf, log=log
        )
        _answers(port, process, log)
        return cls(people, port, conf)

    def client(self, user: str = "anna", *more: str) -> list[str | Path]:
        """The command line of an smbclient that is logged in."""
        return [
            "smbclient", "//127.0.0.1/pictures", "-s", self.conf, "-p", str(self.port),
            "-U", f"{user}%{PASSWORD}", *more,
        ]  # fmt: skip

    def do(
        self,
        *orders: str,
        user: str = "anna",
        stdin: bytes | None = None,
        check: bool = True,
        cwd: Path | None = None,
    ) -> str:
        """Give orders to an smbclient; what it printed. Refused orders fail."""
        command = [*self.client(user), "-c", "; ".join(orders)]
        done = self.people.run(user, *command, stdin=stdin, check=check, cwd=cwd)
        return (done.stdout + done.stderr).decode(errors="replace")


@dataclass(frozen=True)
class Ssh:
    """An sshd that lets anna in by her key; scp, sftp and rsync go through it."""

    people: Household
    port: int
    options: Sequence[str]

    @classmethod
    def start(cls, people: Household) -> Ssh:
        """Start it, with keys of its own."""
        own = people.home / "sshd"
        own.mkdir()
        key = people.of("anna") / "id"
        people.run("root", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", own / "host")
        people.run("anna", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        key.with_suffix(".pub").rename(people.of("anna") / "authorized_keys")
        port, conf, log = free_port(), own / "sshd_config", own / "log"
        conf.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {own}/host\nPidFile none\n"
            "AuthorizedKeysFile %h/authorized_keys\nPasswordAuthentication no\nUsePAM no\n"
            "StrictModes no\nSubsystem sftp internal-sftp -u 0002\n"
        )
        process = people.start("root", "/usr/sbin/sshd", "-D", "-e", "-f", conf, log=log)
        _answers(port, process, log)
        options = (
            "-F", "none", "-i", str(key), "-o", f"Port={port}", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        )  # fmt: skip
        return cls(people, port, options)


@dataclass(frozen=True)
class WebDav:
    """A WsgiDAV that serves the inbox to whoever comes."""

    url: str

    @classmethod
    def start(cls, people: Household, inbox: Path) -> WebDav:
        """Start it as the daemon's user, as the docs say."""
        port, log = free_port(), people.home / f"webdav-{inbox.name}.log"
        line = block("shared-folder.md", "WebDAV", "sh").splitlines()[0]
        line = moved(line, {"wsgidav": Path(sys.executable).with_name("wsgidav"),
                            "/srv/img2imgd/inbox": inbox, "8080": str(port)})  # fmt: skip
        process = people.start("img2imgd", "sh", "-c", f"exec {line}", log=log, umask="0002")
        _answers(port, process, log)
        return cls(f"http://127.0.0.1:{port}")

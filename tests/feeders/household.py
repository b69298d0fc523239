"""A machine's people: accounts that exist in mount namespaces of the test's own, and nowhere else.

The real ``/etc/passwd`` is left alone. Whatever is started here sees another one, with the daemon's
user, two artists and a stranger, and can reach the interpreter even if it lies in root's home.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DAEMON = "img2imgd"  # the user it runs as
ARTISTS = "artists"
_USERS = {DAEMON: 61000, "anna": 61001, "ben": 61002, "carl": 61003}  # carl is no artist
_ARTISTS_ID = 61010

# /run and /root are others' on the real machine. What is in $1, $2, … stays reachable below /root.
_ENTER = """
set -e
home=$1; count=$2; shift 2
mount --bind "$home/etc/passwd" /etc/passwd
mount --bind "$home/etc/group" /etc/group
mount -t tmpfs -o mode=755 none /run
mkdir -m 755 /run/sshd
if [ "$count" -gt 0 ]; then
  mkdir -p "$home/kept"
  i=0; for path in "$@"; do
    [ $i -lt "$count" ] || break
    mkdir -p "$home/kept/$i"; mount --bind "$path" "$home/kept/$i"; i=$((i + 1))
  done
  mount -t tmpfs -o mode=755 none /root
  i=0; while [ $i -lt "$count" ]; do
    mkdir -p "$1"; mount --bind "$home/kept/$i" "$1"; shift; i=$((i + 1))
  done
fi
exec "$@"
"""


@dataclass
class Household:
    """Accounts, and the programs that were started for them; ``home`` is a folder all may enter."""

    home: Path
    started: list[subprocess.Popen[bytes]] = field(
        default_factory=lambda: list[subprocess.Popen[bytes]]()
    )

    def __post_init__(self) -> None:
        etc = self.home / "etc"
        etc.mkdir(mode=0o755)
        passwd = Path("/etc/passwd").read_text()
        group = Path("/etc/group").read_text()
        for name, number in _USERS.items():
            where = self.home / "people" / name
            where.mkdir(parents=True, mode=0o755)
            os.chown(where, number, number)
            # No password, which is not the same as a locked account: sshd lets keys in.
            passwd += f"{name}:*:{number}:{number}::{where}:/bin/sh\n"
            group += f"{name}:x:{number}:\n"
        group += f"{ARTISTS}:x:{_ARTISTS_ID}:{DAEMON},anna,ben\n"
        (etc / "passwd").write_text(passwd)
        (etc / "group").write_text(group)

    def of(self, user: str) -> Path:
        """Somebody's home folder."""
        return self.home / "people" / user

    def folder(self, path: Path, mode: int = 0o2770) -> Path:
        """A folder of the daemon's user that the artists share."""
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, _USERS[DAEMON], _ARTISTS_ID)
        path.chmod(mode)
        return path

    def give(self, path: Path, user: str) -> Path:
        """Make a file somebody's own, for that one alone to read."""
        os.chown(path, _USERS[user], _USERS[user])
        path.chmod(0o600)
        return path

    def run(
        self,
        user: str,
        *command: str | Path,
        umask: str = "022",
        stdin: bytes | None = None,
        check: bool = True,
        cwd: Path | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as somebody to its end; ``stdin`` is given to it whole."""
        done = subprocess.run(
            self._wrapped(user, command, umask),
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=60,
            cwd=cwd or self.of(user) if user != "root" else cwd or self.home,
            env=self._environment(user, environment),
        )
        if check:
            told = (done.stdout + done.stderr).decode(errors="replace")
            assert done.returncode == 0, f"{shlex.join(map(str, command))}: {told}"
        return done

    def open(self, user: str, *command: str | Path) -> subprocess.Popen[bytes]:
        """Start a command as somebody that is to be told more and more on its standard input."""
        process = subprocess.Popen(
            self._wrapped(user, command, "022"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(user, {}),
        )
        self.started.append(process)
        return process

    def start(
        self,
        user: str,
        *command: str | Path,
        log: Path,
        umask: str = "022",
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a program as somebody, with a process group of its own; it is ended at the end."""
        with log.open("ab") as told:
            process = subprocess.Popen(
                self._wrapped(user, command, umask),
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
                cwd=self.home,
                env=self._environment(user, environment),
            )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what was started, the last first."""
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it may have left

    def _wrapped(self, user: str, command: tuple[str | Path, ...], umask: str) -> list[str]:
        kept = _hidden_from_others()
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        become = [] if user == "root" else as_user
        masked = ["sh", "-c", f'umask {umask}; exec "$@"', "-", *become, *map(str, command)]
        enter = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _ENTER, "-"]
        return [*enter, str(self.home), str(len(kept)), *map(str, kept), *masked]

    def _environment(self, user: str, more: dict[str, str]) -> dict[str, str]:
        home = self.home if user == "root" else self.of(user)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "USER": user,
            "LOGNAME": user,
            "PYTHONPATH": str(REPOSITORY / "daemon"),
            **more,
        }


def _hidden_from_others() -> list[Path]:
    """What of the interpreter and this repository lies in root's home, closed to others."""
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), REPOSITORY}
    return sorted(path for path in needed if Path("/root") in path.parents)


@contextmanager
def household() -> Iterator[Household]:
    """A household in a folder that all its people can enter, unlike pytest's own."""
    home = Path(tempfile.mkdtemp(prefix="img2imgd-feeders-"))
    home.chmod(0o755)
    people = Household(home)
    try:
        yield people
    finally:
        people.close()
        shutil.rmtree(home)

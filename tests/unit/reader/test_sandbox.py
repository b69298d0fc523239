"""The reader's sandbox, for real: a process that entered it tries what a picture might want."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Each tries one thing; a deed that is done is told as true.
PROBES = """
import ctypes, json, os, socket, subprocess, sys, threading
from pathlib import Path
from img2imgd.reader import sandbox

home, secret, mine = Path(sys.argv[1]), Path(sys.argv[2]), open(sys.argv[3], "r+b")
libc = ctypes.CDLL(None, use_errno=True)

def thread():
    done = []
    one = threading.Thread(target=done.append, args=(1,))
    one.start()
    one.join()
    return done

def child():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)

def program():
    return os.posix_spawn("/bin/true", ["true"], {})

def traced():
    assert libc.ptrace(16, os.getppid(), 0, 0) == 0  # PTRACE_ATTACH
    libc.ptrace(17, os.getppid(), 0, 0)
    return True

PROBES = {
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "tcp": lambda: socket.create_server(("127.0.0.1", 0)),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "pair": socket.socketpair,
    "child": child,
    "program": program,
    "becoming another program": lambda: os.execv("/absent", ["absent"]),
    "reading": secret.read_bytes,
    "listing": lambda: os.listdir("/"),
    "environment of others": Path(f"/proc/{os.getppid()}/environ").read_bytes,
    "writing": lambda: (home / "new").write_bytes(b"x"),
    "changing": lambda: secret.open("ab"),
    "deleting": lambda: (home / "victim").unlink(),
    "linking": lambda: (home / "link").symlink_to(secret),
    "signalling": lambda: os.kill(os.getppid(), 0),
    "a thread": thread,
    "a library": lambda: "x".encode("iso2022_jp"),
    "reading what is open": lambda: os.pread(mine.fileno(), 1, 0),
    "writing what is open": lambda: os.pwrite(mine.fileno(), b"x", 0),
}

def tried(deed):
    try:
        deed()
    except FileNotFoundError:
        return True  # the program was looked for
    except (OSError, AssertionError):
        return False
    return True

missing = sandbox.enter() if sys.argv[4] == "inside" else []
print(json.dumps([missing, {name: tried(deed) for name, deed in PROBES.items()}]))
"""

ALLOWED = {"a thread", "a library", "reading what is open", "writing what is open"}


def tries(tmp_path: Path, where: str, *, before: str = "") -> tuple[list[str], dict[str, bool]]:
    """What the kernel lacks, and which of the deeds were done."""
    for name in ("secret", "mine", "victim"):
        (tmp_path / name).write_text(name)
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{before}\n{PROBES}",
         tmp_path, tmp_path / "secret", tmp_path / "mine", where],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    missing, deeds = json.loads(done.stdout)
    return missing, deeds


def test_nothing_is_left_but_what_reading_pictures_needs(tmp_path: Path) -> None:
    missing, deeds = tries(tmp_path, "inside")
    if missing:
        pytest.skip(f"this kernel has no {missing}")
    assert {deed for deed, done in deeds.items() if done} == ALLOWED
    assert sorted(os.listdir(tmp_path)) == ["mine", "secret", "victim"]


def test_outside_all_of_it_can_be_done(tmp_path: Path) -> None:
    _, deeds = tries(tmp_path, "outside")
    assert all(deeds.values()), deeds


@pytest.mark.parametrize(
    ("older", "lacks", "still_refused"),
    [
        ("sandbox._CREATE_RULESET = 9999", "Landlock", "udp"),  # no such call: ENOSYS
        ("sandbox._ARCHITECTURES = {}", "seccomp", "reading"),
    ],
)
def test_what_the_kernel_lacks_is_told_and_the_rest_holds(
    tmp_path: Path, older: str, lacks: str, still_refused: str
) -> None:
    missing, deeds = tries(
        tmp_path, "inside", before=f"from img2imgd.reader import sandbox; {older}"
    )
    assert lacks in missing
    if missing == [lacks]:
        assert not deeds[still_refused]
    assert deeds["a library"]

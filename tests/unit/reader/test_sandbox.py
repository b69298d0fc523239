"""The reader's sandbox, for real: a process that entered it tries what a picture might want."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from img2imgd.reader import sandbox

# Each tries one thing; a deed that is done is told as true.
PROBES = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, threading
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

def shared_memory():
    segment = libc.shmget(0, 4096, 0o600)
    assert segment >= 0
    libc.shmctl(segment, 0, None)  # removed

def messages():
    queue = libc.msgget(0, 0o600)
    assert queue >= 0
    libc.msgctl(queue, 0, None)

def thread_of_others():
    number = sandbox._TGKILL[os.uname().machine == "aarch64"]
    assert libc.syscall(number, os.getppid(), os.getppid(), 0) == 0

other = os.getppid()

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
    "modes": lambda: (home / "victim").chmod(0o600),
    "owners": lambda: os.chown(home / "victim", -1, -1),
    "times": lambda: os.utime(home / "victim"),
    "sizes": lambda: os.truncate(home / "victim", 1),
    "signalling": lambda: os.kill(other, 0),
    "signalling a thread": thread_of_others,
    "limits of others": lambda: resource.prlimit(other, resource.RLIMIT_CPU),
    "cores of others": lambda: os.sched_setaffinity(other, os.sched_getaffinity(other)),
    "priority of others": lambda: os.setpriority(0, other, os.getpriority(0, other)),
    "shared memory": shared_memory,
    "messages": messages,
    "a signal to itself": lambda: signal.raise_signal(0),
    "limits of its own": lambda: resource.setrlimit(7, resource.getrlimit(7)),
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

ALLOWED = {
    "a thread", "a library", "reading what is open", "writing what is open",
    "a signal to itself", "limits of its own",
}  # fmt: skip
# With arguments that no call takes: outside they fail otherwise.
CALLS = """
import ctypes, errno
from img2imgd.reader import sandbox

libc = ctypes.CDLL(None, use_errno=True)
column, _ = sandbox._ARCHITECTURES[sandbox.platform.machine()]
sandbox._prctl(sandbox._PR_SET_NO_NEW_PRIVS, 1, 0)
sandbox._take_calls()
for name, row in sandbox._REFUSED.items():
    if row[column] is not None and "fork" not in name:
        answer = libc.syscall(row[column], *[ctypes.c_long(-1)] * 6)
        if (answer, ctypes.get_errno()) != (-1, errno.EPERM):
            print(name)
print("all tried")
"""
HEADERS = [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
           Path("/usr/include/asm-generic/unistd.h")]  # fmt: skip


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


def test_every_call_that_is_refused_fails() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CALLS], capture_output=True, text=True, check=True
    )
    assert done.stdout == "all tried\n"


@pytest.mark.parametrize(("column", "header"), [*enumerate(HEADERS)], ids=["x86_64", "aarch64"])
def test_the_numbers_are_those_of_the_kernels_headers(column: int, header: Path) -> None:
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    defined = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text(), re.MULTILINE)
    known = {name: int(number) for name, number in defined}
    rows = sandbox._REFUSED | {
        "clone": sandbox._CLONE, "clone3": sandbox._CLONE3,
        "prlimit64": sandbox._PRLIMIT, "tgkill": sandbox._TGKILL,
    }  # fmt: skip
    ours = {name: row[column] for name, row in rows.items() if row[column] is not None}
    newer = {"fchmodat2", "setxattrat", "removexattrat", "file_setattr"}
    assert ours.keys() - known.keys() <= newer
    assert ours == {name: known.get(name, number) for name, number in ours.items()}
    assert [name for name, row in rows.items() if row[column] is None and name in known] == []


@pytest.mark.parametrize(
    ("older", "lacks", "still_refused"),
    [
        ("sandbox._CREATE_RULESET = 9999", "Landlock", "udp"),  # no such call: ENOSYS
        # What systemd's filter answers for calls that it does not let through: EPERM.
        (
            "sandbox._REFUSED['landlock_create_ruleset'] = (444, 444);"
            "sandbox._prctl(38, 1, 0); sandbox._take_calls()",
            "Landlock",
            "udp",
        ),
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

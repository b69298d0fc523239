"""What a process in the service's sandbox tries to do; prints as JSON what it was told.

It is the unit's ExecStartPost, so it has the sandbox of the daemon and everything that it starts.
It waits until a job is being painted, tries everything, and says whether the job is still painted.
Arguments: the daemon's pid, a process of another user, the address and port of a server outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATE = Path("/var/lib/img2imgd")
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NUMBERS = {  # x86_64, aarch64
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "init_module": (175, 105),
    "finit_module": (313, 273), "bpf": (321, 280), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "clock_settime": (227, 112), "sethostname": (170, 161),
    "reboot": (169, 142), "swapon": (167, 224), "io_uring_setup": (425, 425),
    "mknodat": (259, 33), "kexec_load": (246, 104),
}  # fmt: skip
PTRACE_SEIZE = 0x4206
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


class Succeeded(Exception):
    """The attempt did what it must not."""


def call(name: str, *arguments: object) -> None:
    """A system call by its number."""
    number = NUMBERS[name][os.uname().machine == "aarch64"]
    checked(libc.syscall(ctypes.c_long(number), *arguments))


def checked(result: int) -> None:
    """Raise the C library's error, if a call failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write_to(folder: str) -> None:
    """Make a file, and take it away again."""
    path = Path(folder, ".probe")
    path.write_text("was here")
    path.unlink()


def read(path: str) -> None:
    """Read what is somebody else's."""
    Path(path).read_bytes()


def connect(host: str, port: int) -> None:
    """Reach a server."""
    socket.create_connection((host, port), 3).close()


def run_dropped() -> None:
    """Run a program that came in as a drop."""
    subprocess.run([str(STATE / "inbox" / ".program.sh")], check=True)


def gain_by_setuid() -> str:
    """Run a copy of id that belongs to root and has the setuid bit."""
    told = subprocess.run(["/usr/local/bin/setuid-id", "-u"], capture_output=True, text=True)
    if told.stdout.strip() != str(os.getuid()):
        raise Succeeded
    return "nothing: it runs as the same user"


def make_setuid() -> None:
    """Leave a program that runs as this user for whoever starts it."""
    path = STATE / "outbox" / ".setuid"
    path.touch()
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def ask_systemd() -> str:
    """Ask the manager to stop something."""
    told = subprocess.run(
        ["systemctl", "--no-ask-password", "stop", "systemd-journald.service"],
        capture_output=True, text=True,
    )  # fmt: skip
    if told.returncode == 0:
        raise Succeeded
    return told.stderr.strip().splitlines()[0].partition(": ")[2] or told.stderr.strip()


def see_others(pid: int) -> None:
    """Look at a process of somebody else."""
    Path(f"/proc/{pid}/cmdline").read_bytes()


def write_executable_memory() -> None:
    """Not refused, and not in the list: oneDNN needs it."""


def attempts(daemon: int, other: int, host: str, port: int) -> dict[str, Callable[[], object]]:
    """What is tried, in the words of the docs."""
    nothing = ctypes.c_void_p()
    return {
        "write to /etc": lambda: write_to("/etc"),
        "write to the program's own folder": lambda: write_to("/opt/img2imgd"),
        "write to /usr": lambda: write_to("/usr/local/bin"),
        "change its own config": lambda: Path("/etc/img2imgd/config.yaml").open("a"),
        "write to the control groups": lambda: Path("/sys/fs/cgroup/cgroup.procs").write_text("1"),
        "change a setting of the kernel": lambda: Path("/proc/sys/vm/swappiness").write_text("1"),
        "read a file in somebody's home": lambda: read("/home/anna/secret"),
        "list /home": lambda: None if os.listdir("/home") else read("/home/secret"),
        "read root's home": lambda: read("/root/secret"),
        "open an internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "open a raw packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "connect to a server of this machine": lambda: connect(host, port),
        "look up a name and connect": lambda: connect("localhost", port),
        "open sockets by io_uring": lambda: call(
            "io_uring_setup", 1, ctypes.create_string_buffer(120)
        ),
        "ptrace the daemon": lambda: call("ptrace", PTRACE_SEIZE, daemon, nothing, nothing),
        "read the daemon's memory": lambda: call(
            "process_vm_readv", daemon, nothing, 0, nothing, 0, 0
        ),
        "see another user's process": lambda: see_others(other),
        "signal another user's process": lambda: os.kill(other, 0),
        "load a kernel module": lambda: call("init_module", b"", 0, b""),
        "load a kernel module from a file": lambda: call("finit_module", 0, b"", 0),
        "load a BPF program": lambda: call("bpf", 5, nothing, 0),
        "replace the kernel": lambda: call("kexec_load", 0, 0, nothing, 0),
        "mount a filesystem": lambda: checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
        "make a user namespace": lambda: checked(libc.unshare(CLONE_NEWUSER)),
        "make a network namespace": lambda: checked(libc.unshare(CLONE_NEWNET)),
        "change the root folder": lambda: os.chroot("/opt"),
        "become root": lambda: os.setuid(0),
        "gain root by a setuid program": gain_by_setuid,
        "make a file setuid": make_setuid,
        "give a file away": lambda: os.chown(STATE / "outbox", 65534, 65534),
        "run a program that was dropped": run_dropped,
        "set the clock": lambda: call("clock_settime", 0, ctypes.create_string_buffer(16)),
        "rename the machine": lambda: call("sethostname", b"probe", 5),
        "reboot the machine": lambda: call("reboot", 0, 0, 0, nothing),
        "swap to a file": lambda: call("swapon", b"/tmp/none", 0),
        "open /dev/mem": lambda: read("/dev/mem"),
        "read the kernel's log": lambda: os.open("/dev/kmsg", os.O_RDONLY),
        "open a disk": lambda: open_a_disk(),
        "make a device": lambda: call("mknodat", -100, b"/tmp/disk", 0o60666, os.makedev(8, 0)),
        "real-time priority": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
        "come before others": lambda: os.nice(-10),
        "ask systemd to stop a service": ask_systemd,
    }


def open_a_disk() -> None:
    """Any block device that the kernel knows."""
    [disk, *_] = os.listdir("/sys/block")
    os.open(f"/dev/{disk}", os.O_RDONLY)


def told(attempt: Callable[[], object]) -> str:
    """How an attempt was refused; ``DONE`` if it was not."""
    try:
        said = attempt()
    except OSError as error:
        return error.strerror or str(error)
    except Succeeded:
        return "DONE"
    return said if isinstance(said, str) else "DONE"


def writable() -> list[str]:
    """Every folder in which a file could be made, of all down to the fourth level."""
    found: list[str] = []
    for top, folders, _ in os.walk("/"):
        if top.startswith(("/proc/", "/sys/", "/opt/packages/")) or top.count("/") > 3:
            folders.clear()
        with contextlib.suppress(OSError):
            write_to(top)
            found.append(top)
            folders.clear()
    return found


def staged() -> int:
    """How many frames are painted and wait for the others of their job."""
    return len(list((STATE / "outbox" / ".img2imgd").rglob("[!.]*.png")))


def main(daemon: int, other: int, host: str, port: int) -> None:
    """Try everything while a job is painted."""
    deadline = time.monotonic() + 120
    while not staged() and time.monotonic() < deadline:
        time.sleep(0.02)
    before = staged()
    answers = {what: told(attempt) for what, attempt in attempts(daemon, other, host, port).items()}
    after = staged()
    filters = Path("/proc/self/status").read_text()
    result = {
        "attempts": answers, "writable": writable(), "status": filters, "staged": [before, after],
    }  # fmt: skip
    (STATE / "state" / "probe.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

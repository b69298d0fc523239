"""A real systemd as the first process of a machine of its own, made of namespaces over this root.

What is written there goes to a tmpfs. When its first process dies, and it dies with the one that
booted it, all its processes and mounts go too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
_BOOT = Path(__file__).with_name("boot.sh")
_NEEDED = ("unshare", "nsenter", "setpriv", "systemctl", "journalctl", "dbus-daemon")
_CGROUP = "img2imgd-tests-"
_BOOT_SECONDS = 60.0
_TOOLS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def what_is_missing() -> str:
    """Why no machine can be booted here, in words; empty if one can."""
    if os.geteuid() != 0:
        return "it needs root (namespaces, mounts)"
    absent = [tool for tool in _NEEDED if shutil.which(tool) is None]
    if absent or not Path("/lib/systemd/systemd").exists():
        return f"install systemd, dbus and util-linux: {', '.join(absent) or 'systemd'} not found"
    trial = [*_NAMESPACES, "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt"]
    tried = subprocess.run(trial, capture_output=True, text=True)
    if tried.returncode:
        return f"this system permits no new namespaces or mounts: {tried.stderr.strip()}"
    return ""


_NAMESPACES = (
    "unshare", "--fork", "--kill-child=KILL", "--pid", "--mount", "--uts", "--ipc", "--net",
)  # fmt: skip


class Machine:
    """One that has booted. Commands run in it as root, with no terminal."""

    def __init__(self, first: int) -> None:
        self.first = first  # the pid of its systemd, seen from outside
        self.root = Path(f"/proc/{first}/root")  # its files, seen from outside

    def run(
        self, *command: str, check: bool = True, seconds: float = 60.0, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; fails with what it said if it fails, unless ``check`` is off."""
        ran = subprocess.run(
            self._entering(command), capture_output=True, text=True, timeout=seconds, input=text
        )
        assert not check or ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
        return ran

    def shell(self, script: str, *, user: str = "root", check: bool = True) -> str:
        """What a shell script prints; it runs in /, as ``user``."""
        enter = ["runuser", "-u", user, "--"] if user != "root" else []
        return self.run(*enter, "sh", "-euc", script, check=check).stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A command that goes on beside; it ends with this process at the latest."""
        return subprocess.Popen(
            self._entering(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _entering(self, command: tuple[str, ...]) -> list[str]:
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", "--target", str(self.first), "--all"]
        clean = ["env", "-i", f"PATH={_TOOLS}", "LANG=C.UTF-8"]
        return [*enter, "--root", "--wd", "--", *clean, *command]


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine, gone without a trace at the end: processes, mounts, control groups."""
    (folder / "root").mkdir()
    name = f"{_CGROUP}{os.getpid()}"
    with (folder / "console").open("wb") as console:
        process = subprocess.Popen(
            # Ctrl-C is for us: we take the machine down ourselves. A kill of us takes it along.
            ["setpriv", "--pdeathsig", "KILL", *_NAMESPACES, "sh", str(_BOOT), str(folder / "root"),
             name, sys.base_prefix, sysconfig.get_path("purelib"), str(REPOSITORY)],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
        )  # fmt: skip
    try:
        yield _running(process, folder)
    finally:
        first = _children(process.pid)
        process.kill()  # SIGTERM it would ignore; its child goes with it, and all others with that
        process.wait()
        wait_until(lambda: not any(map(_is_there, first)), "the machine is gone")
        _remove_control_groups()


def _running(process: subprocess.Popen[bytes], folder: Path) -> Machine:
    """The machine, once systemd says that it is up."""

    def is_up() -> bool:
        said = (folder / "console").read_text(errors="replace")
        assert process.poll() is None, f"the machine did not boot: {said}"
        children = _children(process.pid)
        if not children or Path(f"/proc/{children[0]}/comm").read_text() != "systemd\n":
            return False
        machine = Machine(children[0])
        state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    wait_until(is_up, "systemd is up in its namespaces", _BOOT_SECONDS)
    return Machine(_children(process.pid)[0])


def _children(pid: int) -> list[int]:
    """The processes that a process has started; none if it is gone."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _remove_control_groups() -> None:
    """Those of machines that are gone, ours too; one that lives keeps its own."""
    script = f"""
mount --make-rprivate /
mount -t cgroup2 cgroup2 /mnt
own=/mnt$(sed -n 's/^0:://p' /proc/self/cgroup)
find "$own" -depth -type d -path '*/{_CGROUP}*' -exec rmdir {{}} + 2>/dev/null || true
"""
    subprocess.run(["unshare", "--mount", "sh", "-c", script], check=False)

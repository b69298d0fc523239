"""The machine: watches, clock, the reader's sandbox, and whether the user can read the program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import img2imgd
from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.doctor.probing import folders_below, watch_all
from img2imgd.reader import sandbox

_SYSCTL = Path("/proc/sys/fs/inotify")
_USER = Path("/proc/sys/user")
_MOST_FOLDERS = 500_000  # looked at: no kernel gives a user more watches by default
_FEW_EVENTS = 4096
_RELEASED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # no clock is right that is before this
EXTRAS = {"PDF": "pypdfium2", "HEIC": "pillow_heif"}  # by the package that reads them
_SECONDS = 5.0  # for systemd's commands


def check_program(user: User) -> Iterator[Finding]:
    """Whether the user can read and run img2imgd itself."""
    file, python = str(img2imgd.__file__), sys.executable
    try:
        able = as_user(user, lambda: os.access(file, os.R_OK) and os.access(python, os.X_OK))
    except (OSError, NoAnswer):
        able = False
    if able:
        yield fine("program", f"img2imgd {img2imgd.__version__}, {python}, run by {user.name}")
    else:
        yield wrong(
            "program",
            f"{user.name} cannot read the program: {Path(file).parent}, run by {python}.",
            "Install it where everybody can read it, in /opt/img2imgd say, and not in a home.",
        )


def check_watches(config: Config, user: User) -> Iterator[Finding]:
    """inotify's limits, tried: as many watches as the inboxes have folders."""
    folders: list[str] = []
    for inbox in config.inboxes:
        if inbox.path.is_dir() and filesystems.kind_of(inbox.path).local:
            folders += folders_below(inbox.path, inbox.recursive, _MOST_FOLDERS)
    try:
        count, limit = as_user(user, lambda: watch_all(folders), seconds=20.0)
    except (OSError, NoAnswer):
        yield warning("watches", "inotify could not be tried.")
        return
    if limit:
        needed = _rounded_up(2 * len(folders)) if limit == "max_user_watches" else 1024
        yield warning(
            "watches",
            f"Only {count:,} of the inboxes' {counted(len(folders), 'folder')} can be watched "
            f"(fs.inotify.{limit} is {_limit(limit)}, other programs share it): they are polled.",
            f"echo fs.inotify.{limit}={needed} | sudo tee /etc/sysctl.d/60-img2imgd.conf && "
            "sudo sysctl --system",
        )
        return
    events = _limit("max_queued_events")
    if events != "unknown" and int(events.replace(",", "")) < _FEW_EVENTS:
        yield warning(
            "watches",
            f"fs.inotify.max_queued_events is {events}: many files at once are found by the next "
            "scan only.",
            "echo fs.inotify.max_queued_events=16384 | sudo tee /etc/sysctl.d/60-img2imgd.conf && "
            "sudo sysctl --system",
        )
        return
    yield fine(
        "watches",
        f"the inboxes have {counted(len(folders), 'folder')}; inotify gives "
        f"{_limit('max_user_watches')} watches and {_limit('max_user_instances')} programs a user, "
        f"and keeps {events} events",
    )


def check_sandbox(user: User) -> Iterator[Finding]:
    """Whether this kernel lets the reader give up files, network and programs."""
    try:
        missing = as_user(user, sandbox.enter)
    except (OSError, NoAnswer):
        missing = ["Landlock", "seccomp"]
    if missing:
        yield warning(
            "sandbox",
            f"Pictures are read with less of a sandbox: the kernel lacks {' and '.join(missing)}.",
            "Linux 5.13 or newer, with landlock among `lsm=` (cat /sys/kernel/security/lsm).",
        )
    else:
        yield fine("sandbox", "pictures are read without files, network or programs")


def check_pictures() -> Iterator[Finding]:
    """Which kinds of pictures are read that need a package of their own."""
    missing = [kind for kind, package in EXTRAS.items() if find_spec(package) is None]
    if not missing:
        yield fine("pictures", f"{' and '.join(EXTRAS)} files are read too")
        return
    packages = " ".join(EXTRAS[kind].replace("_", "-") for kind in missing)
    yield fine(
        "pictures",
        f"{' and '.join(missing)} files are not read ({sys.executable} -m pip install {packages})",
    )


def check_clock(newest: float | None, now: float | None = None) -> Iterator[Finding]:
    """The clock against what cannot be; ``newest`` is the latest time in the ledger."""
    now = time.time() if now is None else now
    mend = "sudo timedatectl set-ntp true, or set it: sudo date -s …"
    here = f"{datetime.fromtimestamp(now).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if now < _RELEASED:
        yield wrong("clock", f"It says {here}, which is before this version was made.", mend)
    elif newest is not None and newest > now + 300:
        then = f"{datetime.fromtimestamp(newest).astimezone():%Y-%m-%d %H:%M}"
        yield warning("clock", f"It says {here}; the ledger has a job of {then}.", mend)
    elif _synchronised() is False:
        yield warning("clock", f"{here}, not synchronised with any server.", mend)
    else:
        yield fine("clock", here + (", synchronised" if _synchronised() else ""))


def _synchronised() -> bool | None:
    """What systemd knows of it; None where there is none."""
    told = systemd_says("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    return None if told not in ("yes", "no") else told == "yes"


def systemd_says(*command: str) -> str | None:
    """What one of systemd's commands answers; None where it is not there or not in charge."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _limit(name: str) -> str:
    """What the kernel allows; in a container, whatever it allows that one's users."""
    of_container = _USER / name.replace("max_user_", "max_inotify_")
    found: list[int] = []
    for file in (_SYSCTL / name, of_container):
        with suppress(OSError, ValueError):
            found.append(int(file.read_text("ascii")))
    return f"{min(found):,}" if found else "unknown"


def _rounded_up(count: int) -> int:
    """To a power of two, of at least 65,536."""
    return max(65_536, 1 << (count - 1).bit_length())


def counted(number: int, one: str) -> str:
    """``1 folder``, ``2,000 folders``."""
    return f"{number:,} {one}" + ("" if number == 1 else "s")

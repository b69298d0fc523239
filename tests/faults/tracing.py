"""Whether processes can be traced here: that needs strace, and the right to attach it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from waiting import wait_until


def _can_attach() -> bool:
    """Try it on a process that is no child of the tracer, as the tests do."""
    if not shutil.which("strace"):
        return False
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as traced:
        attach = ["strace", "-qq", "-o", os.devnull, "-p", str(traced.pid)]
        with subprocess.Popen(attach, stderr=subprocess.DEVNULL) as tracer:
            status = Path(f"/proc/{traced.pid}/status")
            wait_until(
                lambda: tracer.poll() is not None or "TracerPid:\t0" not in status.read_text(),
                "strace has attached itself, or has given up",
            )
            can = tracer.poll() is None
            traced.communicate()
    return can


needs_strace = pytest.mark.skipif(not _can_attach(), reason="strace cannot be attached here")

"""The machine of these tests leaves nothing behind, however its test ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from machine import Machine

from waiting import wait_until

_BOOT = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from machine import booted
with booted(Path({folder!r})) as machine:
    print(machine.first, flush=True)
    machine.run("sleep", "1000", seconds=1000)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_machine_goes_with_the_one_that_booted_it(
    machine: Machine, tmp_path: Path, number: signal.Signals
) -> None:
    """``machine`` is another one: it skips this test where there can be none, and lives on."""
    script = _BOOT.format(path=sys.path, folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        first = int(process.stdout.readline())
        assert "systemd" in Path(f"/proc/{first}/comm").read_text()
        process.send_signal(number)
        process.wait(30)
    wait_until(lambda: not Path(f"/proc/{first}").exists(), "its systemd is gone")
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert list(tmp_path.glob("root/*")) == []
    left = subprocess.run(["pgrep", "--full", "^sleep 1000$"], capture_output=True, text=True)
    assert left.stdout == ""
    assert machine.run("systemctl", "is-system-running", check=False).stdout.strip() == "running"

"""Commands on a root that belongs to another user, and what they say where nothing runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_drops import drop
from served_root import ServedRoot

from img2imgd.ledger import open_ledger

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
STRANGER = 54321

_AS = """
import contextlib, grp, io, os, sys
from img2imgd.cli.main import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    run([*sys.argv[2:-1], "/nowhere"])  # imports all it needs: Python may lie in a closed home
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
sys.exit(run(sys.argv[2:]))
"""


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A root with a ledger that belongs to nobody, in a folder that all may enter."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "state").mkdir()
        open_ledger(root / "state" / "ledger.sqlite").close()
        nobody = pwd.getpwnam("nobody")
        for path in (root, *root.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        yield root


def as_stranger(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _AS, str(STRANGER), *words],
        capture_output=True, text=True, check=False, timeout=60, cwd="/",
        env={**os.environ, "HOME": "/nonexistent"},
    )  # fmt: skip


@needs_root
@pytest.mark.parametrize("command", ["status", "retry", "pause"])
def test_a_state_folder_that_may_not_be_entered_says_whom_to_be(
    foreign: Path, command: str
) -> None:
    (foreign / "state").chmod(0o700)
    words = [command, "A1"] if command == "retry" else [command]
    result = as_stranger(*words, "--root", str(foreign))
    assert result.returncode == 5
    assert result.stderr == (
        f"img2imgd: The ledger {foreign}/state/ledger.sqlite cannot be read: "
        f"you are {STRANGER}, and it belongs to nobody.\n"
        "Run it as that user: sudo -u nobody img2imgd …\n"
    )


@needs_root
def test_a_ledger_that_may_be_read_alone_is_reported_and_not_written(foreign: Path) -> None:
    serving = open_ledger(foreign / "state" / "ledger.sqlite")  # whose index readers share
    serving.set_facts(pid="")
    told = as_stranger("status", "--root", str(foreign))
    result = as_stranger("pause", "--root", str(foreign))
    serving.close()
    assert (told.returncode, told.stderr) == (0, "")
    assert "cannot be written" in result.stderr
    assert result.returncode == 5
    assert f"you are {STRANGER}, and it belongs to nobody." in result.stderr
    assert "sudo -u nobody img2imgd" in result.stderr


@needs_root
def test_a_root_that_may_not_be_entered_says_whom_to_be(foreign: Path) -> None:
    foreign.chmod(0o700)
    for given in (["--root", str(foreign)], ["-c", f"{foreign}/config.yaml"]):
        result = as_stranger("status", *given)
        assert result.returncode == 5, result.stderr
        assert "it belongs to nobody" in result.stderr


@needs_root
def test_doctor_of_a_root_that_may_not_be_entered_says_whom_to_be(foreign: Path) -> None:
    foreign.chmod(0o700)
    result = as_stranger("doctor", "--root", str(foreign))
    assert "Traceback" not in result.stderr
    assert "chown" not in result.stdout
    assert "sudo -u nobody img2imgd" in result.stdout + result.stderr
    assert result.returncode == 5


def test_where_nothing_has_run_it_is_said_how_to_start(root: ServedRoot) -> None:
    told = root.command("status", "-c", root.config).stdout
    assert f"img2imgd run -c {root.config}" in told
    assert "--root" in told
    refused = root.command("retry", "A1", "-c", root.config)
    assert f"Start it: img2imgd run -c {root.config}" in refused.stderr


def test_a_file_in_the_inbox_is_no_job_yet(root: ServedRoot) -> None:
    shutil.rmtree(root.inbox / ".img2imgd", ignore_errors=True)
    drop(root.inbox, "done.png", "prompt: a lake\n")
    assert root.once().returncode == 0
    drop(root.inbox, "waits.png", "prompt: a lake\n")
    result = root.command("cancel", "waits.png", "-c", root.config)
    assert result.returncode == 2
    assert "waits.png is not claimed yet" in result.stderr
    assert str(root.inbox / "waits.png") in result.stderr


def test_check_refuses_an_open_address_as_run_does(root: ServedRoot) -> None:
    with root.config.open("a") as file:
        file.write("status:\n  listen: 0.0.0.0:8765\n")
    result = root.command("check", root.config)
    assert result.returncode == 2
    assert "status.listen: " in result.stdout
    assert "can be reached from other machines" in result.stdout
    number = root.config.read_text().splitlines().index("  listen: 0.0.0.0:8765") + 1
    assert f"line {number}" in result.stdout
    token = root.config.with_name("token")
    with root.config.open("a") as file:
        file.write(f"  token_file: {token}\n")
    assert "status.token_file: " in root.command("check", root.config).stdout
    token.write_text("0123456789abcdef\n")
    assert root.command("check", root.config).returncode == 0

"""The unit file as systemd itself reads it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "img2imgd.service"
PROGRAM = Path(sys.executable).with_name("img2imgd")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with the program where the tests have it: verify looks whether it is there."""
    assert shutil.which("systemd-analyze"), "install systemd: the unit cannot be checked without"
    text = UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/img2imgd", str(PROGRAM))
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")
    return copy


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    result = analyze("verify", "--man=no", str(unit))
    assert (result.returncode, result.stderr) == (0, "")


def test_a_misspelt_directive_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyze("verify", "--man=no", str(unit)).stderr


def test_the_sandbox_leaves_little_exposed(unit: Path) -> None:
    result = analyze("security", "--offline=true", "--no-pager", str(unit))
    exposure = re.search(r"Overall exposure level for .*: (\d+\.\d+)", result.stdout)
    assert exposure is not None, result.stdout
    assert float(exposure[1]) <= 2.5


def test_the_reader_may_enter_its_sandbox() -> None:
    """What a filter does not name fails, and pictures would be read with less of a sandbox."""
    allowed = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    group = analyze("syscall-filter", "--no-pager", "@system-service").stdout
    known = {*" ".join(allowed).split(), *group.split()}
    calls = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    assert calls <= known
    assert "prctl" in analyze("syscall-filter", "--no-pager", "@process", "@default").stdout


def test_a_call_that_the_filter_does_not_let_through_fails_and_ends_nobody() -> None:
    assert setting("SystemCallErrorNumber") == "EPERM"


def test_a_stop_is_told_to_the_daemon_alone() -> None:
    """SIGTERM to the worker as well would end it amid a step that it may have finished."""
    assert setting("KillMode") == "mixed"


def test_nothing_hides_the_devices_of_a_gpu() -> None:
    for name in ("PrivateDevices", "ProtectClock", "DevicePolicy", "DeviceAllow"):
        assert setting(name) is None, name


def setting(name: str) -> str | None:
    found = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return found[-1] if found else None

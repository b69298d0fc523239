"""The units and drop-ins as systemd itself reads them, without a machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from machine import REPOSITORY

from img2imgd.config import load_config

FOLDER = REPOSITORY / "systemd"
UNITS = ("img2imgd.service", "img2imgd.socket", "img2imgd-fetch@.service")
DROP_INS = ("gpu.conf", "inbox-elsewhere.conf", "network.conf")
PROGRAM = Path(sys.executable).with_name("img2imgd")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with the program where the tests have it: verify looks whether it is there."""
    assert shutil.which("systemd-analyze"), "install systemd: the units cannot be checked without"
    for name in UNITS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/img2imgd/bin/img2imgd", str(PROGRAM)))
    (tmp_path / "img2imgd-fetch@sd21.service").symlink_to("img2imgd-fetch@.service")
    return tmp_path


def analyze(units: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{units}:"},
    )  # fmt: skip


def add(units: Path, drop_in: str) -> None:
    folder = units / "img2imgd.service.d"
    folder.mkdir(exist_ok=True)
    shutil.copy(FOLDER / drop_in, folder)


def exposure(units: Path, name: str) -> float:
    """What ``systemd-analyze security`` gives a unit, 0 (safe) to 10; its findings are printed."""
    result = analyze(units, "security", "--offline=true", "--no-pager", str(units / name))
    found = re.search(r"Overall exposure level for .*: (\d+\.\d+)", result.stdout)
    assert found is not None, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    print("\n".join(line for line in lines if line.startswith(("✗", "→"))))
    return float(found[1])


@pytest.mark.parametrize("drop_in", [None, *DROP_INS])
def test_systemd_finds_nothing_wrong_with_the_units(units: Path, drop_in: str | None) -> None:
    if drop_in:
        add(units, drop_in)
    names = ("img2imgd.service", "img2imgd.socket", "img2imgd-fetch@sd21.service")
    result = analyze(units, "verify", "--man=no", *(str(units / name) for name in names))
    assert (result.returncode, result.stderr) == (0, "")


def test_a_misspelt_directive_would_be_found(units: Path) -> None:
    unit = units / "img2imgd.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyze(units, "verify", "--man=no", str(unit)).stderr


def test_the_drop_in_for_newer_systemds_says_nothing_that_those_do_not_know(units: Path) -> None:
    add(units, "backoff.conf")
    result = analyze(units, "verify", "--man=no", str(units / "img2imgd.service"))
    [version] = re.findall(r"^systemd (\d+)", analyze(units, "--version").stdout)
    unknown = re.findall(r"Unknown key(?: name)? '(\w+)'", result.stderr)
    assert unknown == ([] if int(version) >= 254 else ["RestartSteps", "RestartMaxDelaySec"])


def test_the_sandbox_leaves_next_to_nothing_exposed(units: Path) -> None:
    assert exposure(units, "img2imgd.service") <= 1.0


def test_a_gpu_leaves_little_more_exposed(units: Path) -> None:
    add(units, "gpu.conf")
    assert exposure(units, "img2imgd.service") <= 1.0


def test_an_inbox_elsewhere_leaves_no_more_exposed(units: Path) -> None:
    before = exposure(units, "img2imgd.service")
    add(units, "inbox-elsewhere.conf")
    assert exposure(units, "img2imgd.service") == before


def test_what_fetches_has_a_network_and_little_else(units: Path) -> None:
    assert exposure(units, "img2imgd-fetch@sd21.service") <= 1.5


def test_the_scores_that_the_files_tell_are_those_of_systemd_252(units: Path) -> None:
    if "systemd 252" not in analyze(units, "--version").stdout:
        pytest.skip("this systemd weighs otherwise than the 252 that the files name")
    alone = exposure(units, "img2imgd.service")
    assert f"says {alone} (systemd 252)" in (units / "img2imgd.service").read_text()
    add(units, "network.conf")
    network = exposure(units, "img2imgd.service")
    assert f"{network} instead of {alone}" in (FOLDER / "network.conf").read_text()
    (units / "img2imgd.service.d/network.conf").unlink()
    add(units, "gpu.conf")
    gpu = exposure(units, "img2imgd.service")
    docs = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    assert f"gives it {alone} of 10" in docs
    assert f"{gpu} with the GPU's drop-in, {network} with a network" in docs


def test_every_line_of_hardening_has_its_reason() -> None:
    """In the unit, a comment comes before every directive, or before the few that it speaks of."""
    text = (FOLDER / "img2imgd.service").read_text(encoding="utf-8")
    since = 0
    for line in text[text.index("# Hardening") :].partition("[Install]")[0].splitlines():
        since = since + 1 if line and not line.startswith("#") else 0
        assert since <= 3, line


def test_a_gpu_is_hidden_without_its_drop_in_and_seen_with_it(units: Path) -> None:
    assert setting("PrivateDevices", "img2imgd.service") == "yes"
    assert setting("PrivateDevices", "gpu.conf") == "no"
    assert setting("DevicePolicy", "gpu.conf") == "closed"


def test_exit_codes_that_a_start_does_not_mend_are_those_of_the_program() -> None:
    from img2imgd.errors import Exit

    codes = (setting("RestartPreventExitStatus", "img2imgd.service") or "").split()
    assert codes == [str(int(Exit.USAGE)), str(int(Exit.HELD_BY_ANOTHER))]


def test_systemd_waits_longer_for_a_stop_than_the_daemon_takes() -> None:
    from img2imgd.app import daemon

    assert float(setting("TimeoutStopSec", "img2imgd.service") or 0) > daemon._JOIN_SECONDS


def test_the_config_to_begin_with_is_whole_and_offline() -> None:
    config = load_config(FOLDER / "config.yaml", None, env={"HOME": "/nonexistent"})
    assert config.offline
    assert [str(inbox.path) for inbox in config.inboxes] == ["/var/lib/img2imgd/inbox"]


def setting(name: str, file: str) -> str | None:
    found = re.findall(rf"^{name}=(.*)$", (FOLDER / file).read_text("utf-8"), re.MULTILINE)
    return found[-1] if found else None

"""When the daemon may not start, it says why, exits with a code for scripts, touches nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sample_drops import drop
from served_root import ServedRoot

from waiting import wait_until

BROKEN_CONFIG = """\
root: {root}
settel: 3
inboxes:
  - path: {root}/inbox
    profile: tablett
    settle: soon
limits: {{max_frames: 0}}
model: sdxl
"""


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_second_daemon_is_refused_with_pid_and_host_of_the_first(
    root: ServedRoot, command: str
) -> None:
    first = root.start()
    second = root.command(command, "-c", root.config, timeout=20)
    assert second.returncode == 4
    assert f"pid {first.pid} on {socket.gethostname()}" in second.stderr
    assert "Traceback" not in second.stderr
    drop(root.inbox, "cat.png", "prompt: a lake\nsteps: 2\n")
    root.wait_served(1)  # the first one is not disturbed
    assert first.stop() == 0


def test_a_killed_daemon_holds_nothing(root: ServedRoot) -> None:
    root.start().kill()
    assert root.start().stop() == 0


def test_a_daemon_of_another_host_is_refused_until_its_heart_has_stopped(root: ServedRoot) -> None:
    spool = root.inbox / ".img2imgd"
    spool.mkdir(parents=True)
    lock = spool / "lock"
    lock.write_text("pid 99 on studio machine 0011223344556677 boot b token t\n")
    refused = root.command("run", "-c", root.config, timeout=20)
    assert refused.returncode == 4
    assert f"{root.inbox} is held by another img2imgd (pid 99 on studio)" in refused.stderr
    assert "If that host is gone, this can start in" in refused.stderr
    os.utime(lock, (1, 1))
    assert root.start().stop() == 0


def test_another_config_that_shares_only_the_inbox_is_refused(
    root: ServedRoot, tmp_path: Path
) -> None:
    first = root.start()
    other = tmp_path / "other.yaml"
    other.write_text(f"root: {tmp_path}/other\ninboxes: [{{path: {root.inbox}}}]\n")
    second = root.command("run", "-c", other, timeout=20)
    assert second.returncode == 4, second.stderr
    assert str(root.inbox) in second.stderr
    assert first.stop() == 0


@pytest.mark.parametrize("command", ["run", "once", "status"])
def test_a_broken_config_is_refused_with_all_its_errors_at_once(
    tmp_path: Path, root: ServedRoot, command: str
) -> None:
    config = tmp_path / "broken.yaml"
    config.write_text(BROKEN_CONFIG.format(root=tmp_path / "fresh"))
    result = root.command(command, "-c", config, timeout=20)
    assert result.returncode == 2
    for words in (
        "line 2, settel: there is no such key",
        "line 5, inboxes.0.profile",
        "line 6, inboxes.0.settle",
        "line 7, limits.max_frames",
    ):
        assert words in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "fresh").exists(), "nothing may be made before the config is right"


def test_a_model_that_the_table_lacks_is_refused(tmp_path: Path, root: ServedRoot) -> None:
    config = tmp_path / "broken.yaml"
    config.write_text(f"root: {tmp_path}/fresh\nmodel: sdxl\n")
    result = root.command("run", "-c", config, timeout=20)
    assert result.returncode == 2
    assert "sdxl" in result.stderr
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        [],
        ["run", "--root"],
        ["run", "-c", "no-such-config.yaml"],
        ["schema", "house"],
        ["once", "--timeout", "soon"],
        ["check"],
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(root: ServedRoot, arguments: list[str]) -> None:
    result = root.command(*arguments, timeout=20)
    assert result.returncode == 2
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr
    if arguments[-1:] == ["no-such-config.yaml"]:
        assert "no-such-config.yaml" in result.stderr


def test_a_root_that_cannot_be_made_is_a_fault_of_the_environment(
    root: ServedRoot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = root.command("run", "--root", tmp_path / "file" / "root", timeout=20)
    assert result.returncode == 5
    assert str(tmp_path / "file" / "root") in result.stderr
    assert "Traceback" not in result.stderr


def test_the_status_names_the_daemon_while_it_runs_and_not_after(root: ServedRoot) -> None:
    assert root.status()["running"] is False
    daemon = root.start()
    wait_until(lambda: root.status()["running"], "the daemon is known")
    report = root.status()
    assert (report["pid"], report["host"]) == (daemon.pid, socket.gethostname())
    daemon.kill()
    assert root.status()["running"] is False
    assert os.path.lexists(root.path / "state" / "ledger.sqlite")

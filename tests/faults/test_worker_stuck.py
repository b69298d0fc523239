"""A worker in the kernel's state D, which no signal ends, and a whole program that was stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invariants import Drop, check
from served_root import descendants
from world import config_of, picture, put

from img2imgd.config import Config
from img2imgd.config.sections import EngineConfig
from img2imgd.job import JobState
from img2imgd.ledger import read_ledger
from waiting import wait_until

if TYPE_CHECKING:
    from fault_table import Tally

SLOW = b"prompt: a lake\nseed: 7\nsteps: 10\nstrength: 1\n"
DROPS = (Drop({"cat.png": picture(1), "cat.yaml": SLOW}),)


@pytest.fixture
def frozen_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 of its own, which ``fsfreeze`` can make hang; thawed and unmounted at the end."""
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "fsfreeze", "mount"))):
        pytest.skip("needs root, mkfs.ext4 and fsfreeze")
    image, disk = tmp_path / "disk.img", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(32_000_000)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(disk)]).returncode:
        pytest.skip("no loop device can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["fsfreeze", "-u", str(disk)], stderr=subprocess.DEVNULL)
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def running(config: Config, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program in a process group of its own, killed at the end if it is still there."""
    file = config.root.parent / "config.yaml"
    stall = config.engine.stall_timeout
    file.write_text(
        f"root: {config.root}\noutbox: {config.outbox}\n"
        f"engine: {{backend: fake, stall_timeout: {stall}}}\nlimits: {{min_free_gb: 0}}\n"
        f"inboxes: [{{path: {config.inboxes[0].path}, settle: 0, rescan: 1, pair_wait: 0}}]\n"
    )
    environment = os.environ | {"IMG2IMGD_FAKE_STEP_SECONDS": "0.3"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "img2imgd", "run", "-c", str(file)],
            env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def status(config: Config) -> dict[str, Any]:
    asked = subprocess.run(
        [sys.executable, "-m", "img2imgd", "status", "--json", "-c",
         str(config.root.parent / "config.yaml")],
        capture_output=True,
    )  # fmt: skip
    return json.loads(asked.stdout) if asked.returncode == 0 else {}


def is_served(config: Config) -> bool:
    """Published is not enough: these programs are killed, and inputs are archived after that."""
    ledger = read_ledger(config.state / "ledger.sqlite")
    if ledger is None:
        return False
    rows = ledger.jobs_in(*JobState)
    ledger.close()
    return [(row.state, row.archived) for row in rows] == [(JobState.DONE, True)]


def paints(config: Config) -> bool:
    return any(job["steps_done"] for job in status(config).get("current", ()))


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def states_of_threads(pid: int) -> set[str]:
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return {stat.rpartition(")")[2].split()[0] for stat in stats}


def worker_of(log: Path) -> int:
    return int(log.read_text().rpartition("worker started pid=")[2].split()[0])


def dropped(root: Path, outbox: Path) -> Config:
    """A config whose worker is soon taken to hang, with the drops in its inbox."""
    engine = EngineConfig(backend="fake", stall_timeout=4.0)
    config = replace(config_of(root), outbox=outbox, engine=engine)
    put(config, DROPS)
    return config


def freeze_while_it_paints(config: Config, disk: Path) -> None:
    """Wait until the worker waits for the frozen disk, and the daemon says that it hangs."""
    wait_until(lambda: paints(config), "it paints")
    subprocess.run(["fsfreeze", "-f", str(disk)], check=True)
    wait_until(lambda: "cannot be ended" in status(config).get("waits_for", ""), "it says so")


def test_a_worker_in_state_d_is_said_to_hang_and_does_not_keep_the_program_from_stopping(
    tmp_path: Path, frozen_disk: Path, tally: Tally
) -> None:
    config, log = dropped(tmp_path / "root", frozen_disk / "outbox"), tmp_path / "log"
    with running(config, log) as daemon:
        freeze_while_it_paints(config, frozen_disk)
        worker = worker_of(log)
        assert "D" in states_of_threads(worker)
        assert log.read_text().count("worker started") == 1
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(15) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    subprocess.run(["fsfreeze", "-u", str(frozen_disk)], check=True)
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the old worker is gone")
    with running(config, log):
        wait_until(lambda: is_served(config), "it is served")
        assert status(config)["waits_for"] == ""
    verdict = check(config, DROPS)
    tally.count("worker in state D while it writes", verdict)
    verdict.assert_fine()


def test_a_worker_in_state_d_that_comes_back_is_replaced_by_itself(
    tmp_path: Path, frozen_disk: Path, tally: Tally
) -> None:
    config, log = dropped(tmp_path / "root", frozen_disk / "outbox"), tmp_path / "log"
    with running(config, log) as daemon:
        freeze_while_it_paints(config, frozen_disk)
        old = worker_of(log)
        subprocess.run(["fsfreeze", "-u", str(frozen_disk)], check=True)
        wait_until(lambda: is_served(config), "it is served", 90)
        workers = [p.pid for p in descendants(daemon.pid) if "pool.process" in p.command]
        assert len(workers) == 1
        assert workers != [old]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    verdict = check(config, DROPS)
    tally.count("worker in state D while it writes", verdict)
    verdict.assert_fine()


def test_a_program_that_was_stopped_as_a_whole_goes_on_with_the_same_worker(
    tmp_path: Path, tally: Tally
) -> None:
    """As a suspended machine is: nobody hangs, although nothing was heard for so long."""
    config = replace(
        config_of(tmp_path / "root"), engine=EngineConfig(backend="fake", stall_timeout=1.5)
    )
    log = tmp_path / "log"
    put(config, DROPS)
    with running(config, log) as daemon:
        wait_until(lambda: paints(config), "it paints")
        worker = worker_of(log)
        os.kill(worker, signal.SIGSTOP)  # first, and continued last: the worst order
        os.killpg(daemon.pid, signal.SIGSTOP)
        wait_until(lambda: state_of(worker) == state_of(daemon.pid) == "T", "both are stopped")
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(4)  # the time for which they are stopped
        os.kill(daemon.pid, signal.SIGCONT)
        os.killpg(daemon.pid, signal.SIGCONT)
        wait_until(lambda: is_served(config), "it is served")
        assert log.read_text().count("worker started") == 1
        assert "hangs" not in log.read_text()
    verdict = check(config, DROPS)
    tally.count("everything stopped for longer than the stall timeout", verdict)
    verdict.assert_fine()

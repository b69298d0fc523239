"""The daemon as a whole, in this process: a part that ends takes the daemon with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from img2imgd.app import Daemon, loops
from img2imgd.app import daemon as daemon_module
from img2imgd.app.loops import DispatchLoop, InboxLoop, UpkeepLoop
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, Exit, Img2imgdError
from img2imgd.upkeep import Upkeep
from waiting import wait_until


@pytest.mark.parametrize("part", [InboxLoop, DispatchLoop, UpkeepLoop])
def test_a_part_that_ends_unasked_ends_the_daemon_with_an_error(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, part: type
) -> None:
    monkeypatch.setattr(part, "run", lambda _: None)
    with pytest.raises(Img2imgdError, match="A part of img2imgd has ended") as raised:
        Daemon(make_config()).serve(seconds=0.05)
    assert raised.value.exit_code is Exit.INTERNAL


def test_upkeep_goes_on_after_a_round_that_failed_and_ends_when_told(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [EnvironmentFault("The ledger cannot be written."), OSError("gone"), ValueError("bug")]
    rounds: list[float] = []

    def step(_: Upkeep, now: float) -> None:
        rounds.append(now)
        if len(rounds) <= len(faults):
            raise faults[len(rounds) - 1]

    monkeypatch.setattr(Upkeep, "step", step)
    monkeypatch.setattr(loops, "_UPKEEP_FIRST", 0)
    monkeypatch.setattr(loops, "_UPKEEP_EVERY", 0.01)
    config = make_config()
    loop = UpkeepLoop(config, config.state / "ledger.sqlite")
    loop.start()
    wait_until(lambda: len(rounds) > len(faults), "a round after those that failed")
    loop.stop()
    loop.join(20)
    assert not loop.is_alive()


def test_a_stop_does_not_wait_for_a_reader_that_hangs(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    daemon = Daemon(make_config())
    serving = threading.Thread(target=daemon.serve)
    serving.start()
    wait_until(lambda: bool(daemon.inboxes), "the daemon has its parts")
    picture = tmp_path / "cat.png"
    Image.new("RGB", (8, 8)).save(picture)
    daemon._reader.inspect(picture)
    assert daemon._reader.pid is not None
    os.kill(daemon._reader.pid, signal.SIGSTOP)
    faults: list[Exception] = []

    def ask() -> None:
        try:
            daemon._reader.inspect(picture)
        except EnvironmentFault as fault:
            faults.append(fault)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(daemon._reader._lock.locked, "the question is asked")
    daemon.stop()
    serving.join(30)
    assert not serving.is_alive()
    asking.join(30)
    assert len(faults) == 1


class StuckLoop(threading.Thread):
    """A part that does not end when it is told to; waiting for it costs all the time allowed."""

    def __init__(self, clock: list[float]) -> None:
        super().__init__(name="stuck")
        self._clock = clock

    def stop(self) -> None:
        """As of the real ones."""

    def is_alive(self) -> bool:
        return True

    def join(self, timeout: float | None = None) -> None:
        assert timeout is not None
        self._clock[0] += timeout


def test_all_parts_together_have_one_time_to_end(
    make_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(daemon_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    daemon = Daemon(make_config())
    daemon.inboxes = [StuckLoop(clock) for _ in range(5)]  # type: ignore[misc]
    daemon._stop()
    assert clock[0] == 1030.0
    assert caplog.text.count("stuck has not ended in 30 s and is left alone") == 5

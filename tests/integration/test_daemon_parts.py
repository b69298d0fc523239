"""The daemon as a whole, in this process: a part that ends takes the daemon with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from img2imgd.app import Daemon, loops
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

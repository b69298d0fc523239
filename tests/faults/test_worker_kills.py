"""The worker with the real engine and the embedded model, killed at random moments of painting."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invariants import check
from real_worker import DROPS, STEPS, largest_difference, pixels, real_config, serve

from img2imgd.dispatch import faults
from img2imgd.job import JobState
from img2imgd.ledger import read_ledger

if TYPE_CHECKING:
    from conftest import Points
    from fault_table import Tally


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(faults, "_LONGEST_PAUSE", 0.2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What comes out when nobody kills anything."""
    config = real_config(tmp_path_factory.mktemp("undisturbed") / "root")
    assert serve(config).harmed == []
    check(config, DROPS).assert_fine()
    return pixels(config)


@pytest.mark.timeout(3600)
def test_a_worker_killed_at_random_steps_paints_what_it_would_have_painted(
    tmp_path: Path, undisturbed: dict[str, bytes], tally: Tally, points: Points
) -> None:
    kills = 3 if points.in_full else 2
    for seed in points.of(range(8), 1):
        config = real_config(tmp_path / str(seed))
        harmer = serve(config, sorted(random.Random(seed).sample(range(1, STEPS), kills)))  # noqa: S311
        verdict = check(config, DROPS)
        for _ in harmer.harmed:
            tally.count("worker killed while it paints", verdict)
        verdict.assert_fine(f"seed {seed}")
        assert len(harmer.harmed) == kills
        assert harmer.staged, "frames were seen in staging"
        assert harmer.repainted == []
        assert largest_difference(pixels(config), undisturbed) <= 1
        ledger = read_ledger(config.state / "ledger.sqlite")
        assert ledger is not None
        rows = ledger.jobs_in(*JobState)
        ledger.close()
        assert {(row.state, row.attempts) for row in rows} == {(JobState.DONE, 0)}

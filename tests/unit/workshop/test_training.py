"""What the trainings and the evaluation compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tools.demo_model.architecture import build_scheduler
from tools.demo_model.evaluate import frechet, spread
from tools.demo_model.muon import orthogonal
from tools.demo_model.parallel import Team, run_team
from tools.demo_model.train_unet import STEPS, Batch, noised, weights


def kept() -> torch.Tensor:
    return build_scheduler().alphas_cumprod.float()


def batch(begun: int, timestep: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    target, start = torch.randn(2, 3, 32, 16, 16, generator=generator)
    return Batch(
        target,
        start,
        torch.zeros(3, 77, dtype=torch.long),
        torch.full((3,), timestep),
        torch.full((3,), begun),
    )


def test_a_picture_begun_from_another_is_that_picture_noised_where_it_begins() -> None:
    given = batch(begun=700, timestep=700)
    noise = torch.randn(given.target.shape, generator=torch.Generator().manual_seed(2))
    noisy, _ = noised(given, noise, kept())
    share = kept()[700]
    assert torch.allclose(noisy, share.sqrt() * given.start + (1 - share).sqrt() * noise, atol=1e-4)


def test_the_way_from_there_ends_at_the_target() -> None:
    given = batch(begun=700, timestep=300)
    noise = torch.randn(given.target.shape, generator=torch.Generator().manual_seed(2))
    noisy, v = noised(given, noise, kept())
    share = kept()[300]
    assert torch.allclose(share.sqrt() * noisy - (1 - share).sqrt() * v, given.target, atol=1e-4)


def test_a_plain_picture_does_not_see_the_other() -> None:
    given = batch(begun=STEPS, timestep=500)
    noise = torch.randn(given.target.shape, generator=torch.Generator().manual_seed(2))
    noisy, _ = noised(given, noise, kept())
    share = kept()[500]
    plain = share.sqrt() * given.target + (1 - share).sqrt() * noise
    assert torch.allclose(noisy, plain, atol=1e-5)


def test_weights_fall_where_little_noise_is_left() -> None:
    values = weights(kept(), torch.tensor([0, 100, 300, 999]))
    assert values[0] < 0.1
    assert values[0] < values[1] < values[2]


def add_and_exchange(team: Team, folder: Path) -> None:
    sums = torch.full((2, 3), float(team.rank + 1))
    team.add_up([sums])
    mixed = [torch.full((4,), 10.0 * team.rank + index) for index in range(3)]
    team.exchange(mixed)
    told = team.leaders(7.5 if team.leads else 0.0)
    torch.save((sums, mixed, told), folder / f"{team.rank}.pt")


def test_a_team_adds_up_and_shares_what_each_of_it_holds(tmp_path: Path) -> None:
    run_team(2, add_and_exchange, tmp_path)
    for rank in range(2):
        sums, mixed, told = torch.load(tmp_path / f"{rank}.pt")
        assert torch.equal(sums, torch.full((2, 3), 3.0))
        assert [float(part[0]) for part in mixed] == [0.0, 11.0, 2.0]
        assert told == 7.5


def test_orthogonal_steps_have_singular_values_near_one() -> None:
    gradient = torch.randn(24, 6, 3, 3, generator=torch.Generator().manual_seed(4))
    values = torch.linalg.svdvals(orthogonal(gradient).flatten(1))
    assert float(values.min()) > 0.3
    assert float(values.max()) < 1.4


def test_frechet_distance_of_shifted_normals_is_the_shift_squared() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=(4_000, 6))
    assert frechet(first, first) < 1e-6
    assert abs(frechet(first, first + 2.0) - 6 * 4) < 1e-6


def test_spread_is_the_mean_distance_of_pairs() -> None:
    assert np.isclose(spread(np.array([[0.0], [1.0], [3.0]])), 2.0)

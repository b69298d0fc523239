"""What the trainings and the evaluation compute."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch
from tools.demo_model.architecture import build_scheduler
from tools.demo_model.evaluate import frechet, spread
from tools.demo_model.judge import CLASSES, Judge, Verdict
from tools.demo_model.muon import orthogonal
from tools.demo_model.parallel import Team, run_team
from tools.demo_model.tokenizer import load_tokenizer
from tools.demo_model.train_unet import (
    BEGUN,
    STAYS,
    STEPS,
    TURNS,
    Batch,
    Batches,
    focus,
    meetings,
    noised,
    turned,
    weights,
)
from tools.demo_model.training import Plan, Training

from waiting import wait_until


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
        torch.ones(3, 16, 16),
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
    run_team(2, add_and_exchange, tmp_path, room=1_000)
    for rank in range(2):
        sums, mixed, told = torch.load(tmp_path / f"{rank}.pt")
        assert torch.equal(sums, torch.full((2, 3), 3.0))
        assert [float(part[0]) for part in mixed] == [0.0, 11.0, 2.0]
        assert told == 7.5


ENDLESS = """
import os, signal, sys, time
from pathlib import Path
from tools.demo_model.parallel import run_team

def wait(team, folder):
    (folder / str(team.rank)).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    run_team(2, wait, Path(sys.argv[1]), room=10)
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "ctrl-c"])
def test_the_processes_of_a_team_end_with_it(tmp_path: Path, end: signal.Signals) -> None:
    script, told = tmp_path / "endless.py", tmp_path / "told"
    script.write_text(ENDLESS)
    told.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script, told], env=environment) as leader:
        wait_until(
            lambda: len([path for path in told.iterdir() if path.read_text()]) == 2,
            "both processes told who they are",
            seconds=100,
        )
        leader.send_signal(end)
        leader.wait(30)
    pids = [int(path.read_text()) for path in told.iterdir()]
    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids),
        f"processes {pids} ended",
        seconds=100,
    )


MEMBERS = 4
HOUSES = 16
BLANK = 999.0


@pytest.fixture
def batches(tmp_path: Path) -> Batches:
    """Twenty families; picture m of family f has latents of 4 f + m, blank sheets of BLANK.

    The first sixteen show a house on the left, the others a cactus on the right.
    """
    numbers = torch.arange(20 * MEMBERS).view(20, MEMBERS, 1, 1, 1)
    torch.save(numbers.expand(-1, -1, 32, 16, 16).half(), tmp_path / "latents_some.pt")
    torch.save(torch.full((2, 32, 16, 16), BLANK), tmp_path / "latents_flat.pt")
    (tmp_path / "latents.json").write_text('{"scaling_factor": 1.0}')
    facts = [
        [{"captions": [f"a {thing}"] * 2, "object": thing, "horizon": 0.5, "main": [x, 0.6]}]
        * MEMBERS
        for thing, x in [("house", 0.2)] * HOUSES + [("cactus", 0.8)] * (20 - HOUSES)
    ]
    (tmp_path / "some.json").write_text(json.dumps(facts))
    return Batches(tmp_path, ["some"], load_tokenizer(tmp_path))


def test_begun_pictures_begin_from_their_own_scene_or_from_a_blank_sheet(batches: Batches) -> None:
    rng = np.random.default_rng(1)
    parts = [vars(batches.draw(48, rng)).values() for _ in range(10)]
    drawn = Batch(*(torch.cat(column) for column in zip(*parts, strict=True)))
    target, start = drawn.target[:, 0, 0, 0], drawn.start[:, 0, 0, 0]
    begun, blank = drawn.begun < STEPS, start == BLANK
    assert 0.2 < float(begun.double().mean()) < 0.5
    assert 0.02 < float(blank.double().mean()) < 0.16
    assert bool(begun[blank].all())
    assert bool((drawn.timestep <= drawn.begun).all())
    other = begun & ~blank
    assert torch.equal(target[other] // MEMBERS, start[other] // MEMBERS)
    stays, wholly = drawn.begun <= STAYS, blank | (drawn.begun >= TURNS)
    assert bool((drawn.begun[blank] < TURNS).any()), "blank sheets turn wholly before the others do"
    assert torch.equal(target[other & stays], start[other & stays])
    assert not bool((target == start)[begun & wholly].any())
    assert torch.equal(target[wholly], target[wholly].round())
    between = other & (turned(drawn.begun) > 0.01) & ~wholly
    share = (target - start)[between] / turned(drawn.begun[between])
    assert torch.allclose(share, share.round(), atol=0.02)
    assert bool((share.abs().round() > 0).all())
    left = drawn.focus[:, 10, 3] > drawn.focus[:, 10, 12]
    assert torch.equal(left, target < HOUSES * MEMBERS)


def test_what_is_begun_at_higher_strength_turns_further() -> None:
    shares = turned(torch.arange(0, STEPS, 50))
    assert BEGUN[0] < STAYS < TURNS < BEGUN[1]
    assert bool((shares.diff() >= 0).all())
    assert shares[0] == 0
    assert shares[-1] == 1
    assert 0.3 < float(turned(torch.tensor(600))) < 0.4


def test_rare_main_things_are_met_more_often_than_their_number() -> None:
    often = meetings(["house"] * 90 + ["cactus"] * 10)
    assert float(often[0]) < 1 < float(often[-1]) < 9 * float(often[0])


def test_errors_weigh_most_where_the_main_thing_is_and_alike_without_one() -> None:
    nan = float("nan")
    weight = focus(torch.tensor([[0.25, 0.75], [nan, nan]]))
    assert divmod(int(weight[0].argmax()), 16) in {(row, col) for row in (11, 12) for col in (3, 4)}
    assert float(weight[0, 0, 15]) < 1.01
    assert torch.equal(weight[1], torch.ones(16, 16))


def test_in_an_epoch_rare_things_are_met_often_and_sketches_seldom(batches: Batches) -> None:
    rng = np.random.default_rng(2)
    batches.draw(1, rng)
    met = np.array(batches.order)
    cacti, sketches = met[:, 0] >= HOUSES, met[:, 1] == 0
    houses_met = np.count_nonzero(~cacti & ~sketches) / (HOUSES * (MEMBERS - 1))
    cacti_met = np.count_nonzero(cacti & ~sketches) / ((20 - HOUSES) * (MEMBERS - 1))
    assert 0.5 < houses_met < 1 < 1.6 < cacti_met < 2.4
    assert 0 < np.count_nonzero(sketches) < 20


@pytest.mark.parametrize("shape", [(24, 6, 3, 3), (54, 24)], ids=["wide", "tall"])
def test_orthogonal_steps_have_singular_values_near_one(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    values = torch.linalg.svdvals(orthogonal(gradient).flatten(1))
    assert float(values.min()) > 0.3
    assert float(values.max()) < 1.4


class Fixed(Judge):
    """Sees a house in the first half of the pictures and nothing in the rest, all in the middle."""

    def forward(
        self, pictures: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        number = len(pictures)
        said = {name: torch.zeros(number, len(options)) for name, options in CLASSES.items()}
        said["object"][: number // 2, CLASSES["object"].index("house")] = 1
        return said, torch.full((number, 3), 0.5), torch.zeros(number, 4)


def test_a_verdict_counts_right_answers_where_the_picture_tells() -> None:
    facts = [
        {"time": None, "ground": "meadow", "look": "photo", "object": thing, "horizon": 0.4,
         "main": place}
        for thing, place in (("house", [0.5, 0.5]), ("boat", [0.9, 0.8]), ("none", None),
                             ("none", None))
    ]  # fmt: skip
    verdict = Verdict(Fixed(), np.zeros((4, 256, 256, 3), np.uint8))
    assert verdict.accuracy(facts)["object"] == 0.75
    assert verdict.accuracy(facts, np.array([False, True, False, False]))["object"] == 0
    assert verdict.accuracy(facts)["ground"] == 1.0
    assert np.isnan(verdict.accuracy(facts)["time"])
    assert verdict.misplaced(facts)["horizon"] == pytest.approx(0.1)
    assert verdict.misplaced(facts)["object"] == pytest.approx(0.25)


class Alone(Team):
    """A team of one, which needs no board."""

    def add_up(self, tensors: list[torch.Tensor]) -> None:
        pass

    def exchange(self, tensors: list[torch.Tensor]) -> None:
        pass


def test_a_training_that_was_cut_off_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    plan = Plan("line", 1, 10, matrix_rate=0.01, rest_rate=0.01, decay=0, ema_decay=0.9)
    team = Alone(0, 1, torch.empty(0), Barrier(1))
    model = torch.nn.Linear(4, 4)
    training = Training(plan, model, team, tmp_path)
    for _ in range(5):
        training.step(model(torch.ones(2, 4)).square().mean())
    training.save()
    training.note(held_out=1.0)

    again = torch.nn.Linear(4, 4)
    resumed = Training(plan, again, team, tmp_path)
    assert torch.equal(again.weight, model.weight)
    assert resumed.budget.iteration == 5
    assert resumed.budget.spent > 0
    assert torch.equal(resumed.ema.values["weight"], training.ema.values["weight"])
    assert not torch.equal(training.ema.values["weight"], model.weight)
    assert (tmp_path / "line.csv").read_text().splitlines()[0] == "minutes,step,loss,held_out"

    later = Training(replace(plan, name="later"), again, team, tmp_path)
    later.follow(tmp_path / "line.csv")
    anew = Training(replace(plan, name="anew"), again, team, tmp_path)
    assert later.rng.bit_generator.state != anew.rng.bit_generator.state
    later.step(again(torch.ones(2, 4)).square().mean())
    later.note(held_out=0.5)
    assert [row.split(",")[1] for row in later.curve.read_text().splitlines()] == ["step", "5", "6"]


def test_frechet_distance_of_shifted_normals_is_the_shift_squared() -> None:
    rng = np.random.default_rng(3)
    first = rng.normal(size=(4_000, 6))
    assert abs(frechet(first, first)) < 1e-6
    assert abs(frechet(first, first + 2.0) - 6 * 4) < 1e-6


def test_spread_is_the_mean_distance_of_pairs() -> None:
    assert np.isclose(spread(np.array([[0.0], [1.0], [3.0]])), 2.0)

"""A small classifier: which time, ground, look and main thing a picture shows, and where."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from .architecture import FIRST_VERSION, RECORDS, SIDE, WORK, load_vae
from .dataset import Facts, load_held_out, load_shard, training_shards
from .parallel import Team, run_team
from .pictures import reconstructed, reduced, to_tensor
from .training import Plan, Training
from .world.looks import LOOKS
from .world.scenes import GROUNDS, MAINS, TIMES

PLAN = Plan("judge", 7, 12, matrix_rate=1e-3, rest_rate=1e-3, decay=0.05, ema_decay=0.998)
BATCH = 64
SEEN = 128  # pixels of a side: pictures of both versions of the model are brought to this size
FEATURES = 64
GIVEN_BACK = 1_200  # pictures that are also learnt as the coders of both versions give them back
UNKNOWN = -1
WEIGHTS = "judge.safetensors"
CLASSES: dict[str, tuple[str, ...]] = {
    "time": TIMES,
    "ground": GROUNDS,
    "look": LOOKS,
    "object": MAINS,
}


class Judge(nn.Module):
    """Strided convolutions, FEATURES numbers from their averages and peaks, one answer each."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for index in range(4):
            size = 5 if index == 0 else 3
            layers += [
                nn.Conv2d(widths[index], widths[index + 1], size, stride=2, padding=size // 2),
                nn.GroupNorm(8, widths[index + 1]),
                nn.SiLU(),
            ]
        layers += [nn.Conv2d(128, 128, 3, padding=1), nn.GroupNorm(8, 128), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        self.squeeze = nn.Linear(128 * 6, FEATURES)
        self.answers = nn.ModuleDict(
            {name: nn.Linear(FEATURES, len(options)) for name, options in CLASSES.items()}
        )
        self.places = nn.Sequential(
            nn.Conv2d(128, 16, 1), nn.SiLU(), nn.Flatten(), nn.Linear(16 * 64, 96), nn.SiLU(),
            nn.Linear(96, 3),
        )  # fmt: skip

    def forward(
        self, pictures: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """For N x 3 x SEEN x SEEN in -1..1: scores by question, places, features.

        Scores are N x classes; places N x 3 are the horizon and the main thing's x and y as
        fractions of the side; features are N x FEATURES.
        """
        seen = self.body(pictures)
        mean = functional.adaptive_avg_pool2d(seen, (2, 2)).flatten(1)
        peak = functional.adaptive_max_pool2d(seen, (2, 1)).flatten(1)
        features = self.squeeze(torch.cat([mean, peak], 1))
        said = {name: answer(functional.silu(features)) for name, answer in self.answers.items()}
        return said, self.places(seen), features


def labels(facts: list[Facts]) -> dict[str, torch.Tensor]:
    """Class numbers for each question; UNKNOWN where a picture does not tell."""
    return {
        name: torch.tensor(
            [UNKNOWN if fact[name] is None else options.index(fact[name]) for fact in facts]
        )
        for name, options in CLASSES.items()
    }


def whereabouts(facts: list[Facts]) -> torch.Tensor:
    """N x 3: horizon, x and y of the main thing; not-a-number without one."""
    return torch.tensor(
        [[fact["horizon"], *(fact["main"] or (float("nan"), float("nan")))] for fact in facts]
    )


def _given_back(work: Path, pixels: np.ndarray) -> list[np.ndarray]:
    """N pictures as the coders of both versions of the model give them back."""
    first = AutoencoderKL.from_pretrained(FIRST_VERSION / "vae", torch_dtype=torch.float32)
    made = [reconstructed(load_vae(work), pixels), reconstructed(first, reduced(pixels, SEEN))]
    return [reduced(one, SEEN) for one in made]


def _lessons(work: Path) -> tuple[np.ndarray, list[Facts]]:
    pictures: list[np.ndarray] = []
    facts: list[Facts] = []
    for number, path in enumerate(training_shards(work)):
        families, told = load_shard(path)
        pixels = families.reshape(-1, SIDE, SIDE, 3)
        flat = [fact for family in told for fact in family]
        pictures.append(reduced(pixels, SEEN))
        facts += flat
        if number == 0:
            pictures += _given_back(work, pixels[:GIVEN_BACK])
            facts += 2 * flat[:GIVEN_BACK]
    return np.concatenate(pictures), facts


def _place_loss(said: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    known = ~wanted.isnan()
    return functional.smooth_l1_loss(said[known], wanted[known], beta=0.05)


def train(team: Team, work: Path, plan: Plan) -> None:
    """Learn from drawn pictures and, for a small part, from what coders give back of them."""
    torch.manual_seed(plan.seed)
    pixels, facts = _lessons(work)
    wanted, places = labels(facts), whereabouts(facts)
    judge = Judge()
    training = Training(plan, judge, team, work)
    rng = training.rng
    while training.budget.left():
        index = rng.integers(0, len(pixels), BATCH // team.size)
        batch = to_tensor(pixels[index])
        if rng.random() < 0.4:
            soft = functional.avg_pool2d(batch, 2)
            batch = functional.interpolate(soft, scale_factor=2, mode="bilinear")
        said, where, _ = judge(batch + 0.04 * torch.randn_like(batch))
        parts = [
            functional.cross_entropy(said[name], wanted[name][index], ignore_index=UNKNOWN)
            for name in CLASSES
        ]
        training.step(torch.stack(parts).sum() + 4 * _place_loss(where, places[index]))
        if training.due(200):
            training.save()
            training.note()
    if team.leads:
        kept = {name: value.half() for name, value in training.ema.values.items()}
        save_file(kept, work / WEIGHTS)


def load_judge(folder: Path = RECORDS) -> Judge:
    """The trained judge, from the committed weights unless another folder is named."""
    judge = Judge()
    kept = load_file(folder / WEIGHTS)
    judge.load_state_dict({name: value.float() for name, value in kept.items()})
    return judge.eval()


class Verdict:
    """What the judge says of pictures (N x side x side x 3 bytes)."""

    @torch.no_grad()
    def __init__(self, judge: Judge, pixels: np.ndarray) -> None:
        seen = to_tensor(reduced(pixels, SEEN))
        parts = [judge(seen[at : at + 64]) for at in range(0, len(seen), 64)]
        self.answers = {
            name: torch.cat([said[name].argmax(1) for said, _, _ in parts]) for name in CLASSES
        }
        self.places = torch.cat([where for _, where, _ in parts])
        self.features = torch.cat([features for _, _, features in parts]).double().numpy()

    def accuracy(self, facts: list[Facts], only: np.ndarray | None = None) -> dict[str, float]:
        """Share of right answers for each question, where the picture tells.

        `only` are N truths: which pictures count.
        """
        shares: dict[str, float] = {}
        for name, wanted in labels(facts).items():
            known = wanted != UNKNOWN
            if only is not None:
                known &= torch.from_numpy(only)
            shares[name] = float((self.answers[name] == wanted)[known].double().mean())
        return shares

    def misplaced(self, facts: list[Facts]) -> dict[str, float]:
        """Mean error of the horizon and of the main thing's middle, as fractions of the side."""
        far = self.places - whereabouts(facts)
        return {
            "horizon": float(far[:, 0].abs().mean()),
            "object": float(far[:, 1:].square().sum(1).sqrt().nanmean()),
        }


def main() -> None:
    """Command line of the judge's training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=PLAN.minutes)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    plan = replace(PLAN, minutes=options.minutes)
    run_team(options.processes, train, options.work, plan)
    pixels, facts = load_held_out(options.work)
    verdict = Verdict(load_judge(options.work), pixels.reshape(-1, SIDE, SIDE, 3))
    flat = [fact for family in facts for fact in family]
    said = {"accuracy": verdict.accuracy(flat), "misplaced": verdict.misplaced(flat)}
    print(json.dumps(said, indent=2))


if __name__ == "__main__":
    main()

"""A small classifier that says which time, ground and look a picture shows."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .architecture import WORK, build_vae
from .dataset import load_held_out, load_training
from .progress import Budget, save_atomically
from .scenes import GROUNDS, LOOKS, TIMES
from .train_vae import to_tensor

SEED = 7
BATCH = 64
LEARNING_RATE = 2e-3
REPEATED = 600
CLASSES: dict[str, tuple[str, ...]] = {"time": TIMES, "ground": GROUNDS, "look": LOOKS}


class Judge(nn.Module):
    """Four strided convolutions, averages over upper and lower half, one answer per question."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 128)
        layers: list[nn.Module] = []
        for index in range(4):
            size = 5 if index == 0 else 3
            layers += [
                nn.Conv2d(widths[index], widths[index + 1], size, stride=2, padding=size // 2),
                nn.GroupNorm(8, widths[index + 1]),
                nn.SiLU(),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(128, 128, 3, padding=1), nn.SiLU())
        self.answers = nn.ModuleDict(
            {name: nn.Linear(128 * 4, len(options)) for name, options in CLASSES.items()}
        )

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """N x 3 x 128 x 128 in -1..1 to a table of N x classes scores for each question."""
        features = self.body(pictures)
        mean = functional.adaptive_avg_pool2d(features, (2, 1)).flatten(1)
        peak = functional.adaptive_max_pool2d(features, (2, 1)).flatten(1)
        return {name: answer(torch.cat([mean, peak], 1)) for name, answer in self.answers.items()}


def labels(facts: list[dict]) -> dict[str, torch.Tensor]:
    """Class numbers for each question."""
    return {
        name: torch.tensor([options.index(fact[name]) for fact in facts])
        for name, options in CLASSES.items()
    }


@torch.no_grad()
def reconstructed(work: Path, pixels: np.ndarray) -> np.ndarray:
    """The pictures after one way through the picture coder, as bytes."""
    model = build_vae().eval()
    model.load_state_dict(torch.load(work / "vae.pt", map_location="cpu")["ema"])
    parts = []
    for start in range(0, len(pixels), 8):
        codes = model.encode(to_tensor(pixels[start : start + 8])).latent_dist.mode()
        made = model.decode(codes).sample
        parts.append(((made / 2 + 0.5).clamp(0, 1) * 255).round().byte())
    return torch.cat(parts).permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def accuracy(judge: Judge, pixels: np.ndarray, facts: list[dict]) -> dict[str, float]:
    """Share of right answers for each question."""
    right = dict.fromkeys(CLASSES, 0)
    wanted = labels(facts)
    for start in range(0, len(pixels), 100):
        said = judge(to_tensor(pixels[start : start + 100]))
        for name, scores in said.items():
            hits = scores.argmax(1) == wanted[name][start : start + 100]
            right[name] += int(hits.sum())
    return {name: hits / len(pixels) for name, hits in right.items()}


def train(work: Path, minutes: float) -> Judge:
    """Learn from real pictures and, for a part, from their reconstructions."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    pixels, facts = load_training(work)
    repeated = min(REPEATED, len(pixels))
    pixels = np.concatenate([pixels, reconstructed(work, pixels[:repeated])])
    wanted = labels(facts + facts[:repeated])
    judge = Judge()
    optimiser = torch.optim.AdamW(judge.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    budget = Budget(minutes * 60)
    while budget.measure() < budget.allowed:
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * budget.cosine(warmup=50)
        index = rng.integers(0, len(pixels), BATCH)
        batch = to_tensor(pixels[index])
        if rng.random() < 0.5:
            batch = batch.flip(3)
        if rng.random() < 0.3:
            batch = functional.interpolate(functional.avg_pool2d(batch, 2), scale_factor=2.0)
        said = judge(batch + 0.03 * torch.randn_like(batch))
        loss = torch.stack(
            [functional.cross_entropy(said[name], wanted[name][index]) for name in CLASSES]
        ).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if budget.count(loss.item()) % 100 == 0:
            print(budget.line(), flush=True)
    save_atomically(judge.state_dict(), work / "judge.pt")
    return judge.eval()


def load_judge(work: Path) -> Judge:
    """The trained judge."""
    judge = Judge()
    judge.load_state_dict(torch.load(work / "judge.pt", map_location="cpu"))
    return judge.eval()


def main() -> None:
    """Command line of the judge's training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=3)
    options = parser.parse_args()
    torch.set_num_threads(2)
    judge = train(options.work, options.minutes)
    pixels, facts = load_held_out(options.work)
    print(json.dumps(accuracy(judge, pixels, facts)))


if __name__ == "__main__":
    main()

"""What every training keeps: averaged weights, time, checkpoints, the curve of its loss."""

from __future__ import annotations

import csv
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .muon import Muon, split
from .parallel import Team


class Average:
    """Exponential moving average of a model's weights, held as a state dict."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.clone() for name, value in model.state_dict().items()}

    def load(self, values: dict[str, torch.Tensor]) -> None:
        """Go on from an average read from a checkpoint."""
        self.values = values
        self.updates = 10**9

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        """Move towards the model; faster at first, while the average is young."""
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in model.state_dict().items():
            kept = self.values[name]
            if value.is_floating_point():
                kept.lerp_(value, share)
            else:
                kept.copy_(value)


class Budget:
    """Seconds of training allowed over all runs together, and the schedule that hangs on them."""

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.spent = 0.0
        self.iteration = 0
        self.cold = 0  # the step at which the optimisers knew nothing yet
        self.started = time.monotonic()
        self.seconds = 0.0
        self.loss: float | None = None

    def resume(self, spent: float, iteration: int) -> None:
        """Count the time and steps of earlier runs as spent."""
        self.spent, self.seconds, self.iteration = spent, spent, iteration

    def measure(self) -> float:
        """Read the clock into `seconds`: training time so far, all runs together."""
        self.seconds = self.spent + time.monotonic() - self.started
        return self.seconds

    def left(self) -> bool:
        """Whether there is time left."""
        return self.seconds < self.allowed

    def cosine(self, warmup: int) -> float:
        """Learning-rate factor: linear warm-up by steps, then a cosine over the allowed time."""
        share = min(1.0, self.seconds / self.allowed)
        fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))
        return min(1.0, (self.iteration - self.cold + 1) / warmup) * fall

    def count(self, loss: float) -> int:
        """Note one more step and its loss; the number of steps so far."""
        self.iteration += 1
        self.loss = loss if self.loss is None else 0.99 * self.loss + 0.01 * loss
        return self.iteration

    def line(self) -> str:
        """One line of progress."""
        return f"{self.seconds / 60:6.1f} min  step {self.iteration:6d}  loss {self.loss or 0:.5f}"


def save_atomically(state: Any, path: Path) -> None:
    """Write a checkpoint beside its place and move it there whole."""
    fresh = path.with_suffix(".fresh")
    torch.save(state, fresh)
    fresh.replace(path)


@dataclass(frozen=True)
class Plan:
    """How one training goes: its name, seed, time, learning rates and averages."""

    name: str
    seed: int
    minutes: float
    matrix_rate: float
    rest_rate: float
    decay: float
    ema_decay: float


class Training:
    """One model on its way: what it needs to take a step, and to be cut off and go on.

    The checkpoint is `work/<name>.pt`, the curve `work/<name>.csv`.
    """

    def __init__(self, plan: Plan, model: torch.nn.Module, team: Team, work: Path) -> None:
        self.plan, self.model, self.team = plan, model, team
        inner, rest = split(model)
        self.optimisers = (
            Muon(inner, plan.matrix_rate, plan.decay, team),
            torch.optim.AdamW(rest, lr=plan.rest_rate, betas=(0.9, 0.99), weight_decay=plan.decay),
        )
        self.ema = Average(model, plan.ema_decay)
        self.budget = Budget(plan.minutes * 60)
        self.checkpoint = work / f"{plan.name}.pt"
        self.curve = work / f"{plan.name}.csv"
        if self.checkpoint.exists():
            self._resume()
        self.rng = self._seeded()

    def _seeded(self) -> np.random.Generator:
        """A stream of its own for each process and each place at which a training goes on."""
        rng = np.random.default_rng((self.plan.seed, self.team.rank, self.budget.iteration))
        torch.manual_seed(int(rng.integers(2**31)))
        return rng

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu")
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.ema.load(state["ema"])
        self.budget.resume(state["seconds"], state["iteration"])

    def follow(self, curve: Path) -> None:
        """Go on from the weights of an earlier training, of which its curve is left.

        Its time and steps count as spent, but its optimisers' states are lost.
        """
        with curve.open(newline="") as file:
            *_, last = csv.DictReader(file)
        self.budget.resume(60 * float(last["minutes"]), int(last["step"]))
        self.budget.cold = self.budget.iteration
        self.rng = self._seeded()
        if self.team.leads:
            shutil.copyfile(curve, self.curve)

    def step(self, loss: torch.Tensor) -> None:
        """Go one step down the gradient of `loss`, averaged over the team."""
        rates = (self.plan.matrix_rate, self.plan.rest_rate)
        for optimiser, rate in zip(self.optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * self.budget.cosine(warmup=100)
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        self.team.average_gradients(list(self.model.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if math.isfinite(norm.item()):
            for optimiser in self.optimisers:
                optimiser.step()
            self.ema.update(self.model)
            self.budget.count(loss.item())
        # schedules and ends agree only by one clock
        self.budget.seconds = self.team.leaders(self.budget.measure())

    def due(self, every: int) -> bool:
        """Whether the leader has something to do now: every so many steps, and at the end."""
        step = self.budget.iteration
        return self.team.leads and (step % every == 0 or not self.budget.left())

    def note(self, **figures: float) -> None:
        """Print one line of progress and add it to the curve."""
        row = {
            "minutes": round(self.budget.seconds / 60, 2),
            "step": self.budget.iteration,
            "loss": round(self.budget.loss or 0, 5),
            **{name: round(value, 5) for name, value in figures.items()},
        }
        fresh = not self.curve.exists()
        with self.curve.open("a", newline="") as file:
            table = csv.DictWriter(file, list(row))
            if fresh:
                table.writeheader()
            table.writerow(row)
        told = "".join(f"  {name} {value:.4f}" for name, value in figures.items())
        print(self.budget.line() + told, flush=True)

    def save(self) -> None:
        """Write the checkpoint."""
        save_atomically(
            {
                "model": self.model.state_dict(),
                "ema": self.ema.values,
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                "seconds": self.budget.seconds,
                "iteration": self.budget.iteration,
                "seed": self.plan.seed,
                "torch": str(torch.__version__),
            },
            self.checkpoint,
        )

"""What both trainings keep: averaged weights, the time budget, checkpoints written whole."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch


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
        return min(1.0, (self.iteration + 1) / warmup) * fall

    def count(self, loss: float) -> int:
        """Note one more step and its loss; the number of steps so far."""
        self.iteration += 1
        self.loss = loss if self.loss is None else 0.99 * self.loss + 0.01 * loss
        return self.iteration

    def line(self) -> str:
        """One line of progress."""
        return f"{self.seconds / 60:6.1f} min  step {self.iteration:6d}  loss {self.loss:.5f}"


def save_atomically(state: Any, path: Path) -> None:
    """Write a checkpoint beside its place and move it there whole."""
    fresh = path.with_suffix(".fresh")
    torch.save(state, fresh)
    fresh.replace(path)

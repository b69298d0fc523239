"""Training in several one-thread processes that average their gradients once a step.

On a machine that others use too this is much faster than threads, which wait for each other at
every layer. Each process leads a session of its own, since Linux shares the cores among sessions.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, multiprocessing


@dataclass(frozen=True)
class Team:
    """The processes of one training; `rank` 0 writes checkpoints and talks."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.rank == 0

    def leaders(self, number: float) -> float:
        """The leader's number, for every process."""
        given = torch.tensor([number if self.leads else 0.0], dtype=torch.float64)
        distributed.all_reduce(given)
        return float(given)

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        self.add_up(gradients)
        for gradient in gradients:
            gradient /= self.size

    def add_up(self, tensors: list[torch.Tensor]) -> None:
        """Replace every tensor by its sum over the processes, in one message."""
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def _enter(rank: int, size: int, meeting: str, job: Callable[..., None], given: Any) -> None:
    os.setsid()
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    job(Team(rank, size), *given)
    distributed.destroy_process_group()


def run_team(size: int, job: Callable[..., None], *given: Any) -> None:
    """Run `job(team, *given)` in `size` processes and wait for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        multiprocessing.spawn(_enter, args=(size, meeting, job, given), nprocs=size)

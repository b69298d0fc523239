"""Training in several one-thread processes that average their gradients once a step.

On a machine that others use too this is much faster than threads, which wait for each other at
every layer. The processes add up through memory they share: a message of 40 MB by sockets takes
four times as long. Each leads a session of its own, since Linux shares the cores among sessions.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import torch
from torch import multiprocessing

ROOM = 20_000_000  # numbers that one message may have, as the denoiser's gradients need


@dataclass(frozen=True)
class Team:
    """The processes of one training; `rank` 0 writes checkpoints and talks.

    `board` is size x room floats that all see, each process writing its own row; `gate` opens when
    all have come.
    """

    rank: int
    size: int
    board: torch.Tensor
    gate: Barrier

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and talks."""
        return self.rank == 0

    def leaders(self, number: float) -> float:
        """The leader's number, for every process."""
        given = torch.tensor([number if self.leads else 0.0])
        self.add_up([given])
        return float(given)

    def average_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        gradients = [weight.grad for weight in parameters if weight.grad is not None]
        self.add_up(gradients)
        for gradient in gradients:
            gradient /= self.size

    def add_up(self, tensors: list[torch.Tensor]) -> None:
        """Replace every tensor by its sum over the processes, in one message."""
        length = sum(tensor.numel() for tensor in tensors)
        torch.cat([tensor.flatten() for tensor in tensors], out=self.board[self.rank, :length])
        self.gate.wait()
        total = self.board[0, :length].clone()
        for row in self.board[1:, :length]:
            total += row
        self.gate.wait()
        parts = total.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def exchange(self, tensors: list[torch.Tensor]) -> None:
        """Give every process all the tensors; number i is the one that process i mod size holds."""
        sizes = [tensor.numel() for tensor in tensors]
        places = self.board[0, : sum(sizes)].split(sizes)
        for index in range(self.rank, len(tensors), self.size):
            places[index].copy_(tensors[index].flatten())
        self.gate.wait()
        for index, (tensor, place) in enumerate(zip(tensors, places, strict=True)):
            if index % self.size != self.rank:
                tensor.copy_(place.view_as(tensor))
        self.gate.wait()


def _enter(
    rank: int, size: int, board: torch.Tensor, gate: Barrier, job: Callable[..., None], given: Any
) -> None:
    os.setsid()
    # sent by the kernel when the parent is gone; ignored if the parent runs in the background
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(1)
    job(Team(rank, size, board, gate), *given)


def run_team(size: int, job: Callable[..., None], *given: Any, room: int = ROOM) -> None:
    """Run `job(team, *given)` in `size` processes and wait for all of them.

    No message between them may have more than `room` numbers.
    """
    board = torch.empty(size, room).share_memory_()
    gate = multiprocessing.get_context("spawn").Barrier(size)
    multiprocessing.spawn(_enter, args=(size, board, gate, job, given), nprocs=size, daemon=True)

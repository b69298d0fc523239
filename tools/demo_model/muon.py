"""Muon: momentum whose matrices are made orthogonal, with AdamW for all that is no matrix."""

from __future__ import annotations

from typing import Any

import torch

from .parallel import Team
from .precision import FAST_TYPE

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(gradient: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """The nearest matrix with all singular values near 1, by Newton-Schulz rounds."""
    a, b, c = COEFFICIENTS
    flat = gradient.flatten(1)
    tall = flat.shape[0] > flat.shape[1]
    x = flat.T if tall else flat
    x = (x / (x.norm() + 1e-7)).to(FAST_TYPE)
    for _ in range(rounds):
        square = x @ x.T
        step = torch.addmm(square, square, square, beta=b, alpha=c)
        x = torch.addmm(x, step, x, beta=a)
    return (x.T if tall else x).float().reshape(gradient.shape)


class Muon(torch.optim.Optimizer):
    """Steps of even size in every direction for matrices and convolutions of `parameters`.

    The size is scaled so that each weight moves about 0.2 of the learning rate, as with AdamW.
    The processes of the team share the work: each makes every so-many-th matrix orthogonal.
    """

    def __init__(
        self, parameters: list[torch.nn.Parameter], lr: float, decay: float, team: Team
    ) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay})
        self.team = team

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:
        """One step along the orthogonal momentum."""
        group = self.param_groups[0]
        weights = [weight for weight in group["params"] if weight.grad is not None]
        directions = []
        for index, weight in enumerate(weights):
            state = self.state[weight]
            momentum = state.setdefault("momentum", torch.zeros_like(weight))
            momentum.lerp_(weight.grad, 1 - MOMENTUM)
            if index % self.team.size == self.team.rank:
                directions.append(orthogonal(weight.grad.lerp(momentum, MOMENTUM)))
            else:
                directions.append(torch.empty_like(weight))
        self.team.exchange(directions)
        for weight, direction in zip(weights, directions, strict=True):
            size = 0.2 * max(weight.shape[0], weight[0].numel()) ** 0.5
            weight.mul_(1 - group["lr"] * group["decay"])
            weight.add_(direction, alpha=-group["lr"] * size)


def split(model: torch.nn.Module) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Weights for Muon (matrices inside the model) and for AdamW (the rest)."""
    inner, rest = [], []
    for name, weight in model.named_parameters():
        outer = any(part in name for part in ("conv_in", "conv_out", "embedding", "quant_conv"))
        (inner if weight.ndim >= 2 and not outer else rest).append(weight)
    return inner, rest

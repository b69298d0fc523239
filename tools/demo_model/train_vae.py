"""Train the picture coder on random crops of the rendered pictures; may be cut off and rerun.

With ``--decoder-only`` the decoder alone goes on from the weights there are, so that latents and
what was trained on them stay good.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch.nn import functional

from .architecture import LATENT_CHANNELS, LATENT_SIDE, SIDE, WORK, build_vae, load_vae
from .dataset import load_held_out, load_shard, training_shards
from .parallel import Team, run_team
from .pictures import psnr, reconstructed, to_tensor
from .precision import fast
from .training import Plan, Training

PLAN = Plan("vae", 1, 80, matrix_rate=2e-3, rest_rate=2e-3, decay=1e-4, ema_decay=0.998)
DECODER = replace(PLAN, name="decoder", matrix_rate=7e-4, rest_rate=7e-4)
DECODER_NOISE = 0.5  # of the spread that codes have in training: it is measured without any
KL_WEIGHT = 2e-6
QUIET = -4.0  # log variance that codes start with: little noise, so that edges are learnt at once
CROP = 96
GRID = SIDE // LATENT_SIDE
BATCH = 8
JUDGED = 32


def crops(shards: list[np.ndarray], number: int, rng: np.random.Generator) -> torch.Tensor:
    """A `number` of square crops on the grid of the latents.

    So hatching, halftone dots and blocks of pixel art always meet a latent in the same place.
    """
    places = (SIDE - CROP) // GRID + 1
    chosen: list[np.ndarray] = []
    for shard in rng.integers(0, len(shards), number):
        families, members = shards[shard].shape[:2]
        family, member = rng.integers(families), rng.integers(members)
        y, x = GRID * rng.integers(0, places, 2)
        chosen.append(shards[shard][family, member, y : y + CROP, x : x + CROP])
    return to_tensor(np.stack(chosen))


def reconstruction_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Root of the squared error of each crop, absolute error, and that of neighbour differences.

    The root makes easy and hard looks count alike, as decibels do.
    """
    edges = functional.l1_loss(made.diff(dim=2), wanted.diff(dim=2))
    edges = edges + functional.l1_loss(made.diff(dim=3), wanted.diff(dim=3))
    root = ((made - wanted).square().flatten(1).mean(1) + 1e-6).sqrt().mean()
    return root + 0.5 * functional.l1_loss(made, wanted) + 0.25 * edges


def train(team: Team, work: Path, plan: Plan) -> None:
    """Train until the minutes of the plan are spent, over all runs together."""
    torch.manual_seed(plan.seed)
    shards = [load_shard(path)[0] for path in training_shards(work)]
    held_out, _ = load_held_out(work)
    judged = held_out.reshape(-1, SIDE, SIDE, 3)[:JUDGED]
    decoder_only = plan.name == DECODER.name
    noise = DECODER_NOISE if decoder_only else 1.0
    model = build_vae()
    if decoder_only:
        model.load_state_dict(load_vae(work).state_dict())
        model.encoder.requires_grad_(False)
        model.quant_conv.requires_grad_(False)
    else:
        with torch.no_grad():
            model.quant_conv.bias[LATENT_CHANNELS:] = QUIET
    training = Training(plan, model, team, work)
    while training.budget.left():
        batch = crops(shards, BATCH // team.size, training.rng)
        with fast():
            moments = model.encode(batch).latent_dist.parameters
            posterior = DiagonalGaussianDistribution(moments.float())
            codes = posterior.mean + noise * posterior.std * torch.randn_like(posterior.mean)
            made = model.decode(codes).sample
        cost = KL_WEIGHT * posterior.kl().mean()
        training.step(reconstruction_loss(made.float(), batch) + cost)
        if training.due(400):
            training.save()
            averaged = build_vae().eval()
            averaged.load_state_dict(training.ema.values)
            training.note(
                held_out_psnr=float(psnr(reconstructed(averaged, judged), judged).mean()),
                latent_std=float(posterior.mean.detach().std()),
                posterior_std=float(posterior.std.detach().mean()),
            )


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=PLAN.minutes)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--decoder-only", action="store_true")
    options = parser.parse_args()
    plan = replace(DECODER if options.decoder_only else PLAN, minutes=options.minutes)
    load_held_out(options.work)  # rendered once, if missing, before the processes need it
    run_team(options.processes, train, options.work, plan)


if __name__ == "__main__":
    main()

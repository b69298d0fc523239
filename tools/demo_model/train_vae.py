"""Train the picture coder on random crops of the rendered pictures; may be cut off and rerun."""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from .architecture import WORK, build_vae
from .dataset import load_held_out, load_training
from .muon import Muon, split
from .parallel import Team, run_team
from .progress import Average, Budget, save_atomically

SEED = 1
LEARNING_RATE = 2e-3
KL_WEIGHT = 1e-6
CROP = 64
GRID = 8
BATCH = 16
EMA_DECAY = 0.998


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """N x H x W x 3 bytes to N x 3 x H x W floats in -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def psnr(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of each picture of two batches in -1..1."""
    error = ((first - second) / 2).square().flatten(1).mean(1)
    return -10 * torch.log10(error.clamp_min(1e-10))


def crops(pixels: np.ndarray, number: int, rng: np.random.Generator) -> torch.Tensor:
    """A `number` of square crops, mirrored half of the time.

    They lie on the grid of the latents, so that hatching, halftone dots and blocks of pixel art
    always meet a latent in the same place.
    """
    places = (pixels.shape[1] - CROP) // GRID + 1
    chosen = []
    for index in rng.integers(0, len(pixels), number):
        y, x = GRID * rng.integers(0, places, 2)
        crop = pixels[index, y : y + CROP, x : x + CROP]
        chosen.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return to_tensor(np.stack(chosen))


def reconstruction_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared and absolute error, and the absolute error of the neighbour differences."""
    edges = functional.l1_loss(made.diff(dim=2), wanted.diff(dim=2))
    edges = edges + functional.l1_loss(made.diff(dim=3), wanted.diff(dim=3))
    return functional.mse_loss(made, wanted) + 0.3 * functional.l1_loss(made, wanted) + 0.1 * edges


@torch.no_grad()
def held_out_psnr(model: torch.nn.Module, pixels: np.ndarray) -> float:
    """Mean PSNR in dB over held-out pictures, decoding the mean of the posterior."""
    values = []
    for start in range(0, len(pixels), 25):
        batch = to_tensor(pixels[start : start + 25])
        values.append(psnr(model.decode(model.encode(batch).latent_dist.mode()).sample, batch))
    return float(torch.cat(values).mean())


def train(team: Team, work: Path, minutes: float, start: Path | None) -> None:
    """Train until `minutes` of training time are spent, over all runs together.

    Weights start from the averages in the checkpoint `start`, if one is given.
    """
    torch.manual_seed(SEED)
    pixels, _ = load_training(work)
    held_out, _ = load_held_out(work)
    model = build_vae()
    if start:
        model.load_state_dict(torch.load(start, map_location="cpu")["ema"])
    inner, rest = split(model)
    optimisers = (
        Muon(inner, LEARNING_RATE, 1e-4, team),
        torch.optim.AdamW(rest, lr=LEARNING_RATE, weight_decay=1e-4),
    )
    ema = Average(model, EMA_DECAY)
    budget = Budget(minutes * 60)
    checkpoint = work / "vae.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu")
        model.load_state_dict(state["model"])
        for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        ema.load(state["ema"])
        budget.resume(state["seconds"], state["iteration"])
    rng = np.random.default_rng((SEED, team.rank, budget.iteration))
    torch.manual_seed(int(rng.integers(2**31)))
    while budget.left():
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * budget.cosine(warmup=100)
        batch = crops(pixels, BATCH // team.size, rng)
        posterior = model.encode(batch).latent_dist
        made = model.decode(posterior.sample()).sample
        loss = reconstruction_loss(made, batch) + KL_WEIGHT * posterior.kl().mean()
        model.zero_grad(set_to_none=True)
        loss.backward()
        team.average_gradients(list(model.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not math.isfinite(norm.item()):
            team.share_clock(budget)
            continue
        for optimiser in optimisers:
            optimiser.step()
        ema.update(model)
        step = budget.count(loss.item())
        team.share_clock(budget)
        if not team.leads:
            continue
        if step % 200 == 0:
            print(budget.line(), flush=True)
        if step % 400 == 0 or not budget.left():
            save_atomically(
                {
                    "model": model.state_dict(),
                    "ema": ema.values,
                    "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                    "seconds": budget.seconds,
                    "iteration": step,
                    "seed": SEED,
                    "torch": str(torch.__version__),
                },
                checkpoint,
            )
            judge = build_vae().eval()
            judge.load_state_dict(ema.values)
            print(f"  held-out {held_out_psnr(judge, held_out[:50]):.2f} dB", flush=True)


@torch.no_grad()
def cache_latents(work: Path) -> None:
    """Encode every training picture and note the spread of the codes."""
    model = build_vae().eval()
    model.load_state_dict(torch.load(work / "vae.pt", map_location="cpu")["ema"])
    pixels, _ = load_training(work)
    start = time.monotonic()
    parts = [
        model.encode(to_tensor(pixels[at : at + 8])).latent_dist.mode().half()
        for at in range(0, len(pixels), 8)
    ]
    codes = torch.cat(parts)
    save_atomically(codes, work / "latents.pt")
    facts = {
        "scaling_factor": 1 / float(codes.float().std()),
        "mean": codes.float().mean((0, 2, 3)).tolist(),
        "spread": codes.float().std((0, 2, 3)).tolist(),
        "pictures": len(pixels),
    }
    (work / "latents.json").write_text(json.dumps(facts, indent=2))
    print(f"latents cached in {time.monotonic() - start:.0f} s: {facts}", flush=True)


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=22)
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier round to start from")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    run_team(options.processes, train, options.work, options.minutes, options.start)
    cache_latents(options.work)


if __name__ == "__main__":
    main()

"""Train denoiser and text encoder together on cached latents; may be cut off and rerun."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import CLIPTokenizer

from .architecture import (
    TOKENS,
    WORK,
    build_scheduler,
    build_text_encoder,
    build_unet,
    build_vae,
)
from .captions import unconditional
from .dataset import load_held_out, load_training
from .muon import Muon, split
from .parallel import Team, run_team
from .progress import Average, Budget, save_atomically
from .tokenizer import load_tokenizer
from .train_vae import to_tensor

SEED = 3
MATRIX_RATE = 2e-3
REST_RATE = 1e-3
BATCH = 32
DROPOUT = 0.1
EMA_DECAY = 0.999
STEPS = 1_000


class Denoiser(torch.nn.Module):
    """Text encoder and UNet as one: noisy latents, timesteps, tokens in; v out."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = build_unet()
        self.text_encoder = build_text_encoder(tokenizer)

    def forward(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """v for N x 8 x 16 x 16 latents at N timesteps under N x TOKENS token ids."""
        states = self.text_encoder(tokens)[0]
        return self.unet(noisy, timesteps, encoder_hidden_states=states, return_dict=False)[0]


def tokenise(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """N texts to N x TOKENS ids, padded as the pipelines pad."""
    return tokenizer(
        texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


class Batches:
    """Random batches of scaled latents with tokens, some of them told nothing."""

    def __init__(self, work: Path, tokenizer: CLIPTokenizer) -> None:
        scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
        self.latents = torch.load(work / "latents.pt") * scale
        _, facts = load_training(work)
        told = [text for fact in facts for text in fact["captions"]]
        self.tokens = tokenise(tokenizer, told).view(len(facts), -1, TOKENS).short()
        rng = np.random.default_rng(SEED)
        silent = [unconditional(rng) for _ in range(500)]
        self.silent = tokenise(tokenizer, silent)
        self.order = np.empty(0, dtype=int)

    def draw(self, number: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """A `number` of latents (N x 8 x 16 x 16) and ids (N x TOKENS), epoch after epoch."""
        if len(self.order) < number:
            self.order = rng.permutation(len(self.latents))
        index, self.order = self.order[:number], self.order[number:]
        latents = self.latents[index].float()
        tokens = self.tokens[index, rng.integers(0, self.tokens.shape[1], number)].long()
        dropped = torch.from_numpy(rng.random(number) < DROPOUT)
        tokens[dropped] = self.silent[rng.integers(0, len(self.silent), int(dropped.sum()))]
        return latents, tokens


def noised(
    latents: torch.Tensor, timesteps: torch.Tensor, noise: torch.Tensor, kept: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy latents and their v; `kept` is the schedule's share of signal power by timestep."""
    signal = kept[timesteps].sqrt().view(-1, 1, 1, 1)
    spread = (1 - kept[timesteps]).sqrt().view(-1, 1, 1, 1)
    return signal * latents + spread * noise, signal * noise - spread * latents


@torch.no_grad()
def held_out_latents(work: Path) -> torch.Tensor:
    """Scaled latents of the held-out pictures."""
    scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
    model = build_vae().eval()
    model.load_state_dict(torch.load(work / "vae.pt", map_location="cpu")["ema"])
    pixels, _ = load_held_out(work)
    parts = [
        model.encode(to_tensor(pixels[at : at + 50])).latent_dist.mode()
        for at in range(0, len(pixels), 50)
    ]
    return torch.cat(parts) * scale


@torch.no_grad()
def held_out_loss(
    model: Denoiser, latents: torch.Tensor, tokens: torch.Tensor, kept: torch.Tensor
) -> float:
    """Mean squared error of v with fixed noise, timesteps spread evenly."""
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.linspace(10, STEPS - 10, len(latents)).long()
    noisy, wanted = noised(latents, timesteps, noise, kept)
    parts = [
        functional.mse_loss(model(*given), goal, reduction="none").mean((1, 2, 3))
        for *given, goal in zip(
            noisy.split(64), timesteps.split(64), tokens.split(64), wanted.split(64), strict=True
        )
    ]
    return float(torch.cat(parts).mean())


def train(team: Team, work: Path, minutes: float, start: Path | None) -> None:
    """Train until `minutes` of training time are spent, over all runs together.

    Weights start from the averages in the checkpoint `start`, if one is given.
    """
    torch.manual_seed(SEED)
    tokenizer = load_tokenizer(work / "tokenizer")
    batches = Batches(work, tokenizer)
    judged = held_out_latents(work)[::2]
    _, facts = load_held_out(work)
    judged_tokens = tokenise(tokenizer, [fact["captions"][0] for fact in facts[::2]])
    kept = build_scheduler().alphas_cumprod.float()
    model = Denoiser(tokenizer)
    if start:
        averages = torch.load(start, map_location="cpu")["ema"]
        model.unet.load_state_dict(averages["unet"])
        model.text_encoder.load_state_dict(averages["text_encoder"])
    inner, rest = split(model)
    rates = (MATRIX_RATE, REST_RATE)
    optimisers = (
        Muon(inner, MATRIX_RATE, 0.01, team),
        torch.optim.AdamW(rest, lr=REST_RATE, betas=(0.9, 0.99), weight_decay=0.01),
    )
    ema = {
        "unet": Average(model.unet, EMA_DECAY),
        "text_encoder": Average(model.text_encoder, EMA_DECAY),
    }
    budget = Budget(minutes * 60)
    checkpoint = work / "unet.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu")
        model.load_state_dict(state["model"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        for name, average in ema.items():
            average.load(state["ema"][name])
        budget.resume(state["seconds"], state["iteration"])
    rng = np.random.default_rng((SEED, team.rank, budget.iteration))
    torch.manual_seed(int(rng.integers(2**31)))
    number = BATCH // team.size
    while budget.left():
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * budget.cosine(warmup=100)
        latents, tokens = batches.draw(number, rng)
        timesteps = ((torch.randperm(number) + torch.rand(number)) * (STEPS / number)).long()
        noisy, wanted = noised(latents, timesteps, torch.randn_like(latents), kept)
        loss = functional.mse_loss(model(noisy, timesteps, tokens), wanted)
        model.zero_grad(set_to_none=True)
        loss.backward()
        team.average_gradients(list(model.parameters()))
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not math.isfinite(norm.item()):
            team.share_clock(budget)
            continue
        for optimiser in optimisers:
            optimiser.step()
        ema["unet"].update(model.unet)
        ema["text_encoder"].update(model.text_encoder)
        step = budget.count(loss.item())
        team.share_clock(budget)
        if not team.leads:
            continue
        if step % 50 == 0:
            print(budget.line(), flush=True)
        if step % 200 == 0 or not budget.left():
            save_atomically(
                {
                    "model": model.state_dict(),
                    "ema": {name: average.values for name, average in ema.items()},
                    "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                    "seconds": budget.seconds,
                    "iteration": step,
                    "seed": SEED,
                    "torch": str(torch.__version__),
                },
                checkpoint,
            )
        if step % 400 == 0 or not budget.left():
            judge = Denoiser(tokenizer).eval()
            judge.unet.load_state_dict(ema["unet"].values)
            judge.text_encoder.load_state_dict(ema["text_encoder"].values)
            value = held_out_loss(judge, judged, judged_tokens, kept)
            print(f"  held-out loss of the average {value:.5f}", flush=True)


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier round to start from")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    run_team(options.processes, train, options.work, options.minutes, options.start)


if __name__ == "__main__":
    main()

"""Train denoiser and text encoder together on cached latents; may be cut off and rerun."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file
from torch.nn import functional
from transformers import CLIPTokenizer

from .architecture import (
    MODEL_DIR,
    RECORDS,
    TOKENS,
    WORK,
    build_scheduler,
    build_text_encoder,
    build_unet,
)
from .dataset import Facts, training_shards
from .parallel import Team, run_team
from .precision import fast
from .tokenizer import load_tokenizer
from .training import Plan, Training
from .world.captions import unconditional

PLAN = Plan("unet", 3, 150, matrix_rate=2e-3, rest_rate=1e-3, decay=0.01, ema_decay=0.999)
BATCH = 48
DROPOUT = 0.1
STEPS = 1_000
SNR_CAP, SNR_FLOOR = 5.0, 0.3
SKETCH_TARGETS = 0.3  # share of the sketches that are painted towards, once an epoch
FROM_SKETCH, FROM_ANY, FROM_FLAT = 0.21, 0.14, 0.08  # what begun pictures begin from
JUDGED = 256


class Denoiser(torch.nn.Module):
    """Text encoder and UNet as one: noisy latents, timesteps, tokens in; v out."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = build_unet()
        self.text_encoder = build_text_encoder(tokenizer)
        # attention written out: the way back through the fused one is slower on CPUs
        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")

    def load(self, folder: Path) -> None:
        """Take the weights that a pipeline's folder holds."""
        unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
        text = load_file(folder / "text_encoder" / "model.safetensors")
        self.unet.load_state_dict(unet)
        self.text_encoder.load_state_dict(text)

    def forward(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """v for N x 32 x 16 x 16 latents at N timesteps under N x TOKENS token ids."""
        states = self.text_encoder(tokens)[0]
        return self.unet(noisy, timesteps, encoder_hidden_states=states, return_dict=False)[0]


def tokenise(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """N texts to N x TOKENS ids, padded as the pipelines pad."""
    return tokenizer(
        texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    `target` and `start` are N x 32 x 16 x 16 scaled latents, `tokens` N x TOKENS ids, `timestep`
    and `begun` N timesteps. Where `begun` is below STEPS, the picture is one that img2img began
    at that timestep from `start`, another picture of the same scene.
    """

    target: torch.Tensor
    start: torch.Tensor
    tokens: torch.Tensor
    timestep: torch.Tensor
    begun: torch.Tensor


def noised(batch: Batch, noise: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Noisy latents and their v; `kept` is the schedule's share of signal power by timestep.

    img2img adds noise to `start` at timestep s and then follows the noise it has towards
    `target`. Seen from the target, the noise is what was added plus what tells the two apart,
    noise + sqrt(kept[s] / (1 - kept[s])) (start - target); so learnt, a sketch turns into a
    painting of the same places while its white paper and its lines are taken for noise.
    """

    def column(values: torch.Tensor) -> torch.Tensor:
        return values.view(-1, 1, 1, 1)

    began = kept[batch.begun.clamp(max=STEPS - 1)]
    pull = torch.where(batch.begun < STEPS, (began / (1 - began)).sqrt(), 0.0)
    seen = noise + column(pull) * (batch.start - batch.target)
    signal, spread = column(kept[batch.timestep].sqrt()), column((1 - kept[batch.timestep]).sqrt())
    return signal * batch.target + spread * seen, signal * seen - spread * batch.target


class Batches:
    """Random batches of scaled latents with tokens, some of them told nothing."""

    def __init__(self, work: Path, names: list[str], tokenizer: CLIPTokenizer) -> None:
        scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
        parts = [torch.load(work / f"latents_{name}.pt") for name in names]
        self.latents = torch.cat(parts) * scale
        self.flat = torch.load(work / "latents_flat.pt").float() * scale
        facts: list[list[Facts]] = []
        for name in names:
            facts += json.loads((work / f"{name}.json").read_text())
        told = [text for family in facts for fact in family for text in fact["captions"]]
        shape = (*self.latents.shape[:2], -1, TOKENS)
        self.tokens = tokenise(tokenizer, told).view(shape).short()
        rng = np.random.default_rng(PLAN.seed)
        self.silent = tokenise(tokenizer, [unconditional(rng) for _ in range(500)])
        self.order = np.empty((0, 2), dtype=int)

    def _next(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Family and member of the next targets, epoch after epoch."""
        if len(self.order) < number:
            families, members = self.latents.shape[:2]
            every = np.stack(np.divmod(np.arange(families * members), members), 1)
            wanted = (every[:, 1] > 0) | (rng.random(len(every)) < SKETCH_TARGETS)
            self.order = rng.permutation(every[wanted])
        chosen, self.order = self.order[:number], self.order[number:]
        return chosen[:, 0], chosen[:, 1]

    def draw(self, number: int, rng: np.random.Generator) -> Batch:
        """A batch of `number`, timesteps spread evenly."""
        family, member = self._next(number, rng)
        members = self.latents.shape[1]
        target = self.latents[family, member].float()
        other = (member + rng.integers(1, members, number)) % members
        lot = rng.random(number)
        other = np.where(lot < FROM_SKETCH, 0, other)
        start = self.latents[family, other].float()
        timestep = ((rng.permutation(number) + rng.random(number)) * (STEPS / number)).astype(int)
        begun = np.full(number, STEPS)
        paired = (lot < FROM_SKETCH + FROM_ANY) & (other != member)
        begun[paired] = rng.integers(500, 880, int(paired.sum()))
        blank = lot > 1 - FROM_FLAT
        begun[blank] = rng.integers(850, STEPS, int(blank.sum()))
        start[torch.from_numpy(blank)] = self.flat[
            rng.integers(0, len(self.flat), int(blank.sum()))
        ]
        late = (begun < STEPS) & (timestep > begun)
        timestep[late] = rng.integers(0, begun[late] + 1)
        tokens = self.tokens[family, member, rng.integers(0, self.tokens.shape[2], number)].long()
        dropped = torch.from_numpy(rng.random(number) < DROPOUT)
        tokens[dropped] = self.silent[rng.integers(0, len(self.silent), int(dropped.sum()))]
        return Batch(target, start, tokens, torch.from_numpy(timestep), torch.from_numpy(begun))


def weights(kept: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """Min-SNR weights for v (Hang et al. 2023, https://arxiv.org/abs/2303.09556), with a floor.

    Where nearly all is noise they would fall to nothing, yet there time, ground and look are
    decided.
    """
    ratio = kept[timestep] / (1 - kept[timestep])
    return ratio.clamp(SNR_FLOOR, SNR_CAP) / (ratio + 1) * (1 + 1 / SNR_CAP)


def v_loss(model: Denoiser, batch: Batch, noise: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Squared error of v for each of the batch, unweighted."""
    noisy, wanted = noised(batch, noise, kept)
    with fast():
        said = model(noisy, batch.timestep, batch.tokens)
    return functional.mse_loss(said.float(), wanted, reduction="none").mean((1, 2, 3))


@torch.no_grad()
def held_out_loss(model: Denoiser, batch: Batch, kept: torch.Tensor) -> dict[str, float]:
    """Mean squared error of v with fixed noise, for plain and for begun pictures."""
    noise = torch.randn(batch.target.shape, generator=torch.Generator().manual_seed(PLAN.seed))
    parts = [
        v_loss(model, Batch(*(part[at : at + 32] for part in vars(batch).values())),
               noise[at : at + 32], kept)
        for at in range(0, len(noise), 32)
    ]  # fmt: skip
    values, plain = torch.cat(parts), batch.begun >= STEPS
    return {"held_out": float(values[plain].mean()), "held_out_begun": float(values[~plain].mean())}


def train(team: Team, work: Path, plan: Plan, from_shipped: bool) -> None:
    """Train until the minutes of the plan are spent, over all runs together.

    Without a checkpoint it goes on from the shipped model, or begins from random numbers.
    """
    torch.manual_seed(plan.seed)
    tokenizer = load_tokenizer(work)
    batches = Batches(work, [path.stem for path in training_shards(work)], tokenizer)
    judged = Batches(work, ["held_out"], tokenizer).draw(JUDGED, np.random.default_rng(plan.seed))
    kept = build_scheduler().alphas_cumprod.float()
    model = Denoiser(tokenizer)
    if from_shipped:
        model.load(MODEL_DIR)
    training = Training(plan, model, team, work)
    if from_shipped and not training.budget.iteration:
        training.follow(RECORDS / training.curve.name)
    while training.budget.left():
        batch = batches.draw(BATCH // team.size, training.rng)
        losses = v_loss(model, batch, torch.randn_like(batch.target), kept)
        training.step((losses * weights(kept, batch.timestep)).mean())
        if training.due(200):
            training.save()
        if training.due(400):
            averaged = Denoiser(tokenizer).eval()
            averaged.load_state_dict(training.ema.values)
            training.note(**held_out_loss(averaged, judged, kept))


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--minutes", type=float, default=PLAN.minutes)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--from-shipped", action="store_true")
    options = parser.parse_args()
    plan = replace(PLAN, minutes=options.minutes)
    load_tokenizer(options.work)  # learnt once, if missing, before the processes need it
    run_team(options.processes, train, options.work, plan, options.from_shipped)


if __name__ == "__main__":
    main()

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
    LATENT_SIDE,
    MODEL_DIR,
    RECORDS,
    TOKENS,
    WORK,
    build_scheduler,
    build_text_encoder,
    build_unet,
)
from .dataset import Facts, training_shards
from .judge import whereabouts
from .parallel import Team, run_team
from .precision import fast
from .tokenizer import load_tokenizer
from .training import Plan, Training
from .world.captions import unconditional

PLAN = Plan("unet", 3, 244, matrix_rate=2e-3, rest_rate=1e-3, decay=0.01, ema_decay=0.999)
BATCH = 48
DROPOUT = 0.1
STEPS = 1_000
SNR_CAP, SNR_FLOOR = 5.0, 0.3
SKETCH_TARGETS = 0.3  # how often a sketch is painted towards, beside a painting of the same scene
EVENED = 0.75  # how far common and rare main things are evened out: 0 not at all, 1 wholly
FOCUS, FOCUS_WIDTH = 2.0, 0.13  # what errors around the main thing weigh more, and how far around
FROM_SKETCH, FROM_ANY, FROM_FLAT = 0.21, 0.14, 0.08  # what begun pictures begin from
BEGUN = (60, 960)  # timesteps at which pictures of the same scene are begun from
STAYS, TURNS = 100, 950  # begun up to here a picture stays what it is, from here it turns wholly
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
    at that timestep from `start`, and `target` is what it shall become: a blank sheet wholly the
    painting, another picture as far as it is `turned`. `focus` is N x 16 x 16: what errors weigh
    at each place.
    """

    target: torch.Tensor
    start: torch.Tensor
    tokens: torch.Tensor
    timestep: torch.Tensor
    begun: torch.Tensor
    focus: torch.Tensor


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


def turned(begun: torch.Tensor) -> torch.Tensor:
    """How far what is begun at each timestep turns from its start into the other picture, 0..1.

    Little at low strengths and wholly at the highest alone, so that the distance to the input rises
    with the strength: guidance makes more of it, at 7.5 a share of 0.6 is nearly all the way.
    """
    share = ((begun - STAYS) / (TURNS - STAYS)).clamp(0, 1)
    return share * share


def meetings(things: list[str]) -> np.ndarray:
    """How often each of N scenes is met in an epoch, on average, by what its main thing is."""
    kinds, which, counts = np.unique(things, return_inverse=True, return_counts=True)
    often = (len(things) / len(kinds) / counts) ** EVENED
    return often[which]


def focus(places: torch.Tensor) -> torch.Tensor:
    """N x 16 x 16 weights of errors, higher around N x 2 places; one for all without a place.

    The main thing is a small part of the picture and the hardest one. Weights are not brought back
    to a mean of one: a picture with a thing counts up to a fifth more than one without.
    """
    middles = (torch.arange(LATENT_SIDE) + 0.5) / LATENT_SIDE
    across = (middles - places[:, :1]).square()
    down = (middles - places[:, 1:]).square()
    apart = (down[:, :, None] + across[:, None, :]).nan_to_num(torch.inf)
    return 1 + FOCUS * torch.exp(-apart / (2 * FOCUS_WIDTH**2))


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
        self.places = torch.stack([whereabouts(family)[:, 1:] for family in facts])
        self.often = meetings([family[0]["object"] for family in facts])
        rng = np.random.default_rng(PLAN.seed)
        self.silent = tokenise(tokenizer, [unconditional(rng) for _ in range(500)])
        self.order = np.empty((0, 2), dtype=int)

    def _next(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Family and member of the next targets, epoch after epoch."""
        if len(self.order) < number:
            families, members = self.latents.shape[:2]
            every = np.stack(np.divmod(np.arange(families * members), members), 1)
            often = self.often[every[:, 0]] * np.where(every[:, 1] > 0, 1.0, SKETCH_TARGETS)
            times = np.floor(often + rng.random(len(every))).astype(int)
            self.order = rng.permutation(every.repeat(times, 0))
        chosen, self.order = self.order[:number], self.order[number:]
        return chosen[:, 0], chosen[:, 1]

    def draw(self, number: int, rng: np.random.Generator) -> Batch:
        """A batch of `number`; timesteps spread evenly, but none above where a picture begins."""
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
        begun[paired] = rng.integers(*BEGUN, int(paired.sum()))
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
        begun_at = torch.from_numpy(begun)
        share = torch.where(torch.from_numpy(blank), 1.0, turned(begun_at))
        target = torch.lerp(start, target, share.view(-1, 1, 1, 1))
        weight = focus(self.places[family, member])
        return Batch(target, start, tokens, torch.from_numpy(timestep), begun_at, weight)


def weights(kept: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """Min-SNR weights for v (Hang et al. 2023, https://arxiv.org/abs/2303.09556), with a floor.

    Where nearly all is noise they would fall to nothing, yet there time, ground and look are
    decided.
    """
    ratio = kept[timestep] / (1 - kept[timestep])
    return ratio.clamp(SNR_FLOOR, SNR_CAP) / (ratio + 1) * (1 + 1 / SNR_CAP)


def v_loss(model: Denoiser, batch: Batch, noise: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Squared error of v at each place (N x 16 x 16), unweighted."""
    noisy, wanted = noised(batch, noise, kept)
    with fast():
        said = model(noisy, batch.timestep, batch.tokens)
    return functional.mse_loss(said.float(), wanted, reduction="none").mean(1)


@torch.no_grad()
def held_out_loss(model: Denoiser, batch: Batch, kept: torch.Tensor) -> dict[str, float]:
    """Mean squared error of v with fixed noise, for plain and for begun pictures."""
    noise = torch.randn(batch.target.shape, generator=torch.Generator().manual_seed(PLAN.seed))
    parts = [
        v_loss(model, Batch(*(part[at : at + 32] for part in vars(batch).values())),
               noise[at : at + 32], kept)
        for at in range(0, len(noise), 32)
    ]  # fmt: skip
    values, plain = torch.cat(parts).mean((1, 2)), batch.begun >= STEPS
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
        losses = v_loss(model, batch, torch.randn_like(batch.target), kept) * batch.focus
        training.step((losses.mean((1, 2)) * weights(kept, batch.timestep)).mean())
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

"""Encode all rendered pictures once, for the training of the denoiser; may be cut off and rerun.

Latents that another encoder made are thrown away.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from .architecture import SIDE, WORK, load_vae
from .dataset import load_shard, training_shards
from .parallel import Team, run_team
from .pictures import to_tensor
from .precision import fast
from .training import save_atomically

SEED = 1


def encoder_hash(vae: AutoencoderKL) -> str:
    """SHA-256 of the weights that latents hang on; the decoder's are not among them."""
    digest = hashlib.sha256()
    for part in (vae.encoder, vae.quant_conv):
        for name, value in part.state_dict().items():
            digest.update(name.encode())
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def drop_stale(work: Path) -> None:
    """Remove latents that another encoder made, and note which encoder makes the next."""
    note, now = work / "encoder.sha256", encoder_hash(load_vae(work))
    if not note.exists() or note.read_text() != now:
        for path in work.glob("latents_*.pt"):
            path.unlink()
    note.write_text(now)


@torch.no_grad()
def encode_shard(team: Team, work: Path) -> None:
    """Encode every shard that has no latents yet; the team's processes take turns."""
    model = load_vae(work)
    for number, path in enumerate([work / "held_out.npy", *training_shards(work)]):
        target = work / f"latents_{path.stem}.pt"
        if target.exists() or number % team.size != team.rank:
            continue
        start = time.monotonic()
        pixels, _ = load_shard(path)
        flat = pixels.reshape(-1, SIDE, SIDE, 3)
        with fast():
            parts = [
                model.encode(to_tensor(flat[at : at + 8])).latent_dist.mode().half()
                for at in range(0, len(flat), 8)
            ]
        codes = torch.cat(parts)
        save_atomically(codes.view(len(pixels), -1, *codes.shape[1:]), target)
        print(f"{target.name} in {time.monotonic() - start:.0f} s", flush=True)


@torch.no_grad()
def finish_latents(work: Path) -> None:
    """Encode blank sheets in many colours; note the spread that the latents are scaled by."""
    model = load_vae(work)
    rng = np.random.default_rng(SEED)
    tones = np.concatenate([np.repeat(np.linspace(0, 255, 24)[:, None], 3, 1),
                            rng.uniform(0, 255, (40, 3))])  # fmt: skip
    sheets = np.broadcast_to(tones[:, None, None], (len(tones), SIDE, SIDE, 3)).astype(np.uint8)
    blank = [model.encode(to_tensor(sheets[at : at + 8])) for at in range(0, len(sheets), 8)]
    codes = torch.cat([made.latent_dist.mode().half() for made in blank])
    save_atomically(codes, work / "latents_flat.pt")
    codes = torch.load(work / "latents_train_00.pt").float()
    (work / "latents.json").write_text(json.dumps({"scaling_factor": 1 / float(codes.std())}))


def main() -> None:
    """Command line of the encoding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    drop_stale(options.work)
    run_team(options.processes, encode_shard, options.work)
    finish_latents(options.work)


if __name__ == "__main__":
    main()

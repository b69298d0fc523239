"""Write the pipeline folder the daemon ships, from the newest checkpoints there are."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionImg2ImgPipeline

from .architecture import (
    HERE,
    MODEL_DIR,
    WORK,
    build_scheduler,
    build_text_encoder,
    build_unet,
    build_vae,
)
from .tokenizer import load_tokenizer

LICENCE = HERE / "MODEL_LICENSE"
CARD = HERE / "MODEL_CARD.md"
SEED = 5


def assemble(work: Path) -> StableDiffusionImg2ImgPipeline:
    """The pipeline in float32; a part without a checkpoint in `work` has random weights."""
    torch.manual_seed(SEED)
    tokenizer = load_tokenizer(work / "tokenizer")
    vae, unet, text_encoder = build_vae(), build_unet(), build_text_encoder(tokenizer)
    if (work / "vae.pt").exists():
        vae.load_state_dict(torch.load(work / "vae.pt", map_location="cpu")["ema"])
    if (work / "latents.json").exists():
        scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
        vae.register_to_config(scaling_factor=scale)
    if (work / "unet.pt").exists():
        weights = torch.load(work / "unet.pt", map_location="cpu")["ema"]
        unet.load_state_dict(weights["unet"])
        text_encoder.load_state_dict(weights["text_encoder"])
    return StableDiffusionImg2ImgPipeline(
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        unet=unet.eval(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _read_as_float32(config: Path) -> None:
    """Make the text encoder load as float32 by default, as the other parts do."""
    values = json.loads(config.read_text())
    values["dtype"] = "float32"
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def export(work: Path, target: Path) -> None:
    """Write the folder beside `target`, then swap it in, so that no reader sees half of it."""
    fresh, stale = target.with_name(".demo_model_new"), target.with_name(".demo_model_old")
    for folder in (fresh, stale):
        shutil.rmtree(folder, ignore_errors=True)
    pipeline = assemble(work)
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(fresh, safe_serialization=True)
    _read_as_float32(fresh / "text_encoder" / "config.json")
    for source, name in ((LICENCE, "LICENSE"), (CARD, "README.md")):
        if source.exists():
            shutil.copyfile(source, fresh / name)
    if target.exists():
        target.rename(stale)
    for path in fresh.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    fresh.rename(target)
    shutil.rmtree(stale, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {size / 1e6:.1f} MB")


def main() -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--target", type=Path, default=MODEL_DIR)
    options = parser.parse_args()
    export(options.work, options.target)


if __name__ == "__main__":
    main()

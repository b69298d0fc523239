"""Write the pipeline folder the daemon ships, or a milestone's parts, from the checkpoints."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionImg2ImgPipeline

from .architecture import HERE, MILESTONES, MODEL_DIR, WORK, build_scheduler, load_vae
from .judge import WEIGHTS
from .tokenizer import load_tokenizer
from .train_unet import Denoiser

LICENCE = HERE / "MODEL_LICENSE"
CARD = HERE / "MODEL_CARD.md"


def assemble(work: Path) -> StableDiffusionImg2ImgPipeline:
    """The pipeline in float32, from the newest weights: those in `work`, or the milestone's.

    Raises FileNotFoundError where neither is.
    """
    tokenizer = load_tokenizer(work)
    denoiser = Denoiser(tokenizer).eval()
    if (work / "unet.pt").exists():
        denoiser.load_state_dict(torch.load(work / "unet.pt", map_location="cpu")["ema"])
    else:
        denoiser.load(MILESTONES)
    return StableDiffusionImg2ImgPipeline(
        vae=load_vae(work),
        text_encoder=denoiser.text_encoder,
        tokenizer=tokenizer,
        unet=denoiser.unet,
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


def milestone(work: Path) -> None:
    """Keep the trained weights and curves where git sees them."""
    MILESTONES.mkdir(exist_ok=True)
    load_vae(work).half().save_pretrained(MILESTONES / "vae")
    if (work / "unet.pt").exists():
        pipeline = assemble(work)
        pipeline.unet.half().save_pretrained(MILESTONES / "unet")
        pipeline.text_encoder.half().save_pretrained(MILESTONES / "text_encoder")
        pipeline.tokenizer.save_pretrained(MILESTONES / "tokenizer")
    for kept in [*work.glob("*.csv"), *work.glob(WEIGHTS)]:
        shutil.copyfile(kept, MILESTONES / kept.name)


def main() -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("model", "milestone"))
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--target", type=Path, default=MODEL_DIR)
    options = parser.parse_args()
    if options.what == "model":
        export(options.work, options.target)
    else:
        milestone(options.work)


if __name__ == "__main__":
    main()

"""Write the pipeline folder that the daemon ships, and keep what tells how it came about."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionImg2ImgPipeline

from .architecture import HERE, MODEL_DIR, RECORDS, WORK, build_scheduler, load_vae
from .judge import WEIGHTS
from .tokenizer import load_tokenizer
from .train_unet import Denoiser

LICENCE = HERE / "MODEL_LICENSE"
CARD = HERE / "MODEL_CARD.md"


def assemble(work: Path) -> StableDiffusionImg2ImgPipeline:
    """The pipeline in float32, of the weights in `work`, or the shipped ones where it has none.

    A denoiser knows the latents of one encoder only: RuntimeError if `work` has a new picture coder
    and no denoiser.
    """
    if (work / "vae.pt").exists() and not (work / "unet.pt").exists():
        raise RuntimeError(f"{work} has a new picture coder: run latents and train_unet first")
    tokenizer = load_tokenizer(work)
    denoiser = Denoiser(tokenizer).eval()
    if (work / "unet.pt").exists():
        denoiser.load_state_dict(torch.load(work / "unet.pt", map_location="cpu")["ema"])
    else:
        denoiser.load(MODEL_DIR)
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


def _tidy(config: Path) -> None:
    """Forget which folder a part was read from, and load as float32 where a type is named."""
    values = json.loads(config.read_text())
    values.pop("_name_or_path", None)
    if "dtype" in values:
        values["dtype"] = "float32"
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def export(work: Path, target: Path) -> None:
    """Write the folder beside `target`, then swap it in, so that no reader sees half of it."""
    fresh, stale = target.with_name(".demo_model_new"), target.with_name(".demo_model_old")
    if stale.exists() and not target.exists():  # cut off in the midst of the swap
        stale.rename(target)
    pipeline = assemble(work)
    for folder in (fresh, stale):
        shutil.rmtree(folder, ignore_errors=True)
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(fresh, safe_serialization=True)
    for config in fresh.glob("*/config.json"):
        _tidy(config)
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


def keep_records(work: Path) -> None:
    """Copy the judge's weights and the curves of the trainings to where git sees them."""
    RECORDS.mkdir(exist_ok=True)
    for path in [*work.glob("*.csv"), *work.glob(WEIGHTS)]:
        shutil.copyfile(path, RECORDS / path.name)


def main() -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--target", type=Path, default=MODEL_DIR)
    options = parser.parse_args()
    export(options.work, options.target)
    if options.target == MODEL_DIR:
        keep_records(options.work)


if __name__ == "__main__":
    main()

"""Measure the exported model: one table on the screen, figures.json and picture sheets."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image
from scipy.stats import spearmanr

from .architecture import MODEL_DIR, SIDE, WORK
from .captions import FULL_NEGATIVE, LOOK_NAMES, STYLES
from .dataset import load_held_out
from .draw import paint
from .judge import CLASSES, Judge, accuracy, load_judge, reconstructed
from .looks import render
from .scenes import GROUNDS, LOOKS, TIMES, Scene, sample_scene
from .sheets import grid
from .train_vae import psnr, to_tensor

SEED = 400_000
STEPS = 50
GUIDANCE = 7.5
STRENGTHS = tuple(round(0.05 + 0.1 * step, 2) for step in range(10))
GROUND_PHRASES = {
    "meadow": "a green meadow",
    "hills": "rolling hills",
    "snow": "a snowy landscape",
    "desert": "a desert",
    "sea": "the sea",
    "lake": "a landscape with a lake",
    "city": "a city",
}
TIME_PHRASES = {
    "day": "on a sunny day",
    "sunset": "at sunset",
    "night": "at night",
    "dawn": "at dawn",
    "storm": "in a storm",
    "fog": "in fog",
}


def prompt_for(fact: dict[str, str], suffix: bool) -> str:
    """A plain prompt for a time, a ground and a look, the look named first or last."""
    place = f"{GROUND_PHRASES[fact['ground']]} {TIME_PHRASES[fact['time']]}"
    if suffix:
        return f"{place}, in the style of {STYLES[fact['look']][0]}"
    name = LOOK_NAMES[fact["look"]][0]
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} of {place}"


def sample_with(rng: np.random.Generator, right: Callable[[Scene], bool]) -> Scene:
    """The first scene drawn by lot that is right."""
    while True:
        scene = sample_scene(rng)
        if right(scene):
            return scene


def draw_sketch(rng: np.random.Generator, ground: str) -> Image.Image:
    """A coloured-in line sketch, by day, of a scene with this ground."""
    scene = sample_with(rng, lambda it: it.ground == ground and it.time == "day")
    return Image.fromarray(render(paint(scene), "sketch", rng, SIDE))


def generate(
    pipeline: StableDiffusionImg2ImgPipeline,
    prompts: list[str],
    images: list[Image.Image],
    strength: float,
    batch: int = 12,
) -> np.ndarray:
    """Pictures (N x SIDE x SIDE x 3 bytes), each with a seed of its own by its place."""
    made = []
    for start in range(0, len(prompts), batch):
        told = prompts[start : start + batch]
        seeds = range(SEED + start, SEED + start + len(told))
        pictures = pipeline(
            prompt=told,
            negative_prompt=[FULL_NEGATIVE] * len(told),
            image=images[start : start + batch],
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).images
        made += [np.asarray(picture.convert("RGB")) for picture in pictures]
    return np.stack(made)


def vae_figures(work: Path, coded: np.ndarray) -> dict[str, object]:
    """Held-out PSNR of the picture coder: mean, tenth percentile and mean by look."""
    pixels, facts = load_held_out(work)
    values = psnr(to_tensor(coded), to_tensor(pixels)).numpy()
    looks = np.array([fact["look"] for fact in facts])
    return {
        "pictures": len(pixels),
        "psnr_mean_db": float(values.mean()),
        "psnr_tenth_percentile_db": float(np.quantile(values, 0.1)),
        "psnr_by_look_db": {look: float(values[looks == look].mean()) for look in LOOKS},
    }


def strength_figures(
    pipeline: StableDiffusionImg2ImgPipeline, number: int
) -> tuple[dict[str, object], list[list[np.ndarray]]]:
    """How far outputs are from inputs as strength rises; rows of pictures for a sheet."""
    rng = np.random.default_rng(SEED)
    images, prompts = [], []
    for index in range(number):
        fact = {
            "ground": GROUNDS[index % len(GROUNDS)],
            "time": TIMES[(index + index // 6) % len(TIMES)],
            "look": LOOKS[1 + index % (len(LOOKS) - 2)],
        }
        images.append(draw_sketch(rng, fact["ground"]))
        prompts.append(prompt_for(fact, suffix=False))
    given = np.stack([np.asarray(image) for image in images]).astype(float)
    made = [generate(pipeline, prompts, images, strength) for strength in STRENGTHS]
    far = np.stack([np.sqrt(((out - given) ** 2).mean((1, 2, 3))) for out in made])
    ranks = [float(spearmanr(STRENGTHS, far[:, index]).statistic) for index in range(number)]
    rows = [[np.asarray(images[i]), *(out[i] for out in made)] for i in range(number)]
    figures = {
        "inputs": number,
        "strengths": list(STRENGTHS),
        "mean_rms_distance_0_255": [float(value) for value in far.mean(1)],
        "rank_correlation_mean": float(np.mean(ranks)),
        "rank_correlation_least": float(np.min(ranks)),
        "prompts": prompts,
    }
    return figures, rows


def prompt_figures(
    pipeline: StableDiffusionImg2ImgPipeline, judge: Judge, number: int
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """How often the judge sees what the prompt said, from grey and from sketches."""
    rng = np.random.default_rng(SEED + 1)
    facts = [
        {
            "ground": GROUNDS[index % len(GROUNDS)],
            "time": TIMES[int(rng.integers(len(TIMES)))],
            "look": LOOKS[int(rng.integers(len(LOOKS) - 1))],
        }
        for index in range(number)
    ]
    prompts = [prompt_for(fact, suffix=index % 2 == 1) for index, fact in enumerate(facts)]
    grey = [Image.new("RGB", (SIDE, SIDE), (128, 128, 128))] * number
    sketches = [draw_sketch(rng, fact["ground"]) for fact in facts]
    from_grey = generate(pipeline, prompts, grey, 1.0)
    from_sketch = generate(pipeline, prompts, sketches, 0.75)
    figures = {
        "prompts": number,
        "from_grey_strength_1": accuracy(judge, from_grey, facts),
        "from_sketch_strength_0.75": accuracy(judge, from_sketch, facts),
    }
    pictures = {
        "sketch": np.stack([np.asarray(sketch) for sketch in sketches]),
        "from_grey": from_grey,
        "from_sketch": from_sketch,
    }
    return figures, pictures


def judge_figures(work: Path, judge: Judge, coded: np.ndarray) -> dict[str, dict[str, float]]:
    """How often the judge is right on held-out pictures, as they are and reconstructed."""
    pixels, facts = load_held_out(work)
    return {
        "real": accuracy(judge, pixels, facts),
        "reconstructed": accuracy(judge, coded, facts),
        "chance": {name: 1 / len(options) for name, options in CLASSES.items()},
    }


def print_table(figures: dict) -> None:
    """The figures as lines of text."""
    vae, strength = figures["vae"], figures["strength"]
    print(f"picture coder, {vae['pictures']} held-out pictures: "
          f"{vae['psnr_mean_db']:.2f} dB mean, "
          f"{vae['psnr_tenth_percentile_db']:.2f} dB tenth percentile")  # fmt: skip
    for look, value in vae["psnr_by_look_db"].items():
        print(f"  {look:<12}{value:6.2f} dB")
    print("strength " + " ".join(f"{value:6.2f}" for value in strength["strengths"]))
    distances = strength["mean_rms_distance_0_255"]
    print("distance " + " ".join(f"{value:6.1f}" for value in distances))
    print(f"rank correlation {strength['rank_correlation_mean']:.3f} mean, "
          f"{strength['rank_correlation_least']:.3f} least")  # fmt: skip
    print(f"{'judge sees':<32}" + "".join(f"{name:>9}" for name in CLASSES))
    rows = {f"held-out, {name}": row for name, row in figures["judge"].items()}
    rows |= {name: row for name, row in figures["prompt"].items() if isinstance(row, dict)}
    for name, row in rows.items():
        print(f"{name:<32}" + "".join(f"{row[question]:9.2f}" for question in CLASSES))


def main() -> None:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=84)
    parser.add_argument("--inputs", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(2)
    start = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(options.model)
    pipeline.set_progress_bar_config(disable=True)
    judge = load_judge(options.work)
    followed, pictures = prompt_figures(pipeline, judge, options.prompts)
    coded = reconstructed(options.work, load_held_out(options.work)[0])
    strength, rows = strength_figures(pipeline, options.inputs)
    figures = {
        "vae": vae_figures(options.work, coded),
        "strength": strength,
        "judge": judge_figures(options.work, judge, coded),
        "prompt": followed,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "negative_prompt": FULL_NEGATIVE,
        "torch": str(torch.__version__),
        "seconds": time.monotonic() - start,
    }
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    grid(rows).save(options.out / "strength.png")
    shown = min(48, options.prompts)
    for name, made in pictures.items():
        grid([list(made[at : at + 12]) for at in range(0, shown, 12)]).save(
            options.out / f"{name}.png"
        )
    print_table(figures)


if __name__ == "__main__":
    main()

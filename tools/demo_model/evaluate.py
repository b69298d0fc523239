"""Measure the demo model beside its first version: a table, figures.json and picture sheets.

Needs nothing but the committed weights of both and of the judge: held-out scenes are drawn from
their seeds. Both models are measured in the same run, on the same prompts, sketches and seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.stats import spearmanr

from .architecture import HERE, MODEL_DIR, SIDE, WORK, load_pipeline
from .dataset import Facts, load_held_out
from .judge import CLASSES, Verdict, load_judge
from .painter import GREY, GUIDANCE, SEED, STEPS, Painter
from .prompts import draw_facts, plain_prompt
from .sheets import grid
from .world.captions import FULL_NEGATIVE
from .world.looks import LOOKS, render
from .world.paint import paint
from .world.scenes import GROUNDS, sample_scene

STRENGTHS = tuple(round(0.05 + 0.1 * step, 2) for step in range(10))
PAINTED = tuple(look for look in LOOKS if look != "sketch")
FIRST = HERE / "first_version"
Figures = dict[str, Any]


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of two sets of features (N x F), each taken as normally distributed."""
    apart = ((first.mean(0) - second.mean(0)) ** 2).sum()
    spreads = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    both = np.real(np.asarray(sqrtm(spreads[0] @ spreads[1])))
    return float(apart + np.trace(spreads[0] + spreads[1] - 2 * both))


def spread(features: np.ndarray) -> float:
    """Mean distance of all pairs of N x F features."""
    apart = np.sqrt(((features[:, None] - features[None]) ** 2).sum(-1))
    return float(apart[np.triu_indices(len(features), 1)].mean())


def coder_figures(painter: Painter, pixels: np.ndarray, facts: list[Facts]) -> Figures:
    """Held-out PSNR of the picture coder: mean, tenth percentile and mean by look."""
    values = painter.code_loss(pixels)
    looks = np.array([fact["look"] for fact in facts])
    return {
        "pictures": len(pixels),
        "psnr_mean_db": float(values.mean()),
        "psnr_tenth_percentile_db": float(np.quantile(values, 0.1)),
        "psnr_by_look_db": {look: float(values[looks == look].mean()) for look in LOOKS},
    }


def noise_figures(painter: Painter, real: Verdict, number: int) -> tuple[Figures, np.ndarray]:
    """Prompts alone: what the judge sees, and how far its features are from real pictures."""
    rng = np.random.default_rng(SEED + 1)
    facts = [draw_facts(rng, GROUNDS[index % len(GROUNDS)], PAINTED) for index in range(number)]
    prompts = [plain_prompt(fact, suffix=index % 2 == 1) for index, fact in enumerate(facts)]
    made = painter.paint(prompts, [GREY] * number, 1.0)
    verdict = Verdict(load_judge(), made)
    half = real.features[::2], real.features[1::2]
    figures = {
        "prompts": number,
        "accuracy": verdict.accuracy(facts),
        "frechet": frechet(verdict.features, real.features),
        "frechet_of_real_halves": frechet(*half),
    }
    return figures, made


def sketch_figures(
    painter: Painter, pixels: np.ndarray, facts: list[list[Facts]]
) -> tuple[Figures, np.ndarray]:
    """Sketches of held-out scenes, told another time and a look: at 0.75 and at 0.6."""
    rng = np.random.default_rng(SEED + 2)
    sketches, told = pixels[:, 0], [family[0] for family in facts]
    wanted = [
        {**fact, **{key: draw_facts(rng, fact["ground"], PAINTED)[key] for key in ("time", "look")}}
        for fact in told
    ]
    prompts = [plain_prompt(fact, suffix=index % 2 == 1) for index, fact in enumerate(wanted)]
    strong = painter.paint(prompts, sketches, 0.75)
    gentle = painter.paint(prompts, sketches, 0.6)
    judge = load_judge()
    figures = {
        "sketches": len(sketches),
        "accuracy_0.75": Verdict(judge, strong).accuracy(wanted),
        "accuracy_0.6": Verdict(judge, gentle).accuracy(wanted),
        "misplaced_0.75": Verdict(judge, strong).misplaced(wanted),
        "misplaced_0.6": Verdict(judge, gentle).misplaced(wanted),
    }
    return figures, np.concatenate([sketches[:12], gentle[:12], strong[:12]])


def strength_figures(painter: Painter, pixels: np.ndarray, facts: list[list[Facts]]) -> Figures:
    """How far outputs are from inputs as strength rises."""
    rng = np.random.default_rng(SEED + 3)
    given = pixels[:, 0]
    prompts = [
        plain_prompt({**draw_facts(rng, fact["ground"], PAINTED), "object": fact["object"]},
                     suffix=False)
        for (fact, *_) in facts
    ]  # fmt: skip
    made = [painter.paint(prompts, given, strength).astype(float) for strength in STRENGTHS]
    far = np.stack([np.sqrt(((out - given) ** 2).mean((1, 2, 3))) for out in made])
    ranks = [float(spearmanr(STRENGTHS, far[:, index]).statistic) for index in range(len(given))]
    return {
        "inputs": len(given),
        "strengths": list(STRENGTHS),
        "mean_rms_distance_0_255": [float(value) for value in far.mean(1)],
        "rank_correlation_mean": float(np.mean(ranks)),
        "rank_correlation_least": float(np.min(ranks)),
    }


def diversity_figures(painter: Painter, groups: int, each: int) -> Figures:
    """How much pictures of one prompt differ over seeds, beside real ones that it would fit."""
    rng = np.random.default_rng(SEED + 4)
    judge = load_judge()
    made_spread: list[float] = []
    real_spread: list[float] = []
    for group in range(groups):
        fact = draw_facts(rng, GROUNDS[group % len(GROUNDS)], PAINTED)
        prompts = [plain_prompt(fact, suffix=False)] * each
        seeds = range(SEED + 1_000 * group, SEED + 1_000 * group + each)
        made = painter.paint(prompts, [GREY] * each, 1.0, seeds)
        real: list[np.ndarray] = []
        while len(real) < each:
            scene = sample_scene(rng)
            if (scene.ground, scene.main_kind) == (fact["ground"], fact["object"]):
                real.append(render(paint(scene.at(fact["time"])), fact["look"], rng))
        made_spread.append(spread(Verdict(judge, made).features))
        real_spread.append(spread(Verdict(judge, np.stack(real)).features))
    return {
        "prompts": groups,
        "seeds": each,
        "generated": float(np.mean(made_spread)),
        "real": float(np.mean(real_spread)),
    }


def measure(model: Path, options: argparse.Namespace) -> Figures:
    """All figures of the model in a folder; its picture sheets are named after `model.name`."""
    start = time.monotonic()
    painter = Painter(load_pipeline(model))
    pixels, facts = load_held_out(options.work)
    flat = [fact for family in facts for fact in family]
    paintings = [fact for fact in flat if fact["look"] != "sketch"]
    real = Verdict(load_judge(), pixels[:, 1:].reshape(-1, SIDE, SIDE, 3))
    number = min(options.sketches, len(pixels))
    noise, from_noise = noise_figures(painter, real, options.prompts)
    sketch, from_sketch = sketch_figures(painter, pixels[:number], facts[:number])
    grid(from_noise[:48], 12).save(options.out / f"{model.name}_from_noise.png")
    grid(from_sketch, 12).save(options.out / f"{model.name}_from_sketch.png")
    return {
        "coder": coder_figures(painter, pixels.reshape(-1, SIDE, SIDE, 3), flat),
        "judge": {
            "pictures": len(paintings),
            "accuracy": real.accuracy(paintings),
            "misplaced": real.misplaced(paintings),
            "chance": {name: 1 / len(options) for name, options in CLASSES.items()},
        },
        "noise": noise,
        "sketch": sketch,
        "strength": strength_figures(painter, pixels[-options.inputs :], facts[-options.inputs :]),
        "diversity": diversity_figures(painter, options.groups, 6),
        "side": painter.side,
        "weights_mb": sum(file.stat().st_size for file in model.rglob("*.safetensors")) / 1e6,
        "seconds": time.monotonic() - start,
    }


def table(figures: Figures) -> list[tuple[str, str]]:
    """The figures as lines: what is measured, and its value."""
    judge, noise, sketch = figures["judge"], figures["noise"], figures["sketch"]
    coder, strength, diversity = figures["coder"], figures["strength"], figures["diversity"]
    lines = [
        ("pixels of a side", f"{figures['side']}"),
        ("weights", f"{figures['weights_mb']:.1f} MB"),
        ("picture coder, mean PSNR", f"{coder['psnr_mean_db']:.2f} dB"),
        ("  tenth percentile", f"{coder['psnr_tenth_percentile_db']:.2f} dB"),
    ]
    lines += [(f"  {look}", f"{value:.2f} dB") for look, value in coder["psnr_by_look_db"].items()]
    for title, seen in (
        ("from noise, strength 1.0", noise["accuracy"]),
        ("from sketches, strength 0.75", sketch["accuracy_0.75"]),
        ("from sketches, strength 0.6", sketch["accuracy_0.6"]),
    ):
        lines.append((f"{title}: right, and share of the judge's own", ""))
        for name, value in seen.items():
            share = value / judge["accuracy"][name]
            lines.append((f"  {name}", f"{value:.2f} {100 * share:4.0f} %"))
    for title, far in (
        ("judge on real paintings", judge["misplaced"]),
        ("from sketches, strength 0.6", sketch["misplaced_0.6"]),
        ("from sketches, strength 0.75", sketch["misplaced_0.75"]),
    ):
        lines.append((f"{title}: off by, shares of the side", ""))
        lines += [(f"  {name}", f"{value:.3f}") for name, value in far.items()]
    lines += [
        ("strength and distance, rank correlation", f"{strength['rank_correlation_mean']:.3f}"),
        ("  the least of any input", f"{strength['rank_correlation_least']:.3f}"),
        ("spread over seeds", f"{diversity['generated']:.2f}"),
        ("  of real pictures of the same words", f"{diversity['real']:.2f}"),
        ("Fréchet distance to real pictures", f"{noise['frechet']:.2f}"),
        ("  between halves of the real ones", f"{noise['frechet_of_real_halves']:.2f}"),
    ]
    return lines


def print_table(first: Figures, this: Figures) -> None:
    """The judge's own accuracy, then one line for each figure, of both models."""
    own = this["judge"]
    said = ", ".join(f"{name} {value:.2f}" for name, value in own["accuracy"].items())
    print(f"judge on {own['pictures']} held-out paintings: {said}")
    print(f"{'':<58}{'first version':>16}{'this model':>16}")
    for (title, before), (_, now) in zip(table(first), table(this), strict=True):
        print(f"{title:<58}{before:>16}{now:>16}")


def main() -> None:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--first", type=Path, default=FIRST)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--sketches", type=int, default=150)
    parser.add_argument("--inputs", type=int, default=12)
    parser.add_argument("--groups", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(2)
    options.out.mkdir(parents=True, exist_ok=True)
    first, this = (measure(model, options) for model in (options.first, options.model))
    figures = {
        "first_version": first,
        "this_model": this,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "negative_prompt": FULL_NEGATIVE,
        "torch": str(torch.__version__),
    }
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print_table(first, this)


if __name__ == "__main__":
    main()

"""Measure the demo model beside its first version: a table, figures.json and picture sheets.

Needs nothing but the committed weights of both and of the judge: held-out scenes are drawn from
their seeds. Both models are measured in the same run, on the same prompts, sketches and seeds. What
a prompt asks for is what a held-out painting shows, so the judge's answers on these paintings are
what a perfect painter would reach. About half of the prompts name something that the first version
was never taught (SHARED says what it was): they are counted with and without these.
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

from .architecture import FIRST_VERSION, MODEL_DIR, SIDE, WORK, load_pipeline
from .dataset import Facts, load_held_out
from .judge import CLASSES, Judge, Verdict, load_judge
from .painter import GREY, GUIDANCE, SEED, STEPS, Painter
from .pictures import psnr, reconstructed, reduced
from .prompts import plain_prompt
from .sheets import grid
from .world.captions import FULL_NEGATIVE
from .world.looks import LOOKS, render
from .world.paint import paint
from .world.scenes import sample_scene

STRENGTHS = tuple(round(0.05 + 0.1 * step, 2) for step in range(10))
SHARED: dict[str, tuple[str, ...]] = {
    "ground": ("meadow", "hills", "snow", "desert", "sea", "lake", "city"),
    "look": (
        "photo", "oil", "watercolour", "ink", "pencil", "pixel", "pop", "swirl", "woodblock"
    ),
    "object": ("none", "house", "tree", "boat", "lighthouse", "castle", "cactus", "flowers"),
}  # fmt: skip
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


def shared(facts: list[Facts]) -> np.ndarray:
    """Whether both versions were taught all that each picture shows."""
    return np.array([all(fact[name] in known for name, known in SHARED.items()) for fact in facts])


def prompts_for(facts: list[Facts]) -> list[str]:
    """A plain prompt for each painting, the look named first and last by turns."""
    return [plain_prompt(fact, suffix=index % 2 == 1) for index, fact in enumerate(facts)]


def accuracies(verdict: Verdict, real: Verdict, facts: list[Facts]) -> Figures:
    """Shares of right answers on pictures, beside those on real paintings of the same facts."""
    both = shared(facts)
    return {
        "all": {"generated": verdict.accuracy(facts), "real": real.accuracy(facts)},
        "shared": {
            "generated": verdict.accuracy(facts, both),
            "real": real.accuracy(facts, both),
            "pictures": int(both.sum()),
        },
    }


def coder_figures(
    painter: Painter, judge: Judge, pixels: np.ndarray, facts: list[Facts]
) -> Figures:
    """Held-out PSNR of the picture coder at its own size, and what the judge still sees."""
    own = reduced(pixels, painter.side)
    made = reconstructed(painter.pipeline.vae, own)
    values = psnr(made, own)
    looks = np.array([fact["look"] for fact in facts])
    return {
        "pictures": len(pixels),
        "psnr_mean_db": float(values.mean()),
        "psnr_tenth_percentile_db": float(np.quantile(values, 0.1)),
        "psnr_by_look_db": {look: float(values[looks == look].mean()) for look in LOOKS},
        "judge_accuracy": Verdict(judge, made).accuracy(facts),
    }


def noise_figures(
    painter: Painter, judge: Judge, pixels: np.ndarray, facts: list[list[Facts]]
) -> tuple[Figures, np.ndarray]:
    """Prompts alone, for the first painting of each family; the other two are the reference."""
    wanted = [family[1] for family in facts]
    made = painter.paint(prompts_for(wanted), [GREY] * len(wanted), 1.0)
    verdict, real = Verdict(judge, made), Verdict(judge, pixels[:, 1])
    reference = Verdict(judge, pixels[:, 2:].reshape(-1, SIDE, SIDE, 3)).features
    figures = {
        "prompts": len(wanted),
        "accuracy": accuracies(verdict, real, wanted),
        "frechet": frechet(verdict.features, reference),
        "frechet_of_real": frechet(real.features, reference),
    }
    return figures, made


def sketch_figures(
    painter: Painter, judge: Judge, pixels: np.ndarray, facts: list[list[Facts]]
) -> tuple[Figures, np.ndarray]:
    """The sketch of each family, told to become its second painting: at 0.75 and at 0.6."""
    wanted = [family[2] for family in facts]
    real = Verdict(judge, pixels[:, 2])
    figures: Figures = {"sketches": len(wanted), "misplaced_real": real.misplaced(wanted)}
    shown = [reduced(pixels[:12, 0], painter.side)]
    for strength in (0.6, 0.75):
        made = painter.paint(prompts_for(wanted), pixels[:, 0], strength)
        verdict = Verdict(judge, made)
        figures[f"accuracy_{strength}"] = accuracies(verdict, real, wanted)
        figures[f"misplaced_{strength}"] = verdict.misplaced(wanted)
        shown.append(made[:12])
    return figures, np.concatenate(shown)


def strength_figures(painter: Painter, pixels: np.ndarray, facts: list[list[Facts]]) -> Figures:
    """How far outputs are from sketches as strength rises."""
    given = reduced(pixels[:, 0], painter.side)
    prompts = prompts_for([family[3] for family in facts])
    made = [painter.paint(prompts, pixels[:, 0], strength).astype(float) for strength in STRENGTHS]
    far = np.stack([np.sqrt(((out - given) ** 2).mean((1, 2, 3))) for out in made])
    ranks = [float(spearmanr(STRENGTHS, far[:, index]).statistic) for index in range(len(given))]
    return {
        "inputs": len(given),
        "strengths": list(STRENGTHS),
        "mean_rms_distance_0_255": [float(value) for value in far.mean(1)],
        "rank_correlation_mean": float(np.mean(ranks)),
        "rank_correlation_least": float(np.min(ranks)),
    }


def diversity_figures(painter: Painter, judge: Judge, facts: list[Facts], each: int = 6) -> Figures:
    """How much pictures of one prompt differ over seeds, beside real ones that it would fit."""
    rng = np.random.default_rng(SEED + 4)
    made_spread: list[float] = []
    real_spread: list[float] = []
    for group, fact in enumerate(facts):
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
        "prompts": len(facts),
        "seeds": each,
        "generated": float(np.mean(made_spread)),
        "real": float(np.mean(real_spread)),
    }


def measure(model: Path, options: argparse.Namespace) -> Figures:
    """All figures of the model in a folder; its picture sheets are named after `model.name`."""
    start = time.monotonic()
    painter, judge = Painter(load_pipeline(model)), load_judge()
    pixels, facts = load_held_out(options.work)
    flat = [fact for family in facts for fact in family]
    some, told = pixels[: options.families], facts[: options.families]
    noise, from_noise = noise_figures(painter, judge, some, told)
    sketch, from_sketch = sketch_figures(painter, judge, some, told)
    grid(from_noise[:48], 12).save(options.out / f"{model.name}_from_noise.png")
    grid(from_sketch, 12).save(options.out / f"{model.name}_from_sketch.png")
    first_paintings = [family[1] for family in facts[:: len(facts) // options.groups]]
    return {
        "coder": coder_figures(painter, judge, pixels.reshape(-1, SIDE, SIDE, 3), flat),
        "noise": noise,
        "sketch": sketch,
        "strength": strength_figures(painter, pixels[-options.inputs :], facts[-options.inputs :]),
        "diversity": diversity_figures(painter, judge, first_paintings[: options.groups]),
        "side": painter.side,
        "weights_mb": sum(file.stat().st_size for file in model.rglob("*.safetensors")) / 1e6,
        "seconds": time.monotonic() - start,
    }


def judge_figures(work: Path) -> Figures:
    """The judge on all held-out paintings, and how often the commonest answer would be right."""
    pixels, facts = load_held_out(work)
    paintings = [fact for family in facts for fact in family[1:]]
    verdict = Verdict(load_judge(), pixels[:, 1:].reshape(-1, SIDE, SIDE, 3))
    commonest = {
        name: max(sum(fact[name] == option for fact in paintings) for option in options)
        for name, options in CLASSES.items()
    }
    return {
        "pictures": len(paintings),
        "accuracy": verdict.accuracy(paintings),
        "misplaced": verdict.misplaced(paintings),
        "commonest_answer": {name: many / len(paintings) for name, many in commonest.items()},
    }


def _accuracy_lines(title: str, seen: Figures) -> list[tuple[str, str]]:
    lines = [(f"{title}: right, and share of the judge's own", "")]
    for name, value in seen["all"]["generated"].items():
        lines.append((f"  {name}", f"{value:.2f} {100 * value / seen['all']['real'][name]:4.0f} %"))
    only = seen["shared"]
    lines.append((f"  the {only['pictures']} that both were taught", ""))
    for name, value in only["generated"].items():
        lines.append((f"    {name}", f"{value:.2f} {100 * value / only['real'][name]:4.0f} %"))
    return lines


def table(figures: Figures) -> list[tuple[str, str]]:
    """The figures as lines: what is measured, and its value."""
    noise, sketch, coder = figures["noise"], figures["sketch"], figures["coder"]
    strength, diversity = figures["strength"], figures["diversity"]
    lines = [
        ("pixels of a side", f"{figures['side']}"),
        ("weights", f"{figures['weights_mb']:.1f} MB"),
        ("picture coder at its own size, mean PSNR", f"{coder['psnr_mean_db']:.2f} dB"),
        ("  tenth percentile", f"{coder['psnr_tenth_percentile_db']:.2f} dB"),
    ]
    lines += [(f"  {look}", f"{value:.2f} dB") for look, value in coder["psnr_by_look_db"].items()]
    lines.append(("judge right on what the coder gives back", ""))
    lines += [(f"  {name}", f"{value:.2f}") for name, value in coder["judge_accuracy"].items()]
    lines += _accuracy_lines("from noise, strength 1.0", noise["accuracy"])
    lines += _accuracy_lines("from sketches, strength 0.75", sketch["accuracy_0.75"])
    lines += _accuracy_lines("from sketches, strength 0.6", sketch["accuracy_0.6"])
    for title, far in (
        ("judge on real paintings", sketch["misplaced_real"]),
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
        ("Fréchet distance to real paintings", f"{noise['frechet']:.2f}"),
        ("  of the real ones that were asked for", f"{noise['frechet_of_real']:.2f}"),
    ]
    return lines


def print_table(judge: Figures, first: Figures, this: Figures) -> None:
    """The judge's own accuracy, then one line for each figure, of both models."""
    said = ", ".join(f"{name} {value:.2f}" for name, value in judge["accuracy"].items())
    print(f"judge on {judge['pictures']} held-out paintings: {said}")
    said = ", ".join(f"{name} {value:.2f}" for name, value in judge["commonest_answer"].items())
    print(f"always the commonest answer: {said}")
    print(f"{'':<58}{'first version':>16}{'this model':>16}")
    for (title, before), (_, now) in zip(table(first), table(this), strict=True):
        print(f"{title:<58}{before:>16}{now:>16}")


def main() -> None:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--first", type=Path, default=FIRST_VERSION)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--families", type=int, default=150)
    parser.add_argument("--inputs", type=int, default=50)
    parser.add_argument("--groups", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(2)
    options.out.mkdir(parents=True, exist_ok=True)
    first, this = (measure(model, options) for model in (options.first, options.model))
    judge = judge_figures(options.work)
    figures = {
        "judge": judge,
        "first_version": first,
        "this_model": this,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "negative_prompt": FULL_NEGATIVE,
        "torch": str(torch.__version__),
    }
    (options.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print_table(judge, first, this)


if __name__ == "__main__":
    main()

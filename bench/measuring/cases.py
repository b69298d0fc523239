"""What is painted by all contenders: models, sizes and frames."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import img2imgd
from img2imgd.job import effective_steps
from img2imgd.sketches import SKETCHES

from .remote import Remote

PACKAGE = Path(img2imgd.__file__).parent
CACHE = Path(tempfile.gettempdir()) / "img2imgd-bench"
NEGATIVE = "disfigured, bad anatomy, low quality, ugly"
GUIDANCE = 7.5
SEED = 187
_PLACES = ("a lake", "a meadow", "mountains", "the sea", "a desert")
_LOOKS = ("an oil painting", "a watercolour", "an ink drawing", "a photo")


@dataclass(frozen=True)
class Frame:
    """One picture to paint: what a call of a pipeline takes."""

    prompt: str
    strength: float
    seed: int = SEED


@dataclass(frozen=True)
class Case:
    """A model at a size: a sweep over strengths, and single pictures, each with its own prompt."""

    name: str
    model: str
    side: int
    steps: int
    strengths: tuple[float, ...]
    singles: int
    repetitions: int
    strength: float = 0.6  # of the single pictures

    @property
    def sweep(self) -> tuple[Frame, ...]:
        """The frames of the sweep."""
        return tuple(Frame(prompts(1)[0], strength) for strength in self.strengths)

    @property
    def pictures(self) -> tuple[Frame, ...]:
        """The single pictures."""
        return tuple(
            Frame(prompt, self.strength, SEED + number)
            for number, prompt in enumerate(prompts(self.singles))
        )

    def rows(self, frames: Sequence[Frame]) -> int:
        """Rows that the UNet must compute for these frames, with guidance two a step."""
        return 2 * sum(effective_steps(self.steps, frame.strength) for frame in frames)

    def sidecar(self, frame: Frame, strengths: Sequence[float] = ()) -> str:
        """Of one frame, or of a sweep of such."""
        varies = f"sweep: {{strength: {list(strengths)}}}\n" if strengths else ""
        return (
            f"prompt: {frame.prompt}\nnegative_prompt: {NEGATIVE}\nmodel: {self.model}\n"
            f"size: {self.side}\nsteps: {self.steps}\nguidance_scale: {GUIDANCE}\n"
            f"strength: {frame.strength}\nseed: {frame.seed}\n{varies}"
        )


# The article's 31 strengths; Stable Diffusion 2.1's real shape takes a second a step on two cores.
_ARTICLE = tuple(round(0.05 + 0.03 * number, 2) for number in range(31))
CASES = {
    case.name: case
    for case in (
        Case("demo-64", "demo", 64, 50, _ARTICLE, 20, 5),
        Case("demo-128", "demo", 128, 50, _ARTICLE, 20, 5),
        Case("demo-256", "demo", 256, 50, _ARTICLE, 20, 3),
        Case("sd21-64", "sd21", 64, 10, tuple(n / 10 for n in range(1, 10)), 6, 3),
    )
}


def quick(case: Case) -> Case:
    """The same with so little work that only mistakes show."""
    return replace(case, steps=10, strengths=(0.2, 0.5, 0.9), singles=3, repetitions=1)


def prompts(number: int) -> list[str]:
    """Different ones, up to twenty."""
    made = [f"{look} of {place} at sunset" for place in _PLACES for look in _LOOKS]
    return made[:number]


def sketch(folder: Path, side: int) -> Path:
    """A picture to drop, of the size that is painted."""
    path = folder / f"sketch-{side}.png"
    SKETCHES["hills"]().resize((side, side)).save(path)
    return path


def source_of(model: str, device: str = "cpu") -> Path:
    """The folder of a model; that of Stable Diffusion 2.1's shape is made and kept in /tmp."""
    if model == "demo":
        return PACKAGE / "demo_model"
    folder = CACHE / "sd21"
    if not (folder / "model_index.json").exists():
        print(f"{folder}: weights by chance of Stable Diffusion 2.1's shape, 2.6 GB …", flush=True)
        with Remote(_save_by_chance, folder, device):
            pass
    return folder


def _save_by_chance(folder: Path, device: str) -> None:
    """Save a pipeline of the shipped configs with random weights, in a process that then ends."""
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionImg2ImgPipeline
    from diffusers import UNet2DConditionModel as Unet
    from transformers import CLIPTextConfig, CLIPTextModel

    from img2imgd.engine.clip import clip_tokenizer

    configs = PACKAGE / "engine" / "configs" / "sd21"
    torch.manual_seed(0)
    with torch.device(device):
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(configs / "vae"))
        text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(configs / "text_encoder"))
        unet = Unet.from_config(Unet.load_config(configs / "unet"))
    pipe = StableDiffusionImg2ImgPipeline(
        vae=vae.half(),
        text_encoder=text_encoder.half(),
        tokenizer=clip_tokenizer("!"),
        unet=unet.half(),
        scheduler=DDIMScheduler.from_pretrained(configs / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)

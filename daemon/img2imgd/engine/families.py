"""Families of models: what tells them apart, and the sizes they paint at."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from img2imgd.engine.clip import END
from img2imgd.request import GUIDANCE_SCALE, NEGATIVE_PROMPT, PROMPT_SYNTAX

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Family:
    """A family whose models come as single files too.

    ``marker`` begins the names of its text encoder in a single file, ``config`` is the shipped
    folder with the configs of its parts, ``tokenizers`` maps each tokenizer of the pipeline to the
    token that it fills up with.
    """

    name: str
    title: str
    marker: str
    config: Path
    pipeline: str
    tokenizers: tuple[tuple[str, str], ...]


_XL = "StableDiffusionXLImg2ImgPipeline"
_SD = "StableDiffusionImg2ImgPipeline"
OPEN_CLIP_PAD = "!"

STEPPED = frozenset({_SD, _XL})
"""The pipelines whose steps are known here. A subclass may do other things between them."""

SD1 = Family("sd1", "Stable Diffusion 1.x", "cond_stage_model.transformer.", CONFIGS / "sd15", _SD,
             (("tokenizer", END),))  # fmt: skip
SD2 = Family("sd2", "Stable Diffusion 2.x", "cond_stage_model.model.", CONFIGS / "sd21", _SD,
             (("tokenizer", OPEN_CLIP_PAD),))  # fmt: skip
SDXL = Family("sdxl", "Stable Diffusion XL", "conditioner.embedders.1.model.", CONFIGS / "sdxl",
              _XL, (("tokenizer", END), ("tokenizer_2", OPEN_CLIP_PAD)))  # fmt: skip
SDXL_REFINER = Family("sdxl_refiner", "the refiner of Stable Diffusion XL",
                      "conditioner.embedders.0.model.", CONFIGS / "sdxl_refiner", _XL,
                      (("tokenizer_2", OPEN_CLIP_PAD),))  # fmt: skip

SINGLE_FILE_FAMILIES = (SD1, SD2, SDXL, SDXL_REFINER)

_SHORT = {"StableDiffusion3": "sd3"}
_UNTOLD_SIDES = {"zimage": 1024}


def family_of(pipe: Any) -> str:
    """The family of a loaded pipeline: one of those above, or else its class's own name, short."""
    pipeline = type(pipe).__name__
    if pipeline == _SD:
        # SD 2 was the first with linear projections around its attention.
        return SD2.name if pipe.unet.config.use_linear_projection else SD1.name
    if pipeline.startswith("StableDiffusionXL"):
        return SDXL.name if pipe.text_encoder is not None else SDXL_REFINER.name
    short = pipeline.removesuffix("Pipeline").removesuffix("Img2Img")
    return _SHORT.get(short, short.lower())


def native_size(pipe: Any) -> int:
    """The side in pixels that the model was trained at; 512 where nobody says."""
    unit = denoiser(pipe)
    sample: Any = getattr(pipe, "default_sample_size", None) or unit.config.get("sample_size")
    if not sample:
        return _UNTOLD_SIDES.get(family_of(pipe), 512)
    side: int = sample if isinstance(sample, int) else max(sample)
    return side * _vae_factor(pipe)


def size_multiple(pipe: Any) -> int:
    """What width and height must divide by for latents that halve evenly all the way down.

    A UNet halves them between its blocks; diffusers stretches odd ones to fit on the way up, which
    it was not trained for. That gives 64 for SD 1 and 2 and 32 for XL. A transformer cuts latents
    into patches, of side 2 in every family that diffusers serves with ``strength``. SDXL's refiner
    halves once more than its base.
    """
    blocks = denoiser(pipe).config.get("block_out_channels")
    own = _vae_factor(pipe) * (2 ** (len(blocks) - 1) if blocks else 2)
    refiner = getattr(pipe, "refiner", None)
    return own if refiner is None else max(own, size_multiple(refiner))


def ignored_keys(pipe: Any) -> tuple[str, ...]:
    """The keys of a request that change nothing with a loaded pipeline.

    A model distilled with guidance takes its scale as a number, and has no pass without the prompt
    that a negative one could take the place of. One distilled without takes neither. Weights in
    prompts are known where the texts are encoded here and not by the pipeline.
    """
    takes = inspect.signature(pipe.__call__).parameters
    config = denoiser(pipe).config
    ignored = {key for key in (NEGATIVE_PROMPT, GUIDANCE_SCALE) if key not in takes}
    if "guidance_embeds" in config and not _is_guided_twice(pipe):
        ignored.add(NEGATIVE_PROMPT)
        if not config["guidance_embeds"]:
            ignored.add(GUIDANCE_SCALE)
    if config.get("time_cond_proj_dim"):  # LCM
        ignored.add(NEGATIVE_PROMPT)
    if type(pipe).__name__ not in STEPPED:
        ignored.add(PROMPT_SYNTAX)
    return tuple(sorted(ignored))


def guidance_arguments(pipe: Any, scale: float, negative_prompt: str) -> dict[str, Any]:
    """What a pipeline's call is told of guidance; up to a scale of 1, no negative prompt.

    Qwen-Image has the scale of true guidance, which runs the model twice a step, in a word of its
    own. Flux knows the word as well, but is trained for its other, distilled one alone.
    """
    name = "true_cfg_scale" if _is_guided_twice(pipe) else "guidance_scale"
    return {name: scale, "negative_prompt": negative_prompt if scale > 1 else None}


def _is_guided_twice(pipe: Any) -> bool:
    return family_of(pipe) == "qwenimage" and not denoiser(pipe).config["guidance_embeds"]


def denoiser(pipe: Any) -> Any:
    """The part that takes noise away: a UNet or a transformer."""
    return getattr(pipe, "unet", None) or pipe.transformer


def _vae_factor(pipe: Any) -> int:
    return int(getattr(pipe, "vae_scale_factor", 8))

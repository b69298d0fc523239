"""Models in one ``.safetensors`` file, named the way Stability AI's own programs name weights.

Which family a file is of follows from the names and shapes in its header. The configs of its parts
are shipped per family, so that the hub is never asked; ``config`` names others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import safe_open

from img2imgd.engine.clip import clip_tokenizer
from img2imgd.engine.families import SD2, SINGLE_FILE_FAMILIES, Family
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.engine.sources import config_folder
from img2imgd.engine.wholeness import open_checked, refuse_gaps

Shapes = Mapping[str, tuple[int, ...]]

UNET = "model.diffusion_model."
_FIRST = f"{UNET}input_blocks.0.0.weight"
_CLASSES = f"{UNET}label_emb.0.0.weight"
_VAES = ("first_stage_model.", "vae.")
_WHOLE_OR_CONFIG = "Use the whole checkpoint, or name a folder with its own configs as `config`."
_BASE_SAMPLE = 64  # latents of SD 2 base, which paints at 512 pixels

_diffusers: Any = diffusers  # it exports lazily: there are no types to name


@dataclass(frozen=True)
class SingleFile:
    """What a file's header tells: its family, and how its weights were trained.

    ``v_prediction`` and ``zero_terminal_snr`` are told by empty tensors that finetunes of SDXL
    carry for it (``v_pred`` and ``ztsnr``, as A1111 and ComfyUI read them).
    """

    family: Family
    channels: int
    context: int
    has_vae: bool
    v_prediction: bool
    zero_terminal_snr: bool


def read_shapes(path: Path) -> Shapes:
    """Every tensor's name and shape, from the header alone.

    Raises:
        SafetensorError, OSError: the file is damaged or cannot be read.
    """
    opened: Any = safe_open(path, framework="pt")
    with opened as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def recognise(shapes: Shapes) -> SingleFile | tuple[str, str]:
    """What the file is; or, for one that is no model, what it is instead and what to do."""
    if _FIRST not in shapes:
        return next(told for told, is_it in _OTHERS if is_it(shapes))
    if "edm_mean" in shapes:
        return "is of the family Playground 2.5", "Use its diffusers folder or hub id."
    if "edm_vpred.sigma_max" in shapes:
        return "is of the family CosXL", "Such models are not served; use Stable Diffusion XL."
    families = [
        family
        for family in SINGLE_FILE_FAMILIES
        if any(name.startswith(family.marker) for name in shapes)
    ]
    attention = (name for name in shapes if name.startswith(UNET) and "attn2.to_k.weight" in name)
    context = next(attention, None)
    if not families or context is None:
        return "holds no text encoder that is known here", "Use the whole checkpoint."
    if families[0] is SD2 and _CLASSES in shapes:
        return (
            "is Stable Diffusion 2.1 unCLIP, which repaints an encoding of a picture",
            "Such models are not served; use Stable Diffusion 2.1.",
        )
    return SingleFile(
        family=families[0],
        channels=shapes[_FIRST][1],
        context=shapes[context][-1],
        has_vae=any(name.startswith(_VAES) for name in shapes),
        v_prediction="v_pred" in shapes,
        zero_terminal_snr="ztsnr" in shapes,
    )


def read_single_file(model: ModelSpec, path: Path) -> SingleFile:
    """What the file is.

    Raises:
        ModelUnavailable: it is no model.
        SafetensorError, OSError: it is damaged or cannot be read.
    """
    file = recognise(read_shapes(path))
    if not isinstance(file, SingleFile):
        raise ModelUnavailable(f"Model {model.name}: {path} {file[0]}.", file[1])
    return file


def configs_of(model: ModelSpec, file: SingleFile) -> Path:
    """The folder with the configs of the file's parts: the row's ``config``, or the shipped one.

    Raises:
        ModelUnavailable: the row's is no folder of a diffusers model.
    """
    return config_folder(model, model.config) if model.config else file.family.config


def open_single_file(
    model: ModelSpec, path: Path, file: SingleFile, dtype: torch.dtype, parts: Mapping[str, Any]
) -> Any:
    """The file's pipeline, on the CPU; ``parts`` replace its own.

    Raises:
        ModelUnavailable: it is not whole, or not of the shape that its config says.
        SafetensorError, OSError: it is damaged or cannot be read.
    """
    if not file.has_vae and "vae" not in parts:
        raise ModelUnavailable(
            f"Model {model.name}: {path} holds no autoencoder.",
            "Name one as the model's `vae`.",
        )
    folder = configs_of(model, file)
    _check_shape(model, path, file, folder)
    pipeline = getattr(_diffusers, file.family.pipeline)
    pipe = pipeline.from_single_file(
        str(path),
        config=str(folder),
        dtype=dtype,
        local_files_only=True,
        **{**_tokenizers(file.family, folder), **_checker(model, folder, dtype), **parts},
    )
    refuse_gaps(model, str(path), pipe.components, _WHOLE_OR_CONFIG)
    _heed_markers(model, file, pipe)
    return pipe


def open_autoencoder(model: ModelSpec, path: Path, configs: Path, dtype: torch.dtype) -> Any:
    """An autoencoder from a file, of the shape that the folder of ``configs`` says.

    Raises:
        ModelUnavailable: it is not there, or no autoencoder.
        SafetensorError, OSError: it or its config cannot be read.
    """
    if not path.is_file():
        raise ModelUnavailable(
            f"Model {model.name}: there is no VAE {path}.",
            "Put it there, or correct `vae` in the models table.",
        )
    if not any(name.endswith("decoder.conv_in.weight") for name in read_shapes(path)):
        raise ModelUnavailable(
            f"Model {model.name}: the VAE {path} is no autoencoder.",
            "Correct `vae` in the models table.",
        )
    vae = _diffusers.AutoencoderKL.from_single_file(
        str(path), config=str(configs), subfolder="vae", dtype=dtype, local_files_only=True
    )
    refuse_gaps(model, str(path), {"vae": vae}, _WHOLE_OR_CONFIG)
    return vae


def _check_shape(model: ModelSpec, path: Path, file: SingleFile, folder: Path) -> None:
    config = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
    for word, found, expected in (
        ("input channels", file.channels, config.get("in_channels", 4)),
        ("wide text encodings", file.context, config.get("cross_attention_dim")),
    ):
        if found != expected:
            title = "its config says" if model.config else f"{file.family.title} has"
            raise ModelUnavailable(
                f"Model {model.name}: {path} takes {found} {word}, where {title} {expected}.",
                "Inpainting and depth models are not served. For another shape of the same family,"
                " name a diffusers folder or hub id with its configs as `config`.",
            )


def _tokenizers(family: Family, folder: Path) -> dict[str, Any]:
    """CLIP's, for each that the folder of configs does not bring itself."""
    return {
        name: clip_tokenizer(pad) for name, pad in family.tokenizers if not (folder / name).is_dir()
    }


def _checker(model: ModelSpec, folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The safety checker of the folder of configs; no single file holds its weights."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    if "safety_checker" not in index:
        return {}
    weights = folder / "safety_checker"
    if not model.safety_checker or not weights.is_dir():
        return {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    # Late: it imports transformers' vision models.
    from diffusers.pipelines.stable_diffusion import safety_checker

    checker: Any = safety_checker.StableDiffusionSafetyChecker
    return {"safety_checker": open_checked(model, weights, checker, dtype)}


def _heed_markers(model: ModelSpec, file: SingleFile, pipe: Any) -> None:
    """Set what the shipped config cannot know of how the weights were trained."""
    change: dict[str, Any] = {}
    if file.v_prediction:
        change["prediction_type"] = "v_prediction"
    if file.zero_terminal_snr:
        change |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    if change:
        own: Any = pipe.scheduler
        pipe.scheduler = own.from_config(own.config, **change)
    if file.family is SD2 and model.config is None and model.prediction == "epsilon":
        pipe.unet.register_to_config(sample_size=_BASE_SAMPLE)


def _named(*names: str) -> Callable[[Shapes], bool]:
    return lambda shapes: all(name in shapes for name in names)


def _with(*pieces: str) -> Callable[[Shapes], bool]:
    return lambda shapes: any(piece in name for name in shapes for piece in pieces)


_FOLDER_ONLY = "Such models are loaded from a diffusers folder or hub id only."
_WHOLE = "Use the whole checkpoint, or the diffusers folder that holds model_index.json."

_OTHERS: tuple[tuple[tuple[str, str], Callable[[Shapes], bool]], ...] = (
    (("is a LoRA, no model", "Name it under the `loras` of a model."),
     _with("lora_down.", "lora_up.", "lora_A.", "lora_B.", "lora.down.", "hada_w1", "lokr_w")),
    (("is a textual inversion, no model", "Name it under the `embeddings` of a model."),
     lambda shapes: len(shapes) <= 2 and all(len(shape) <= 2 for shape in shapes.values())),
    (("is a ControlNet, no model", "ControlNets are not served."),
     _with("control_model.", "controlnet_cond_embedding.", "input_hint_block.")),
    (("is of the family Flux", _FOLDER_ONLY), _with("double_blocks.0.")),
    (("is of the family Stable Diffusion 3", _FOLDER_ONLY), _with("joint_blocks.0.")),
    (("is the UNet of a diffusers folder, one part of a model", _WHOLE),
     _named("conv_in.weight", "time_embedding.linear_1.weight")),
    (("is a transformer of a diffusers folder, one part of a model", _WHOLE),
     _with("transformer_blocks.0.")),
    (("is an autoencoder alone", "Name it as the `vae` of a model."),
     _named("encoder.conv_in.weight", "decoder.conv_in.weight")),
    (("is a text encoder alone", _WHOLE),
     _with("encoder.layers.0.self_attn.", "resblocks.0.attn.")),
    (("is a UNet alone", _WHOLE), _named("input_blocks.0.0.weight")),
    (("is of no family that is known here", _FOLDER_ONLY), lambda _: True),
)  # fmt: skip

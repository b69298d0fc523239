"""What a loaded pipeline must be like to be served, found out before the first frame."""

from __future__ import annotations

import inspect
from typing import Any

from img2imgd.engine.model_faults import COPY_AGAIN
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable


def check_contract(model: ModelSpec, pipe: Any) -> None:
    """Refuse pipelines that want something else than a picture to repaint and a prompt.

    Raises:
        ModelUnavailable: what it wants, or what of its parts would fail with every frame.
    """
    parameters = inspect.signature(pipe.__call__).parameters
    missing = {"image", "strength", "callback_on_step_end"} - set(parameters)
    if missing:
        raise ModelUnavailable(
            f"Model {model.name}: {type(pipe).__name__} knows no {', '.join(sorted(missing))}.",
            "Models that edit by instruction are not served yet; use an image-to-image one.",
        )
    kind = type(pipe).__name__
    if "control_image" in parameters:
        raise ModelUnavailable(
            f"Model {model.name}: {kind} wants a control picture beside the one to repaint.",
            "Models with a ControlNet are not served; use the plain one.",
        )
    if getattr(pipe, "vae", None) is None:
        raise ModelUnavailable(
            f"Model {model.name}: {kind} has no autoencoder by the name of vae.",
            "Its family is not served; docs/models.md names those that are.",
        )
    if model.safety_checker and getattr(pipe, "safety_checker", None) is None:
        raise ModelUnavailable(
            f"Model {model.name}: {model.source} has no safety checker.",
            "Set its `safety_checker` to false, or use a model that comes with one; for a single "
            "file, name a diffusers folder that has one as `config`.",
        )
    _check_autoencoder(model, pipe)
    for number in ("", "_2", "_3"):
        tokenizer = getattr(pipe, f"tokenizer{number}", None)
        encoder = getattr(pipe, f"text_encoder{number}", None)
        if tokenizer is not None and encoder is not None:
            _check_tokenizer(model, f"tokenizer{number}", tokenizer, encoder.config)


def _check_autoencoder(model: ModelSpec, pipe: Any) -> None:
    config = pipe.vae.config
    scale = config.get("scaling_factor", 1.0)  # some families scale in other words
    if not isinstance(scale, int | float) or scale <= 0:
        raise ModelUnavailable(
            f"Model {model.name}: its autoencoder's config.json has the scaling_factor {scale!r}, "
            "which is no number above 0.",
            COPY_AGAIN,
        )
    unet = getattr(pipe, "unet", None)
    made = config.get("latent_channels")
    if unet is not None and made is not None and unet.config.in_channels != made:
        raise ModelUnavailable(
            f"Model {model.name}: its UNet takes {unet.config.in_channels} channels, where its "
            f"autoencoder makes {made}.",
            "Name an autoencoder of the model's own family as `vae`, or leave `vae` out. "
            "Inpainting and depth models are not served.",
        )


def _check_tokenizer(model: ModelSpec, name: str, tokenizer: Any, encoder: Any) -> None:
    """Refuse a tokenizer whose files are missing: the libraries make up for them with anything."""
    words = getattr(encoder.get_text_config(), "vocab_size", 0)
    if len(tokenizer) < words // 2:
        told = f"{name} knows {len(tokenizer)} tokens, where its text encoder knows {words}"
        raise ModelUnavailable(f"Model {model.name}: its {told}.", COPY_AGAIN)
    if encoder.model_type != "clip_text_model":
        return  # others have no longest text, or pipelines that know it
    longest = encoder.max_position_embeddings
    if tokenizer.model_max_length > longest:
        told = f"{name} does not say that its text encoder reads {longest} tokens at most"
        raise ModelUnavailable(
            f"Model {model.name}: its {told}.",
            f"Set model_max_length to {longest} in its tokenizer_config.json, or copy or download "
            "the model again.",
        )

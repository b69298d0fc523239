"""Less memory for a picture that did not fit: its autoencoder in tiles, its attention in slices.

Both cost time, and tiles change the picture a little: frames that fit are painted without.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any, cast

from diffusers.models.attention_processor import AttnProcessor

from img2imgd.engine.families import denoiser


@contextlib.contextmanager
def sparing(pipe: Any, longest_side: int) -> Generator[list[str]]:
    """Have a pipeline use less memory meanwhile; gives in words what it does otherwise.

    Fused attention holds no large matrices: slices would cost it more memory. They help where
    attention is computed as written, and on Apple's GPUs, which have no fused kernel.
    """
    with contextlib.ExitStack() as undo:
        said: list[str] = []
        # With a refiner there are two of everything, of which the refiner's autoencoder decodes.
        for one in filter(None, (pipe, getattr(pipe, "refiner", None))):
            if _tile(one.vae, longest_side, undo):
                said.append("the autoencoder in tiles")
            if _slice(one, undo):
                said.append("attention in slices")
        yield list(dict.fromkeys(said))


def _tile(vae: Any, longest_side: int, undo: contextlib.ExitStack) -> bool:
    """Tiles of the size that the autoencoder was trained at, or smaller: two a side at least."""
    settings = cast("dict[str, Any]", vars(vae))
    kept = {name: settings[name] for name in settings if name.startswith(("tile_", "use_"))}
    if "use_tiling" not in kept:
        return False
    undo.callback(settings.update, kept)
    vae.use_tiling = True
    if "use_slicing" in kept:
        vae.use_slicing = True
    trained = vae.config.get("sample_size")  # tiny autoencoders do not tell: their tiles stay
    if trained and "tile_latent_min_size" in kept and "block_out_channels" in vae.config:
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        side: int = trained if isinstance(trained, int) else trained[0]
        latents = min(side, longest_side // 2) // factor
        # Tiles overlap by a quarter; where that is no whole number, diffusers' do not fit together.
        vae.tile_latent_min_size = max(latents // 4 * 4, 4)
        vae.tile_sample_min_size = vae.tile_latent_min_size * factor
    return True


def _slice(pipe: Any, undo: contextlib.ExitStack) -> bool:
    unit = denoiser(pipe)
    if not hasattr(unit, "set_attention_slice") or not hasattr(unit, "set_attn_processor"):
        return False
    before = unit.attn_processors
    plain = any(type(processor) is AttnProcessor for processor in before.values())
    if not plain and unit.device.type != "mps":
        return False
    undo.callback(unit.set_attn_processor, before)
    unit.set_attention_slice("max")
    return True

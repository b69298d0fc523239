"""What every output tells of how it was made, as far as its request allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import structs

from img2imgd.job import Frame
from img2imgd.outputs.infotext import infotext
from img2imgd.outputs.orders import Tags
from img2imgd.outputs.recipe import ModelOrigin, PictureOrigin, Recipe
from img2imgd.outputs.xmp import PROGRAM, xmp_packet
from img2imgd.request import (
    GUIDANCE_SCALE,
    NEGATIVE_PROMPT,
    Request,
    RequestKeys,
    a1111_name,
    canonical_keys,
    frame_keys,
)

MAX_RECIPE = 50_000
"""Bytes of a recipe; one that is longer leaves the rest of its job out. A JPEG has room for as
many, and a sidecar, which is what a recipe becomes, for a few more."""

_MODEL_HASH = 10  # digits that A1111 and CivitAI name a model by
_LORA_HASH = 12  # and a LoRA


@dataclass(frozen=True)
class Origin:
    """What a job's outputs come from.

    ``request`` has its ``size`` and ``scheduler`` set to what is used; ``scheduler`` is that name,
    or what a model's own one is. ``painted_size`` is (width, height) in pixels of what the model
    paints. ``ignored`` are keys that the model does not know: no output claims them.
    """

    request: Request
    picture: PictureOrigin
    model: ModelOrigin
    painted_size: tuple[int, int]
    scheduler: str
    libraries: Mapping[str, str] = field(default_factory=dict[str, str])
    ignored: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """JSON that :meth:`from_json` reads back to an equal origin."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> Origin | None:
        """The inverse of :meth:`to_json`; None where the text is of no origin."""
        try:
            return _JSON.decode(text)
        except (msgspec.DecodeError, ValueError):
            return None

    def frame_tags(self, frame: Frame) -> Tags:
        """The tags of one frame."""
        return self._tags(frame, frame.index)

    def job_tags(self, first: Frame) -> Tags:
        """The tags of a sheet or an animation: the job's recipe, the infotext of its first frame.

        A1111 does the same in its grids.
        """
        return self._tags(first, None)

    def _tags(self, frame: Frame, index: int | None) -> Tags:
        if self.request.metadata == "none":
            return Tags()
        alone = xmp_packet()
        if self.request.metadata == "minimal":
            return Tags(xmp=alone, xmp_alone=alone)
        recipe = Recipe(
            program=PROGRAM,
            picture=self.picture,
            model=self.model,
            index=index,
            frame=self._in_effect(frame_keys(self.request, frame)),
            job=self._in_effect(canonical_keys(self.request)),
            libraries=self.libraries,
        )
        text = recipe.to_json()
        if len(text.encode()) > MAX_RECIPE:
            text = replace(recipe, job=None).to_json()
        return Tags(self._infotext(frame), xmp_packet(text), alone)

    def _in_effect(self, keys: RequestKeys) -> RequestKeys:
        return structs.replace(keys, **dict.fromkeys(self.ignored))

    def _infotext(self, frame: Frame) -> str:
        negative = "" if NEGATIVE_PROMPT in self.ignored else frame.negative_prompt
        sampler, schedule = a1111_name(self.scheduler) or (self.scheduler, None)
        width, height = self.painted_size
        parameters = {
            "Steps": frame.steps,
            "Sampler": sampler,
            "Schedule type": schedule,
            "CFG scale": None if GUIDANCE_SCALE in self.ignored else frame.guidance_scale,
            "Seed": frame.seed,
            "Size": f"{width}x{height}",
            "Model hash": self.model.sha256[:_MODEL_HASH],
            "Model": self.model.name,
            "VAE hash": self.model.vae_sha256[:_MODEL_HASH],
            "Denoising strength": frame.strength,
            "Lora hashes": ", ".join(
                f"{lora.name}: {lora.sha256[:_LORA_HASH]}" for lora in self.model.loras
            ),
            "TI hashes": ", ".join(
                f"{one.token}: {one.sha256[:_LORA_HASH]}"
                for one in self.model.embeddings
                if one.token.casefold() in f"{frame.prompt} {negative}".casefold()
            ),
            "Version": PROGRAM,
        }
        return infotext(frame.prompt, negative, parameters)


# Made while there is one thread: msgspec (0.22) crashes where two meet a type for the first time.
_JSON = msgspec.json.Decoder(Origin)

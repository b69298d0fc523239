"""SDXL's base model and refiner as one pipeline: an ensemble of experts.

The base denoises from the picture's own noise to a share ``start`` of the whole schedule, and
hands its latents, noise and all, to the refiner, which was trained on the rest (Podell et al.,
2023, SDXL, section 2.5; diffusers' ``denoising_end`` and ``denoising_start``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import diffusers

_diffusers: Any = diffusers
_XL: Any = _diffusers.StableDiffusionXLImg2ImgPipeline


class StableDiffusionXLRefinedImg2ImgPipeline(_XL):
    """The base pipeline, with a refiner for the end of its schedule.

    Both use the base's scheduler object and autoencoder. A frame whose strength lets it begin
    behind ``start`` is painted by the refiner alone; one with no timestep left behind ``start`` by
    the base alone.
    """

    refiner: Any
    start: float

    @classmethod
    def of(cls, base: Any, refiner: Any, start: float) -> Any:
        """The two as one; ``start`` lies between 0 and 1."""
        pipe = cls(**base.components, **_settings(base))
        pipe.refiner, pipe.start = refiner, start
        pipe.set_progress_bar_config(disable=True)
        refiner.set_progress_bar_config(disable=True)
        return pipe

    @functools.wraps(_XL.__call__)
    def __call__(self, **call: Any) -> Any:
        """As the base's call; ``callback_on_step_end`` counts on through both."""
        base: Any = super()
        self.refiner.scheduler = self.scheduler
        of_base, of_refiner = self._passes(call)
        if of_refiner == 0:
            return base.__call__(**call)
        if of_base == 0:
            # With the base's own first timestep, so that steps run as they were counted.
            self.refiner.get_timesteps = self.get_timesteps
            try:
                return self.refiner(**call)
            finally:
                del self.refiner.get_timesteps
        handed = base.__call__(**call, denoising_end=self.start, output_type="latent")
        behind: dict[str, Any] = {**call, "image": handed.images, "denoising_start": self.start}
        if after_step := call.get("callback_on_step_end"):
            behind["callback_on_step_end"] = _counting_from(of_base, after_step)
        return self.refiner(**behind)

    def maybe_free_model_hooks(self) -> None:
        """Free what both hold on a device; a frame that is cancelled may have left either."""
        base: Any = super()
        base.maybe_free_model_hooks()
        self.refiner.maybe_free_model_hooks()

    def _passes(self, call: dict[str, Any]) -> tuple[int, int]:
        """How many passes of the schedule base and refiner run, cut as diffusers cuts them."""
        steps = call["num_inference_steps"]
        device = self._execution_device
        self.scheduler.set_timesteps(steps, device=device)
        timesteps, _ = self.get_timesteps(steps, call["strength"], device)
        trained = self.scheduler.config.num_train_timesteps
        of_base = int((timesteps >= round(trained - self.start * trained)).sum())
        return of_base, len(timesteps) - of_base


def _settings(base: Any) -> dict[str, Any]:
    names = ("requires_aesthetics_score", "force_zeros_for_empty_prompt")
    return {name: base.config[name] for name in names}


def _counting_from(done: int, after_step: Callable[..., Any]) -> Callable[..., Any]:
    def counted(pipe: Any, index: int, *rest: Any) -> Any:
        return after_step(pipe, done + index, *rest)

    return counted

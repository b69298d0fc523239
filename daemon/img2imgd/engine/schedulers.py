"""Makes the schedulers that requests and models name.

A name means the same sampler with every model, so of the settings of the model's own scheduler only
those carry over that tell how the model was trained, or that diffusers' pipelines insist on; the
page docs/models.md says which and why.

DPM++ SDE is the single-step solver's stochastic form and not ``DPMSolverSDEScheduler``: that one
draws from torchsde's Brownian tree and not from the frame's generator, so a seed would not fix it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import diffusers
import torch

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.request.schedulers import BASES, OWN, SCHEDULERS, Base

# diffusers exports lazily and gives its schedulers no common type.
Scheduler = Any
_diffusers: Any = diffusers

CARRIED = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
    "prediction_type", "rescale_betas_zero_snr",
    "original_inference_steps", "timestep_scaling",  # how LCM was distilled
    "steps_offset", "timestep_spacing",
)  # fmt: skip
"""Settings of the model's own scheduler that hold for every other."""

# What diffusers' pipelines set in schedulers for latents, with a warning, if it is not so.
_OF_LATENTS = {"clip_sample": False, "steps_offset": 1}

_SETTINGS: dict[str, dict[str, object]] = {
    "ddim": {"set_alpha_to_one": False},
    "dpm++_2m_sde": {"algorithm_type": "sde-dpmsolver++"},
    "dpm++_3m_sde": {"algorithm_type": "sde-dpmsolver++", "solver_order": 3},
    # Without it the class sets it by itself, with a warning in the log for every frame.
    "dpm++_2s": {"lower_order_final": True},
    "dpm++_sde": {"lower_order_final": True, "algorithm_type": "sde-dpmsolver++"},
    # Runge-Kutta steps only fit the beginning of the schedule, where img2img seldom begins.
    "pndm": {"skip_prk_steps": True},
    "plms": {"skip_prk_steps": True},
}
# Noise levels are spread over the model's whole range; some classes take the range from the
# timesteps, and only linspace has both ends.
_SUFFIXES: dict[str, dict[str, object]] = {
    "karras": {"use_karras_sigmas": True, "timestep_spacing": "linspace"},
    "exponential": {"use_exponential_sigmas": True, "timestep_spacing": "linspace"},
    "beta": {"use_beta_sigmas": True, "timestep_spacing": "linspace"},
    "trailing": {"timestep_spacing": "trailing"},
    "leading": {"timestep_spacing": "leading"},
    "linspace": {"timestep_spacing": "linspace"},
}

TCD_ETA = 0.3
"""Share of fresh noise in TCD's steps (arXiv 2402.19159); pipelines say 0 where none is given."""


class LmsScheduler(_diffusers.LMSDiscreteScheduler):
    """LMS that begins anywhere in the schedule.

    diffusers' takes its order from the index in the schedule, and so begins in the middle with the
    first of four coefficients alone: noise stays (huggingface/diffusers issue 5630).
    """

    def step(
        self,
        model_output: torch.Tensor,
        timestep: float | torch.Tensor,
        sample: torch.Tensor,
        order: int = 4,
        return_dict: bool = True,
    ) -> Any:
        """As of the class above, with no more coefficients than there are derivatives."""
        above: Any = super()
        order = min(order, len(self.derivatives) + 1)
        return above.step(model_output, timestep, sample, order, return_dict)


class DeisScheduler(_diffusers.DEISMultistepScheduler):
    """DEIS that ends at the model's lowest noise level.

    diffusers' repeats the last level instead where levels are spread by a suffix; a schedule of one
    step takes no noise away then.
    """

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        """As of the class above, with the end mended."""
        above: Any = super()
        above.set_timesteps(*args, **kwargs)
        lowest = self.alphas_cumprod[0]
        self.sigmas[-1] = ((1 - lowest) / lowest) ** 0.5


_MENDED: dict[str, type] = {
    "LMSDiscreteScheduler": LmsScheduler,
    "DEISMultistepScheduler": DeisScheduler,
}


class UnfitScheduler(Exception):
    """A scheduler that cannot serve a frame; tells a person why. ``valid`` are those that can."""

    def __init__(self, reason: str, valid: tuple[str, ...] = ()) -> None:
        super().__init__(reason + (f" Ask for one of: {', '.join(valid)}." if valid else ""))
        self.valid = valid


class Schedulers:
    """The schedulers of one loaded model, each made once."""

    def __init__(self, default: Scheduler) -> None:
        self._own = getattr(default, "own", default)
        self._made: dict[str | None, Scheduler] = {None: default}

    def take(self, name: str | None, steps: int) -> Scheduler:
        """The scheduler of that name, None for the model's, that is to run so many steps.

        Raises:
            UnfitScheduler: the model cannot be run with it, or it has no schedule so long.
        """
        if name is not None and name not in self._made:
            self._made[name] = _make(name, self._own)
        scheduler = self._made[name]
        most = scheduler.config.get("original_inference_steps", steps)
        if steps > most:
            called = name or "of this model"
            raise UnfitScheduler(
                f"The scheduler {called} runs at most {most} steps, not {steps}. Ask for fewer."
            )
        return scheduler


def make_scheduler(model: ModelSpec, own: Scheduler) -> Scheduler:
    """The scheduler that ``model`` names; ``own`` is the one of the model's repository.

    What is made remembers that one as its ``own``.

    Raises:
        ModelUnavailable: there is no such scheduler, or it cannot serve the model.
    """
    try:
        return _make(model.scheduler, own)
    except UnfitScheduler as unfit:
        raise ModelUnavailable(
            f"Model {model.name}: it cannot be run with the scheduler {model.scheduler!r}.",
            f"Set its `scheduler` in the models table to one of: {', '.join(unfit.valid)}.",
        ) from None


def timesteps_from(scheduler: Scheduler, begin: int) -> torch.Tensor:
    """The timesteps that are left from step ``begin`` of its schedule on, a call of the model each.

    PLMS runs its second timestep twice, wherever it begins; its schedule has that at its own
    beginning only.
    """
    timesteps: torch.Tensor = scheduler.timesteps
    if scheduler.config.get("skip_prk_steps") and type(scheduler).__name__ == "PNDMScheduler":
        left = torch.cat((timesteps[:1], timesteps[2:]))[begin:]
        return torch.cat((left[:2], left[1:]))
    first = begin * getattr(scheduler, "order", 1)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return timesteps[first:]


def step_arguments(scheduler: Scheduler) -> dict[str, object]:
    """What a pipeline's call must be told for this scheduler's steps."""
    return {"eta": TCD_ETA} if type(scheduler).__name__ == "TCDScheduler" else {}


def _make(name: str, own: Scheduler) -> Scheduler:
    # Flow matching (Flux, SD 3) and EDM have no betas; most of them come with an Euler scheduler.
    only_own = "beta_schedule" not in own.config or own.config.get("use_flow_sigmas")
    if name == OWN or (only_own and name == "euler"):
        return own
    if only_own:
        raise _unfit(name, (OWN, "euler"))
    valid = tuple(base for base in BASES if _is_fit(base, own))
    base, suffix = SCHEDULERS.get(name, (None, ""))
    if base not in valid:
        raise _unfit(name, (OWN, *(base.name for base in valid)))
    made = _class(base)(**_settings(base, suffix, own))
    made.own = own
    return made


def _unfit(name: str, valid: tuple[str, ...]) -> UnfitScheduler:
    return UnfitScheduler(f"The model cannot be run with the scheduler {name}.", valid)


def _is_fit(base: Base, own: Scheduler) -> bool:
    """False where noise levels of zero terminal SNR are needed, and the class has none."""
    needed = "rescale_betas_zero_snr"
    return not own.config.get(needed) or needed in _parameters(base)


def _settings(base: Base, suffix: str, own: Scheduler) -> dict[str, object]:
    left_open = own.config.get("_use_default_values", ())
    said = {
        key: value
        for key, value in own.config.items()
        if key in CARRIED and key not in left_open and value is not None
    }
    if said.get("timestep_spacing") not in base.suffixes:
        said.pop("timestep_spacing", None)
    settings = _OF_LATENTS | said | _SETTINGS.get(base.name, {}) | _SUFFIXES.get(suffix, {})
    known = _parameters(base)
    return {key: value for key, value in settings.items() if key in known}


def _class(base: Base) -> Any:
    return _MENDED.get(base.diffusers) or getattr(_diffusers, base.diffusers)


def _parameters(base: Base) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(getattr(_diffusers, base.diffusers).__init__).parameters

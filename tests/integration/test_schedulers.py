"""The schedulers that names stand for: their classes and settings, and the noise they leave."""

from __future__ import annotations

import functools
import inspect
import itertools
import logging
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
)

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.engine.schedulers import (
    Schedulers,
    UnfitScheduler,
    make_scheduler,
    step_arguments,
    timesteps_from,
)
from img2imgd.request.schedulers import BASES, OWN, SCHEDULERS, SIGMAS, SPACINGS, Base

# diffusers' schedulers call numpy on tensors in ways that numpy 2 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]

# As the repositories of Stable Diffusion 1 and 2 say it.
TRAINED: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
PUBLISHED = PNDMScheduler(**TRAINED, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1)
UNUSED_SPACING = ("lcm", "tcd")
WHOLE_STEPS = ("ddim", "pndm", "plms")
SETTING_OF = {
    "karras": "use_karras_sigmas",
    "exponential": "use_exponential_sigmas",
    "beta": "use_beta_sigmas",
}


@functools.cache
def made(name: str, own: Any = PUBLISHED) -> Any:
    return make_scheduler(ModelSpec("mine", "x", scheduler=name), own)


def by_id(base: Base) -> str:
    return base.name


@pytest.mark.parametrize("base", BASES, ids=by_id)
def test_a_base_is_what_the_table_says(base: Base) -> None:
    scheduler = made(base.name)
    assert isinstance(scheduler, getattr(diffusers, base.diffusers))
    assert scheduler.order == base.order
    parameters = inspect.signature(getattr(diffusers, base.diffusers).__init__).parameters
    can = {suffix for suffix in SIGMAS if SETTING_OF[suffix] in parameters}
    if "timestep_spacing" in parameters and base.name not in UNUSED_SPACING:
        can |= {*SPACINGS} - ({"linspace"} if base.name in WHOLE_STEPS else set())
    assert {*base.suffixes} == can


@pytest.mark.parametrize("base", BASES, ids=by_id)
def test_every_suffix_gives_another_schedule_and_stands_in_the_config(base: Base) -> None:
    schedules: list[tuple[float, ...]] = []
    for name, suffix in base.names.items():
        scheduler = made(name)
        for key in set(SETTING_OF.values()) & {*scheduler.config}:
            assert scheduler.config[key] == (key == SETTING_OF.get(suffix))
        if suffix in SPACINGS:
            assert scheduler.config.timestep_spacing == suffix
        scheduler.set_timesteps(7)
        levels = getattr(scheduler, "sigmas", scheduler.timesteps)
        schedules.append((*levels.tolist(), *scheduler.timesteps.tolist()))
    plain, *others = schedules
    # Without a suffix a schedule is one of the spacings: the class's own.
    assert others.count(plain) == (1 if "trailing" in base.suffixes else 0)
    assert len(set(others)) == len(others)


@pytest.mark.parametrize("base", [base for base in BASES if base.suffixes[:3] == SIGMAS], ids=by_id)
@pytest.mark.parametrize("suffix", SIGMAS)
def test_noise_levels_are_spread_over_the_whole_range_whatever_the_models_spacing(
    base: Base, suffix: str
) -> None:
    own = EulerDiscreteScheduler(**TRAINED, timestep_spacing="leading", steps_offset=1)
    scheduler = made(f"{base.name}_{suffix}", own)
    scheduler.set_timesteps(5)
    levels = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5
    spread = scheduler.sigmas[scheduler.sigmas > 0]
    assert spread.max() == pytest.approx(float(levels[-1]), rel=1e-3)
    assert spread.min() == pytest.approx(float(levels[0]), rel=1e-3)


@pytest.mark.parametrize("name", [*(base.name for base in BASES), "dpm++_2m_karras"])
def test_how_the_model_was_trained_carries_over_and_how_it_was_run_does_not(name: str) -> None:
    own = DPMSolverMultistepScheduler(
        **TRAINED, prediction_type="v_prediction", use_karras_sigmas=True, thresholding=True,
        algorithm_type="sde-dpmsolver++", solver_order=3, euler_at_final=True,
        lambda_min_clipped=-5.1,
    )  # fmt: skip
    config = made(name, own).config
    for key, value in TRAINED.items():
        assert config[key] == value
    assert config.prediction_type == "v_prediction"
    assert config.get("steps_offset", 1) == 1
    assert not config.get("clip_sample")
    assert not config.get("thresholding")
    assert not config.get("euler_at_final")
    assert config.get("set_alpha_to_one") in (None, False) or name in ("lcm", "tcd")
    assert config.get("lambda_min_clipped", -np.inf) == -np.inf
    assert config.get("use_karras_sigmas", False) == name.endswith("_karras")
    assert ("sde" in config.get("algorithm_type", "")) == ("sde" in name)
    assert (config.get("solver_order") == 3) == ("3m" in name)


def test_the_spacing_of_the_repository_holds_where_it_says_one_and_the_sampler_has_it() -> None:
    trailing = EulerDiscreteScheduler(**TRAINED, timestep_spacing="trailing")
    linspace = EulerDiscreteScheduler(**TRAINED, timestep_spacing="linspace")
    assert made("dpm++_2m", trailing).config.timestep_spacing == "trailing"
    assert made("dpm++_2m_leading", trailing).config.timestep_spacing == "leading"
    assert made("euler").config.timestep_spacing == "linspace"  # PNDM's own default is leading
    assert made("ddim", linspace).config.timestep_spacing == "leading"


def test_own_is_the_models_own_and_is_not_lost_for_another() -> None:
    assert made(OWN) is PUBLISHED
    schedulers = Schedulers(made("ddim"))
    assert schedulers.take(OWN, 5) is PUBLISHED
    assert isinstance(schedulers.take(None, 5), DDIMScheduler)
    assert schedulers.take("heun", 5) is schedulers.take("heun", 6)


def test_models_without_a_schedule_of_betas_are_run_with_their_own_only() -> None:
    for own in (
        FlowMatchEulerDiscreteScheduler(),
        diffusers.EDMEulerScheduler(),
        DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction"),
    ):
        assert made(OWN, own) is own
        assert made("euler", own) is own
        with pytest.raises(ModelUnavailable) as caught:
            made("heun", own)
        assert "'heun'" in caught.value.message
        assert caught.value.advice.endswith("one of: own, euler.")
        with pytest.raises(UnfitScheduler, match=r"scheduler heun\. Ask for one of: own, euler\."):
            Schedulers(own).take("heun", 5)


def test_zero_terminal_snr_refuses_samplers_that_have_no_such_noise() -> None:
    own = DDIMScheduler(**TRAINED, rescale_betas_zero_snr=True, timestep_spacing="trailing")
    assert made("euler_a", own).config.rescale_betas_zero_snr
    with pytest.raises(ModelUnavailable) as caught:
        made("heun", own)
    assert "own, euler, euler_a, ddim" in caught.value.advice
    assert "heun" not in caught.value.advice


def test_a_schedule_of_too_many_steps_is_refused() -> None:
    schedulers = Schedulers(made("euler"))
    assert isinstance(schedulers.take("lcm", 50), LCMScheduler)
    with pytest.raises(UnfitScheduler, match="lcm runs at most 50 steps, not 51"):
        schedulers.take("lcm", 51)


class Denoiser:
    """A model that knows the picture, and compares the noise it is shown with what it is told.

    A timestep stands for a level of noise; whatever the sampler does between two calls of the
    model, the noise in what it shows must be of that level.
    """

    def __init__(self, own: Any = PUBLISHED) -> None:
        self.prediction_type = own.config.prediction_type
        self.kept = own.alphas_cumprod.double().numpy()
        self.picture = torch.rand(1, 4, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
        self.worst = 0.0

    def __call__(self, shown: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        kept = float(np.interp(float(timestep), np.arange(1000), self.kept))
        noise = shown - kept**0.5 * self.picture
        self.worst = max(self.worst, abs(float(noise.std()) - (1 - kept) ** 0.5))
        noise = noise / (1 - kept) ** 0.5
        if self.prediction_type == "epsilon":
            return noise.float()
        return (kept**0.5 * noise - (1 - kept) ** 0.5 * self.picture).float()


def denoise(
    scheduler: Any, model: Denoiser, steps: int, effective: int, *, seed: int = 2
) -> torch.Tensor:
    """What a pipeline does in its loop; ``seed`` is that of the steps' own noise."""
    first = torch.randn(model.picture.shape, generator=torch.Generator().manual_seed(0))
    scheduler.set_timesteps(steps)
    timesteps = timesteps_from(scheduler, steps - effective)
    latents = scheduler.add_noise(model.picture, first, timesteps[:1])
    arguments = step_arguments(scheduler)
    if "generator" in inspect.signature(scheduler.step).parameters:
        arguments["generator"] = torch.Generator().manual_seed(seed)
    for timestep in timesteps:
        noise = model(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(noise, timestep, latents, **arguments).prev_sample
    return latents


GRID = [
    (steps, max(1, int(steps * strength)))
    for steps, strength in itertools.product((1, 2, 3, 4, 5, 12), (0.1, 0.5, 1.0))
]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_model_is_shown_the_noise_it_is_told_wherever_the_schedule_begins(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler, model = made(name), Denoiser()
    # In two steps from the top, KDPM2 ancestral's fp32 levels are a difference of nearly equal
    # numbers: how far it is off depends on the processor (0.053 on some, below 0.04 on others).
    most = 0.06 if name.startswith("dpm2_a") else 0.04
    for steps, effective in sorted(set(GRID)):
        latents = denoise(scheduler, model, steps, effective)
        assert model.worst < most, (steps, effective)
        assert float((latents - model.picture).std()) < 0.07, (steps, effective)
    denoise(scheduler, model, 50, 5)
    assert model.worst < most
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("cls", [diffusers.LMSDiscreteScheduler, PNDMScheduler])
def test_the_test_sees_the_noise_that_diffusers_leaves(cls: Any) -> None:
    """So that the test above can fail."""
    scheduler, model = cls.from_config(PUBLISHED.config), Denoiser()
    scheduler.set_timesteps(10)
    timesteps = scheduler.timesteps[5:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(5)
    latents = scheduler.add_noise(model.picture, torch.randn(model.picture.shape), timesteps[:1])
    for timestep in timesteps:
        noise = model(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(noise, timestep, latents).prev_sample
    assert model.worst > 0.1


@pytest.mark.parametrize("base", BASES, ids=by_id)
def test_models_that_say_the_velocity_are_denoised_too(base: Base) -> None:
    own = DDIMScheduler(**TRAINED, prediction_type="v_prediction", steps_offset=1)
    scheduler, model = made(base.name, own), Denoiser(own)
    latents = denoise(scheduler, model, 10, 5)
    assert model.worst < 0.04
    assert float((latents - model.picture).std()) < 0.07


def test_models_of_zero_terminal_snr_are_denoised_from_their_last_timestep_on() -> None:
    own = DDIMScheduler(
        **TRAINED, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )  # fmt: skip
    assert float(own.alphas_cumprod[-1]) == 0
    served = [base.name for base in BASES if "rescale_betas_zero_snr" in made(base.name).config]
    assert "dpm++_2m" in served
    for name in served:
        scheduler, model = made(name, own), Denoiser(own)
        latents = denoise(scheduler, model, 10, 10)
        assert scheduler.timesteps[0] == 999
        assert model.worst < 0.04, name
        assert float((latents - model.picture).std()) < 0.07, name


@pytest.mark.parametrize("base", BASES, ids=by_id)
def test_fresh_noise_comes_from_the_frames_generator_alone(base: Base) -> None:
    scheduler = made(base.name)

    def run(seed: int, global_seed: int) -> torch.Tensor:
        torch.manual_seed(global_seed)
        noisy: Any = Denoiser()
        noisy.kept = noisy.kept**1.05  # one that errs: noise would not show in a perfect result
        return denoise(scheduler, noisy, 8, 4, seed=seed)

    one = run(1, 1)
    assert torch.equal(one, run(1, 2))
    assert torch.equal(one, run(2, 1)) == (not base.noise)

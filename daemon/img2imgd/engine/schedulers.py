"""The schedulers a model can be given by name."""

from __future__ import annotations

from typing import Any

import diffusers

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

# diffusers class and settings by the name that A1111 and its kin made usual.
SCHEDULERS: dict[str, tuple[str, dict[str, object]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "dpm++_2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++_2m_karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
}
OWN = "own"


def make_scheduler(model: ModelSpec, own: Any) -> Any:
    """The scheduler that ``model`` names, with the noise schedule and prediction type of ``own``.

    ``own`` is the one of the model's repository; it is kept for the name ``own``. Flow-matching
    models (Flux, SD 3) are served by theirs only, which is an Euler scheduler.

    Raises:
        ModelUnavailable: there is no such scheduler, or it cannot serve the model.
    """
    flow_matching = "FlowMatch" in type(own).__name__
    if model.scheduler == OWN or (flow_matching and model.scheduler == "euler"):
        return own
    if flow_matching or model.scheduler not in SCHEDULERS:
        names = [OWN, "euler"] if flow_matching else [OWN, *SCHEDULERS]
        raise ModelUnavailable(
            f"Model {model.name}: it cannot be run with the scheduler {model.scheduler!r}.",
            f"Set its `scheduler` in the models table to one of: {', '.join(names)}.",
        )
    name, settings = SCHEDULERS[model.scheduler]
    return getattr(diffusers, name).from_config(own.config, **settings)

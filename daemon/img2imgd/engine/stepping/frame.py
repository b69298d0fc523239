"""One frame between two UNet calls: its latents, its scheduler, its generator, where it stands."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from img2imgd.engine.devices import without_waiting
from img2imgd.engine.protocol import FrameTask, StepDone
from img2imgd.engine.schedulers import Scheduler, step_arguments, timesteps_from
from img2imgd.engine.stepping.conditions import Conditions


@dataclass
class SteppedFrame:
    """A frame that takes part in UNet calls.

    ``timesteps`` are those it has to run, a UNet call each; ``done`` counts the calls that are
    over. ``latents`` is 1×C×H×W, and so is ``foreseen``: what the scheduler, with the last step,
    expected them to be in the end; None where it does not tell.
    """

    task: FrameTask
    conditions: Conditions
    scheduler: Scheduler
    timesteps: Sequence[torch.Tensor]
    latents: torch.Tensor
    step_arguments: Mapping[str, Any]
    done: int = 0
    foreseen: torch.Tensor | None = None

    @classmethod
    def begin(
        cls,
        task: FrameTask,
        conditions: Conditions,
        scheduler: Scheduler,
        latents: torch.Tensor,
        generator: torch.Generator,
        device: torch.device,
    ) -> SteppedFrame:
        """Add the noise of the first timestep to a picture's ``latents``; all three on the CPU.

        The sum goes to the ``device``. ``scheduler`` is copied: each frame has its own. It stays on
        the CPU, where its steps read single numbers; the device never has to be waited for. Draws
        from ``generator`` follow those for the latents, as in the pipeline.
        """
        own = copy.deepcopy(scheduler)
        own.set_timesteps(task.steps)
        timesteps = timesteps_from(own, task.steps - task.effective_steps)
        noise = torch.randn(latents.shape, generator=generator, dtype=latents.dtype)
        noisy = without_waiting(own.add_noise(latents, noise, timesteps[:1]), device)
        arguments = _step_arguments(own, generator)
        return cls(task, conditions, own, tuple(timesteps), noisy, arguments)

    @property
    def rows(self) -> int:
        """Rows that it takes of a UNet call."""
        return self.conditions.rows

    @property
    def finished(self) -> bool:
        """True when no UNet call is left."""
        return self.done == len(self.timesteps)

    @property
    def calls_left(self) -> int:
        """UNet calls that are left."""
        return len(self.timesteps) - self.done

    @property
    def timestep(self) -> torch.Tensor:
        """The timestep of the next call, a single number."""
        return self.timesteps[self.done]

    @property
    def progress(self) -> StepDone:
        """The denoising steps that are over. A scheduler of order 2 runs two calls a step."""
        order: int = getattr(self.scheduler, "order", 1)
        steps = self.task.effective_steps
        step = min((self.done - 1 + order) // order, steps)
        return StepDone(self.task.job, self.task.index, step, steps)

    def model_input(self) -> torch.Tensor:
        """The latents as the UNet takes them, one row, which is the same for all conditions."""
        return self.scheduler.scale_model_input(self.latents, self.timestep)

    def advance(self, predicted: torch.Tensor) -> None:
        """Take the step that the UNet's prediction, a row for each of the conditions', leads to."""
        if self.rows == 2:
            negative, positive = predicted.chunk(2)
            predicted = negative + self.task.guidance_scale * (positive - negative)
        stepped: tuple[torch.Tensor, ...] = self.scheduler.step(
            predicted, self.timestep, self.latents, **self.step_arguments, return_dict=False
        )
        self.latents = stepped[0].to(self.latents.dtype)
        self.foreseen = _foreseen(self.scheduler, stepped)
        self.done += 1


def _foreseen(scheduler: Scheduler, stepped: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """What most schedulers give back beside the next latents, and solvers keep of their steps."""
    if len(stepped) > 1:
        return stepped[1]
    config = scheduler.config
    of_data = config.get("predict_x0") or str(config.get("algorithm_type")).endswith("solver++")
    kept: Sequence[torch.Tensor | None] = getattr(scheduler, "model_outputs", ())
    return kept[-1] if of_data and kept else None


def _step_arguments(scheduler: Scheduler, generator: torch.Generator) -> dict[str, Any]:
    """What this scheduler's ``step`` takes of what diffusers' pipelines hand to it."""
    given = {"eta": 0.0, **step_arguments(scheduler), "generator": generator}
    known = inspect.signature(scheduler.step).parameters
    return {name: value for name, value in given.items() if name in known}

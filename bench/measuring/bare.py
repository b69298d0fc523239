"""The other contenders, in a process of their own with torch's own settings of threads or ours.

``plain_loop`` is what articles on img2img show: the model is loaded, then one call of the pipeline
a frame, each saved, and a GIF of them by Pillow. ``limit`` computes nothing but the UNet's calls
that all frames need, as many rows at once as is fastest, from inputs that lie ready; with all
cores on each call, or with a part of the rows on each core.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from .cases import GUIDANCE, NEGATIVE, Case, Frame
from .pairs import paired, timed
from .remote import Remote

ROWS = (2, 4, 8, 16, 32)
LIMITS = {"limit": False, "limit by parts": True}


class Bare:
    """A pipeline that is loaded."""

    def __init__(self, source: Path) -> None:
        os.environ["TRANSFORMERS_VERBOSITY"] = "error"
        import torch
        from diffusers import EulerDiscreteScheduler, StableDiffusionImg2ImgPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers.utils import logging as transformers_logging

        diffusers_logging.disable_progress_bar()
        transformers_logging.disable_progress_bar()
        self._torch = torch
        scheduler = EulerDiscreteScheduler.from_pretrained(source, subfolder="scheduler")
        self._pipe: Any = StableDiffusionImg2ImgPipeline.from_pretrained(
            source, scheduler=scheduler, dtype=torch.float32, local_files_only=True
        )
        self._pipe.set_progress_bar_config(disable=True)
        self._chosen: dict[tuple[int, bool], _Way] = {}

    def sweep(self, case: Case, frames: Sequence[Frame], picture: Path, folder: Path) -> float:
        """Seconds of the plain loop with its GIF."""
        began = time.perf_counter()
        image = Image.open(picture).convert("RGB").resize((case.side, case.side))
        paths: list[Path] = []
        for number, frame in enumerate(frames):
            paths.append(folder / f"{number:03}.png")
            self.paint(case, frame, image).save(paths[-1])
        make_gif(paths, folder / "morph.gif")
        return time.perf_counter() - began

    def singles(self, case: Case, frames: Sequence[Frame], picture: Path, folder: Path) -> float:
        """Seconds of one call a picture, each opened and saved."""
        began = time.perf_counter()
        for number, frame in enumerate(frames):
            image = Image.open(picture).convert("RGB").resize((case.side, case.side))
            self.paint(case, frame, image).save(folder / f"{number:03}.png")
        return time.perf_counter() - began

    def first_in_first_out(
        self, case: Case, picture: Path, folder: Path, pauses: Sequence[float]
    ) -> tuple[float, list[float]]:
        """A sweep and pictures that come so many seconds after it, served in their order.

        Gives back how long after its coming the sweep was done, and each picture.
        """
        began = time.perf_counter()
        sweep = self.sweep(case, case.sweep, picture, folder)
        waited: list[float] = []
        for pause, frame in zip(pauses, case.pictures, strict=False):
            time.sleep(max(0.0, began + pause - time.perf_counter()))
            self.singles(case, [frame], picture, folder)
            waited.append(time.perf_counter() - began - pause)
        return sweep, waited

    def paint(self, case: Case, frame: Frame, image: Image.Image) -> Image.Image:
        """One call of the pipeline."""
        return self._pipe(
            prompt=frame.prompt,
            negative_prompt=NEGATIVE,
            image=image,
            strength=frame.strength,
            num_inference_steps=case.steps,
            guidance_scale=GUIDANCE,
            generator=self._torch.Generator("cpu").manual_seed(frame.seed),
        ).images[0]

    def limit(self, case: Case, rows: int, parts: bool) -> float:
        """Seconds of the UNet's calls for so many rows, as many at once as is fastest."""
        way = self._fastest(case.side, parts)
        return timed(lambda: [way.call() for _ in range(math.ceil(rows / way.rows))])

    def fastest(self, case: Case, parts: bool) -> int:
        """How many rows at once the limit is computed with."""
        return self._fastest(case.side, parts).rows

    def _fastest(self, side: int, parts: bool) -> _Way:
        """Of all numbers of rows, tried in turn."""
        if (side, parts) not in self._chosen:
            ways = {str(way.rows): way for way in self._ways(side, parts)}
            slow = timed(ways[str(ROWS[0])].call) > 0.5  # calls of many seconds tell enough once
            for way in () if slow else ways.values():
                way.call()
            tried = {key: lambda way=way: timed(way.call) / way.rows for key, way in ways.items()}
            runs = paired(tried, 1 if slow else 5)
            best = min(ways, key=lambda key: statistics.median(run[key] for run in runs))
            self._chosen[side, parts] = ways[best]
        return self._chosen[side, parts]

    def _ways(self, side: int, parts: bool) -> Iterator[_Way]:
        from .unet import Parts, inputs

        unet, torch = self._pipe.unet, self._torch

        def call(way: Any, ready: Any) -> None:
            with torch.inference_mode():
                way(*ready, return_dict=False)

        for rows in ROWS:
            ready = inputs(unet, rows, side // self._pipe.vae_scale_factor)
            yield _Way(rows, partial(call, Parts(unet) if parts else unet, ready))


@dataclass(frozen=True)
class _Way:
    """A way to call the UNet, with inputs that lie ready."""

    rows: int
    call: Callable[[], None]


def limits(bare: Remote, case: Case, rows: int) -> dict[str, Callable[[], float]]:
    """The limits as contenders."""
    return {name: partial(bare.call, "limit", case, rows, parts) for name, parts in LIMITS.items()}


def in_words(case: Case, fastest: Mapping[str, int]) -> str:
    """What a sweep asks of the UNet, and how many rows at once the limits are computed with."""
    at_once = ", ".join(f"{rows} for the {name}" for name, rows in fastest.items())
    return (
        f"{case.name}: {len(case.sweep)} frames need {case.rows(case.sweep)} rows of the UNet. "
        f"As many at once are fastest: {at_once}."
    )


def make_gif(paths: Sequence[Path], target: Path, duration: int = 400) -> None:
    """As the articles do it."""
    frames = [Image.open(path) for path in paths]
    frames[0].save(
        target, format="GIF", append_images=frames[1:], save_all=True, duration=duration, loop=0
    )

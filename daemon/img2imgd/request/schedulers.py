"""The schedulers by their names: which there are, and what other programs call them.

A name is a base, alone or with one suffix: ``dpm++_2m``, ``dpm++_2m_karras``, ``euler_trailing``.
The engine makes them; nothing here needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from msgspec import Meta

from img2imgd.document import WRITTEN, Check, Refused, nearest, shortened

OWN = "own"
"""The scheduler that the model's repository says."""

KARRAS, EXPONENTIAL, BETA = "karras", "exponential", "beta"
TRAILING, LEADING, LINSPACE = "trailing", "leading", "linspace"

SIGMAS = (KARRAS, EXPONENTIAL, BETA)
"""Suffixes that say how noise levels are spread, from the model's highest to its lowest."""

SPACINGS = (TRAILING, LEADING, LINSPACE)
"""Suffixes that say which of the model's timesteps are run (arXiv 2305.08891, table 2)."""


@dataclass(frozen=True)
class Base:
    """A scheduler before any suffix.

    ``sampler`` is A1111's word for it (or that of its forks, where it has none) and ``automatic``
    the suffix that its schedule type “Automatic” means. ``diffusers`` is the class, ``order`` how
    often the model runs in a step. With ``noise`` every step draws fresh noise.
    """

    name: str
    sampler: str
    diffusers: str
    suffixes: tuple[str, ...] = (*SIGMAS, *SPACINGS)
    order: int = 1
    noise: bool = False
    automatic: str = ""
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Every name of this base, and the suffix in it."""
        return {self.name: ""} | {f"{self.name}_{suffix}": suffix for suffix in self.suffixes}


# DDIM and PNDM step by a whole number of timesteps, which linspace does not: noise stays.
_WHOLE_STEPS = (TRAILING, LEADING)
# Fourth order: at 12 steps and a guidance scale of 7.5 the embedded model's pictures are spotted.
_MANY = "wants 30 steps or so"
_PAIRS = "a step of A1111 is two here: ask for twice the steps"

BASES = (
    Base("euler", "Euler", "EulerDiscreteScheduler", note="the default"),
    Base(
        "euler_a", "Euler a", "EulerAncestralDiscreteScheduler", SPACINGS, noise=True,
        also=("euler ancestral",),
    ),
    Base("ddim", "DDIM", "DDIMScheduler", _WHOLE_STEPS),
    Base("ddpm", "DDPM", "DDPMScheduler", SPACINGS, noise=True, note="does what euler_a does"),
    Base("heun", "Heun", "HeunDiscreteScheduler", order=2),
    Base("dpm2", "DPM2", "KDPM2DiscreteScheduler", order=2, automatic=KARRAS),
    Base(
        "dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", order=2, noise=True,
        automatic=KARRAS, also=("dpm2 ancestral",),
    ),
    Base("dpm++_2m", "DPM++ 2M", "DPMSolverMultistepScheduler", automatic=KARRAS),
    Base(
        "dpm++_2m_sde", "DPM++ 2M SDE", "DPMSolverMultistepScheduler", noise=True,
        automatic=EXPONENTIAL,
    ),
    Base(
        "dpm++_3m_sde", "DPM++ 3M SDE", "DPMSolverMultistepScheduler", noise=True,
        automatic=EXPONENTIAL,
    ),
    Base("dpm++_2s", "DPM++ 2S", "DPMSolverSinglestepScheduler", SIGMAS, note=_PAIRS),
    Base(
        "dpm++_sde", "DPM++ SDE", "DPMSolverSinglestepScheduler", SIGMAS, noise=True,
        automatic=KARRAS, also=("DPMSolverSDEScheduler",), note=_PAIRS,
    ),
    Base("lms", "LMS", "LMSDiscreteScheduler", note=_MANY),
    Base("pndm", "PLMS", "PNDMScheduler", _WHOLE_STEPS, note=_MANY),
    Base("plms", "PLMS", "PNDMScheduler", _WHOLE_STEPS, note="another name of pndm"),
    Base("unipc", "UniPC", "UniPCMultistepScheduler"),
    Base("deis", "DEIS", "DEISMultistepScheduler"),
    Base(
        "lcm", "LCM", "LCMScheduler", (), noise=True,
        note="for LCM models and LoRAs; at most 50 steps",
    ),
    Base("tcd", "TCD", "TCDScheduler", (), noise=True, note="for TCD LoRAs; at most 50 steps"),
)  # fmt: skip

SCHEDULERS = {name: (base, suffix) for base in BASES for name, suffix in base.names.items()}
"""Base and suffix of every name but ``own``."""

SCHEDULER_NAMES = (OWN, *SCHEDULERS)

# What A1111's field "Schedule type" says, and ComfyUI's "scheduler", as a suffix; "" for none.
# Simple and SGM Uniform begin at the last timestep and end above the first, as trailing does.
_SCHEDULE_TYPES = {
    "karras": KARRAS, "ka": KARRAS, "k": KARRAS,
    "exponential": EXPONENTIAL, "exp": EXPONENTIAL,
    "beta": BETA,
    "sgm uniform": TRAILING, "simple": TRAILING, "trailing": TRAILING,
    "ddim": LEADING, "ddim uniform": LEADING, "leading": LEADING,
    "linspace": LINSPACE,
    "normal": "", "uniform": "", "": "",
}  # fmt: skip
_WRITTEN_TYPES = {
    KARRAS: "Karras", EXPONENTIAL: "Exponential", BETA: "Beta",
    TRAILING: "SGM Uniform", LEADING: "DDIM", LINSPACE: "Uniform",
}  # fmt: skip


def scheduler_named(sampler: str, schedule_type: str | None = None) -> str | None:
    """The name of what A1111, ComfyUI or diffusers call so; None where there is no such thing.

    Older A1111 writes the schedule type into the sampler's name, "DPM++ 2M Karras".
    """
    known = _other_words()
    word = _squeezed(sampler)
    name = known.get(word) or known.get(word.removeprefix("k"))
    if name is None or not schedule_type or name == OWN:
        return name
    base, within = SCHEDULERS[name]
    suffix = base.automatic if _squeezed(schedule_type) == "automatic" else _suffix(schedule_type)
    if suffix is None or (within and within != suffix):
        return None
    return _joined(base, suffix)


def a1111_name(name: str) -> tuple[str, str | None] | None:
    """A1111's sampler and schedule type (None: leave it out) for a name; None for ``own``.

    A1111 takes a missing type as "Automatic", so where that means something else, one is written.
    """
    if name == OWN:
        return None
    base, suffix = SCHEDULERS[name]
    if not suffix:
        return base.sampler, "Uniform" if base.automatic else None
    return base.sampler, _WRITTEN_TYPES[suffix]


def _suffix(schedule_type: str) -> str | None:
    squeezed = _squeezed(schedule_type)
    return next((to for word, to in _SCHEDULE_TYPES.items() if _squeezed(word) == squeezed), None)


def _joined(base: Base, suffix: str) -> str | None:
    return next((name for name, within in base.names.items() if within == suffix), None)


@cache
def _other_words() -> dict[str, str]:
    """Names by every way of writing them, squeezed; of equal words the table's first one wins."""
    words: dict[str, str] = {}
    for base in BASES:
        for word in (base.name, base.sampler, *base.also, base.diffusers):
            for schedule_type, suffix in _SCHEDULE_TYPES.items():
                if name := _joined(base, suffix):
                    words.setdefault(_squeezed(f"{word} {schedule_type}"), name)
    return words | {_squeezed(name): name for name in SCHEDULER_NAMES}


def _squeezed(text: str) -> str:
    """Letters, digits and + only: "DPM++ 2M Karras" and dpmpp_2m_karras become one."""
    squeezed = re.sub(r"[^a-z0-9+]", "", text.lower())
    return squeezed.replace("scheduler", "").replace("dpmpp", "dpm++").replace("ancestral", "a")


def _is_scheduler(name: str | None) -> str | None:
    """Refuse what is no name, with the nearest that is."""
    if name is None or name in SCHEDULER_NAMES:
        return name
    base = max((base for base in BASES if name.startswith(f"{base.name}_")),
               key=lambda base: len(base.name), default=None)  # fmt: skip
    near = scheduler_named(name)
    if near is None and base and name.removeprefix(f"{base.name}_") in _WRITTEN_TYPES:
        raise Refused(f"{base.name} cannot be had with that suffix; found “{shortened(name)}”.",
                      f"There is: {', '.join(base.names)}.")  # fmt: skip
    near = near or nearest(name, SCHEDULER_NAMES)
    raise Refused(
        f"there is no scheduler “{shortened(name)}”.",
        f"Did you mean `{near}`?"
        if near
        else f"There is: {', '.join((OWN, *(base.name for base in BASES)))}; "
        f"most also with _{', _'.join(_WRITTEN_TYPES)}.",
    )


SchedulerName = Annotated[
    str,
    Check(after=_is_scheduler),
    Meta(extra_json_schema={WRITTEN: {"type": "string", "enum": list(SCHEDULER_NAMES)}}),
]
"""The type of a field that holds a scheduler's name."""

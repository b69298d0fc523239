"""Which settings of torch make a UNet fastest on this machine's processor?

Each setting runs beside the plain one (fp32, as diffusers loads it, ``inference_mode``, the
environment of the worker), call by call in turn, with 2 to 32 rows a call; the ratio is that of
their times within a pair. ``differs`` is the largest difference of the UNet's output to the plain
one's, as a share of the output's spread: 0 is bit for bit the same picture.

``--model sd21`` measures the UNet of Stable Diffusion 2.1's shape with random weights: 8 GB of
memory and an hour, the embedded model a quarter of one; compiling needs g++.

Prints a table, writes ``bench/results/cpu_settings_MODEL_SIDE.json``.
Run: ``python bench/cpu_settings.py [--model demo|sd21] [--side PIXELS] [--only WORD] [--quick]``.
"""

from __future__ import annotations

import os

from img2imgd.engine.factory import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the worker sets it; read at torch's import

import argparse
import contextlib
import copy
import gc
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

import img2imgd
from measuring.pairs import Runs, paired, ratio, seconds, timed
from measuring.remote import Remote
from measuring.report import Options, save, table
from measuring.unet import Parts, Unet, inputs, threads

PACKAGE = Path(img2imgd.__file__).parent
ROWS = {"demo": (2, 4, 8, 16, 32), "sd21": (2, 8, 16)}
PAIRS = {"demo": 15, "sd21": 2}
FOLDERS = {"demo": PACKAGE / "demo_model", "sd21": PACKAGE / "engine" / "configs" / "sd21"}
FACTORS = {"demo": 16, "sd21": 8}  # pixels of a latent's side
ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "threads spin, libgomp's own way": {"GOMP_SPINCOUNT": None},
    "threads sleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "threads spin 10,000 times": {"GOMP_SPINCOUNT": "10000"},
    "threads spin 1,000 times": {"GOMP_SPINCOUNT": "1000"},
}


@dataclass(frozen=True)
class Setting:
    """A way to run the UNet: what is done to it once, and around each call."""

    name: str
    change: Callable[[Unet], Unet] = lambda unet: unet
    around: Callable[[], contextlib.AbstractContextManager[object]] = torch.inference_mode
    own_copy: bool = False


@contextlib.contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers next to zero count as zero."""
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_flush_denormal(False)


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    """Convolutions by torch's own kernels."""
    with torch.backends.mkldnn.flags(enabled=False), torch.inference_mode():
        yield


@contextlib.contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """fp32 outside, products of matrices in less."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def channels_last(unet: Unet) -> Unet:
    """Channels innermost in memory."""
    return unet.to(memory_format=torch.channels_last)


def eager_attention(unet: Unet) -> Unet:
    """Attention as written, not torch's fused kernel."""
    unet.set_attn_processor(AttnProcessor())
    return unet


def fused_projections(unet: Unet) -> Unet:
    """One product for queries, keys and values."""
    unet.fuse_qkv_projections()
    return unet


def by_blocks(unet: Unet) -> Unet:
    """torch.compile of the blocks that repeat."""
    unet.compile_repeated_blocks(dynamic=True)
    return unet


def whole(unet: Unet, **options: Any) -> Unet:
    """torch.compile of all of it, for any number of rows."""
    unet.compile(dynamic=True, **options)
    return unet


def settings() -> tuple[Setting, ...]:
    """All that are compared with the plain one."""
    freezing = {"options": {"freezing": True}}
    return (
        Setting("no_grad", around=torch.no_grad),
        Setting("1 thread", around=lambda: threads(1)),
        Setting("a part of the rows a core", Parts),
        Setting("flush denormals", around=flushed_denormals),
        Setting("without oneDNN", around=without_onednn),
        Setting("channels_last", channels_last, own_copy=True),
        Setting("attention as written", eager_attention, own_copy=True),
        Setting("fused projections", fused_projections, own_copy=True),
        Setting("matmul precision medium", around=lambda: matmul_precision("medium")),
        Setting("bf16", lambda unet: unet.to(torch.bfloat16), own_copy=True),
        Setting(
            "bf16 channels_last",
            lambda unet: channels_last(unet.to(torch.bfloat16)),
            own_copy=True,
        ),
        Setting("compile, blocks", by_blocks, own_copy=True),
        Setting("compile", whole, own_copy=True),
        Setting("compile, no_grad", whole, around=torch.no_grad, own_copy=True),
        Setting(
            "compile, frozen",
            lambda unet: whole(unet, **freezing),
            around=torch.no_grad,
            own_copy=True,
        ),
        Setting("compile, channels_last", lambda unet: whole(channels_last(unet)), own_copy=True),
        Setting("compile, bf16", lambda unet: whole(unet.to(torch.bfloat16)), own_copy=True),
    )


class Calls:
    """Calls of one UNet under one setting, with inputs of any number of rows."""

    def __init__(self, unet: Unet, setting: Setting, latent_side: int) -> None:
        self._unet = setting.change(unet)
        self._setting = setting
        self._side = latent_side

    def output(self, rows: int) -> torch.Tensor:
        """Of the same inputs whatever the setting."""
        ready = inputs(self._unet, rows, self._side)
        with self._setting.around():
            return self._unet(*ready, return_dict=False)[0].float().clone()

    def seconds(self, rows: int) -> float:
        """A call's."""
        return timed(lambda: self.output(rows))


@dataclass(frozen=True)
class Measured:
    """One setting with one number of rows."""

    setting: str
    rows: int
    first_call: float
    differs: float
    runs: Runs

    def row(self) -> tuple[object, ...]:
        """A line of the table."""
        return (
            self.setting, self.rows, 1000 * seconds(self.runs, "plain").median / self.rows,
            1000 * seconds(self.runs, "other").median / self.rows,
            str(ratio(self.runs, "other", "plain")), f"{self.differs:.0e}", self.first_call,
        )  # fmt: skip

    def facts(self) -> dict[str, object]:
        """For the JSON."""
        return {
            "setting": self.setting, "rows": self.rows, "first_call_s": self.first_call,
            "differs": self.differs,
            "plain_ms_per_row": seconds(self.runs, "plain").times(1000 / self.rows),
            "ms_per_row": seconds(self.runs, "other").times(1000 / self.rows),
            "times_as_fast": ratio(self.runs, "other", "plain"),
        }  # fmt: skip


def measure(plain: Calls, other: Calls, name: str, rows: int, pairs: int) -> Measured:
    """Both in turn."""
    expected = plain.output(rows)
    began = time.perf_counter()
    given = other.output(rows)
    first = time.perf_counter() - began
    differs = (given - expected).abs().max() / expected.std()
    calls = {"plain": lambda: plain.seconds(rows), "other": lambda: other.seconds(rows)}
    return Measured(name, rows, first, float(differs), paired(calls, pairs))


def of_settings(told: argparse.Namespace, latent_side: int) -> Iterator[list[Measured]]:
    """Each setting beside the plain one, in this process."""
    unet = load(told.model)
    plain = Calls(unet, Setting("plain"), latent_side)
    for setting in settings():
        compiled = "compile" in setting.name
        if told.only not in setting.name or (compiled and told.quick and not told.only):
            continue
        other = Calls(copy.deepcopy(unet) if setting.own_copy else unet, setting, latent_side)
        try:
            yield [measure(plain, other, setting.name, rows, told.pairs) for rows in told.rows]
        except Exception as error:  # noqa: BLE001 - a setting that this torch or machine cannot
            print(f"{setting.name}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        del other
        torch.compiler.reset()
        gc.collect()


def of_environments(told: argparse.Namespace, latent_side: int) -> Iterator[list[Measured]]:
    """How threads wait for each other is read once, so each has a process of its own."""
    for name, environment in ENVIRONMENTS.items():
        if told.only not in name:
            continue
        with (
            Remote(plain_calls, told.model, latent_side) as plain,
            Remote(plain_calls, told.model, latent_side, environment=environment) as other,
        ):
            found: list[Measured] = []
            for rows in told.rows:
                first = other.call("seconds", rows)
                calls = {
                    "plain": lambda rows=rows: plain.call("seconds", rows),
                    "other": lambda rows=rows: other.call("seconds", rows),
                }
                found.append(Measured(name, rows, first, 0.0, paired(calls, told.pairs)))
            yield found


def plain_calls(model: str, latent_side: int) -> Calls:
    """Those that all others are compared with."""
    return Calls(load(model), Setting("plain"), latent_side)


def load(model: str) -> Unet:
    """The embedded model's UNet, or one of Stable Diffusion 2.1's shape with random weights."""
    folder = FOLDERS[model] / "unet"
    if model == "demo":
        return UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(0)
    config = UNet2DConditionModel.load_config(folder)
    return UNet2DConditionModel.from_config(config).eval()


HEADER = ("setting", "rows", "plain ms/row", "ms/row", "times as fast", "differs", "first call s")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=FOLDERS, default="demo")
    parser.add_argument("--side", type=int, help="pixels; 128 for demo, 64 for sd21")
    parser.add_argument("--only", default="", help="settings whose name has this word")
    parser.add_argument("--repetitions", dest="pairs", type=int)
    parser.add_argument("--quick", action="store_true", help="a smoke run; nothing is compiled")
    told = parser.parse_args()
    told.rows = (2, 16) if told.quick else ROWS[told.model]
    told.pairs = told.pairs or (1 if told.quick else PAIRS[told.model])
    side = told.side or {"demo": 128, "sd21": 64}[told.model]
    print(f"{told.model}, {side} px, {torch.get_num_threads()} threads")
    measured: list[Measured] = []
    for found in itertools.chain(
        of_environments(told, side // FACTORS[told.model]),
        of_settings(told, side // FACTORS[told.model]),
    ):
        measured += found
        print(*table(HEADER, [one.row() for one in found]).splitlines()[1:], sep="\n", flush=True)
    print("\n" + table(HEADER, [one.row() for one in measured]))
    facts = {"model": told.model, "side": side, "rows": [one.facts() for one in measured]}
    save(Options(told.quick, told.pairs), f"cpu_settings_{told.model}_{side}", facts)


if __name__ == "__main__":
    main()

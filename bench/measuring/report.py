"""Tables on the terminal, results as JSON, and where they go."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd import __version__

from .cases import CACHE, CASES, Case, quick
from .pairs import Spread

RESULTS = Path(__file__).parent.parent / "results"
_PACKAGES = ("torch", "diffusers", "transformers", "pillow")


@dataclass(frozen=True)
class Options:
    """What every script can be told; ``repetitions`` None is what suits each."""

    quick: bool
    repetitions: int | None
    cases: tuple[Case, ...] = ()

    @property
    def results(self) -> Path:
        """Where results go; those of a smoke run mean nothing and go elsewhere."""
        folder = CACHE if self.quick else RESULTS
        folder.mkdir(exist_ok=True)
        return folder

    def pairs(self, usual: int) -> int:
        """How many repetitions to run."""
        return self.repetitions or (1 if self.quick else usual)


def options(description: str | None) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: its figures mean nothing"
    )
    parser.add_argument("--repetitions", type=int)
    parser.add_argument(
        "--case", action="append", choices=CASES, help="several are possible; all if none"
    )
    told = parser.parse_args()
    names: list[str] = told.case or (["demo-64"] if told.quick else list(CASES))
    cases = tuple(quick(CASES[name]) if told.quick else CASES[name] for name in names)
    return Options(told.quick, told.repetitions, cases)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need; the first to the left, numbers to the right."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


def _cell(value: object) -> str:
    return (
        f"{value:.3g}" if isinstance(value, float) and not isinstance(value, Spread) else str(value)
    )


def save(told: Options, name: str, facts: dict[str, object]) -> Path:
    """Write the JSON, with what was measured on what; gives back its path."""
    path = told.results / f"{name}.json"
    document = {"machine": machine(), "versions": versions(), **facts}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}", flush=True)
    if told.quick:
        print("A smoke run tries the code: its figures mean nothing; bench/results is left alone.")
    return path


def machine() -> str:
    """In words: processor, cores, memory."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = cpu.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in cpu]
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) / 1e6
    cores = len(os.sched_getaffinity(0))
    return f"{model or platform.machine()} ({', '.join(flags)}), {cores} cores, {memory:.0f} GB"


def versions() -> dict[str, str]:
    """Of Python and of what paints."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "img2imgd": __version__, **found}

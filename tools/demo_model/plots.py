"""Plot the curves that the trainings wrote: loss and held-out figures over minutes."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from matplotlib import pyplot

from .architecture import RECORDS

TITLES = {
    "vae": "picture coder",
    "decoder": "its decoder alone",
    "unet": "denoiser and text encoder",
    "judge": "judge",
}


def read_curve(path: Path) -> dict[str, list[float]]:
    """The columns of one curve."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def plot(folder: Path, target: Path) -> None:
    """One panel for each curve in the folder: losses on the left axis, decibels on the right."""
    curves = {name: read_curve(folder / f"{name}.csv") for name in TITLES
              if (folder / f"{name}.csv").exists()}  # fmt: skip
    figure, panels = pyplot.subplots(1, len(curves), figsize=(5 * len(curves), 3.6), squeeze=False)
    for panel, (name, columns) in zip(panels[0], curves.items(), strict=True):
        losses = [
            key for key in columns if key.startswith(("loss", "held_out")) and "psnr" not in key
        ]
        for key in losses:
            panel.plot(columns["minutes"], columns[key], label=key.replace("_", " "))
        panel.set(title=TITLES[name], xlabel="minutes of training", ylabel="loss", yscale="log")
        if "held_out_psnr" in columns:
            right = panel.twinx()
            right.plot(columns["minutes"], columns["held_out_psnr"], "C3", label="held-out PSNR")
            right.set(ylabel="dB")
            right.legend(loc="center right")
        panel.legend(loc="upper right")
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(target, dpi=110)


def main() -> None:
    """Command line: curves of a folder (the committed ones by default) to one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--curves", type=Path, default=RECORDS)
    options = parser.parse_args()
    plot(options.curves, options.target)


if __name__ == "__main__":
    main()

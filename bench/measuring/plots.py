"""Plots of results, without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from .pairs import Runs, seconds


def bars(path: Path, title: str, cases: Mapping[str, Runs]) -> None:
    """A panel a case, a bar a contender: the median, and a line from the fastest to the slowest."""
    figure, panels = plt.subplots(
        1, len(cases), figsize=(3.2 * len(cases) + 1, 3.6), squeeze=False, layout="constrained"
    )
    for panel, (case, runs) in zip(panels[0], cases.items(), strict=True):
        for place, name in enumerate(runs[0]):
            took = seconds(runs, name)
            below, above = took.median - took.lowest, took.highest - took.median
            panel.bar(place, took.median, yerr=[[below], [above]], capsize=4, color=f"C{place}")
            panel.annotate(f"{took.median:.3g}", (place, took.highest), ha="center", va="bottom")
        panel.set_xticks(range(len(runs[0])), list(runs[0]), rotation=30, ha="right")
        panel.set_title(case)
        panel.margins(y=0.12)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def lines(
    path: Path, title: str, panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
) -> None:
    """A panel a question (its name is the axis below), a line a series of points."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for axis, (below, series) in zip(axes[0], panels.items(), strict=True):
        for name, points in series.items():
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axis.set_xlabel(below)
        axis.set_xscale("log")
        places = sorted({place for points in series.values() for place, _ in points})
        axis.set_xticks(places, [f"{place:,}" for place in places], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)

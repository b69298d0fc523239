"""Small copies for the page are bounded, and go with their jobs."""

from __future__ import annotations

import os
from pathlib import Path

from img2imgd.upkeep.views import VIEWS, prune_views


def keep(state: Path, job: str, size: int, made: float) -> None:
    folder = state / VIEWS / job
    folder.mkdir(parents=True)
    (folder / "input-384.webp").write_bytes(b"x" * size)
    os.utime(folder / "input-384.webp", (made, made))


def left(state: Path) -> set[str]:
    return set(os.listdir(state / VIEWS))


def test_views_of_forgotten_jobs_go(tmp_path: Path) -> None:
    keep(tmp_path, "known", 10, 1)
    keep(tmp_path, "forgotten", 10, 2)
    assert prune_views(tmp_path, lambda _: {"known"}, 1_000) == 1
    assert left(tmp_path) == {"known"}


def test_the_oldest_of_too_many_go(tmp_path: Path) -> None:
    for number in range(10):
        keep(tmp_path, f"job{number}", 100, 1_000 + number)
    assert prune_views(tmp_path, lambda jobs: jobs, 1_000) == 0
    assert prune_views(tmp_path, lambda jobs: jobs, 900) == 3
    assert left(tmp_path) == {f"job{number}" for number in range(3, 10)}


def test_no_page_no_views(tmp_path: Path) -> None:
    assert prune_views(tmp_path, lambda jobs: jobs, 1) == 0

"""``img2imgd demo``: from nothing to pictures, on any machine."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
from accounting import gif_duration
from PIL import Image
from served_root import PROGRAM, ServedRoot

from waiting import wait_until


@pytest.mark.timeout(290)  # a sweep of 31 frames with 50 steps on a busy machine without a GPU
def test_the_demo_paints_three_sketches_and_names_files_that_are_there(
    root: ServedRoot, tmp_path: Path
) -> None:
    home = tmp_path / "demo"
    result = root.command("demo", home, timeout=280)
    assert result.returncode == 0, result.stderr
    named = [Path(word) for word in re.findall(rf"{re.escape(str(home))}\S*", result.stdout)]
    assert len(named) >= 5
    for path in named:
        assert Path(str(path).rstrip(".,")).exists(), path

    (house,) = (home / "outbox").glob("house_*.png")
    (boats,) = (home / "outbox").glob("boat_*")
    (hills,) = (home / "outbox").glob("hills_*")
    frames = sorted(hills.glob("hills_*_??_*_187.png"))
    assert len(frames) == 31
    assert len(list(boats.glob("boat_*_??_*_187.png"))) == 4
    (gif,) = hills.glob("*.gif")
    assert gif in named
    assert gif_duration(gif) == 31 * 400
    with Image.open(home / "story.png") as story:
        assert story.width > 1_000
        story.load()
    assert home / "story.png" in named
    for path in (house, *boats.glob("boat_*_??_*_187.png"), *frames):
        with Image.open(path) as image:
            assert image.size == (256, 256), path.name
            image.load()
    assert {p.name for p in (home / "done").iterdir()} == {
        f"{stem}.{suffix}" for stem in ("house", "boat", "hills") for suffix in ("png", "yaml")
    }  # fmt: skip
    assert not list((home / "failed").iterdir())
    assert "Traceback" not in result.stderr


def test_a_demo_that_is_stopped_says_how_to_go_on(root: ServedRoot) -> None:
    demo = subprocess.Popen(
        [PROGRAM, "demo", root.path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    wait_until(lambda: root.staged_frames() >= 1, "a frame is painted", 100)
    demo.send_signal(signal.SIGTERM)
    said, _ = demo.communicate(timeout=40)
    assert demo.returncode == 5
    assert "goes on at the next start" in said
    assert f"once --root {root.path}" in said
    assert str(root.failed) not in said


def test_a_demo_that_cannot_begin_says_why_and_loses_nothing(root: ServedRoot) -> None:
    (root.inbox / "_defaults.yaml").write_text("strenght: 0.5\n")
    demo = root.command("demo", root.path)
    assert demo.returncode == 3
    assert "hills.png: is held: _defaults.yaml cannot be used" in demo.stdout
    assert f"See {root.failed}" in demo.stdout
    assert (root.failed / "_defaults.yaml.reason.txt").exists()
    assert len(list(root.inbox.glob("*.png"))) == 3

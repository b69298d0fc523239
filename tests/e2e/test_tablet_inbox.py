"""A drawing tablet's inbox: pictures stay where they are, the newest save is painted."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image
from served_root import ServedRoot, pause

from img2imgd.job import JobState
from waiting import wait_until

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}
FAINT = "\n    defaults: {prompt: a lake, steps: 10, strength: 0.1}"  # the picture shines through


def _tablet(root: ServedRoot, more: str = "") -> None:
    root.inbox.mkdir(parents=True, exist_ok=True)
    root.config.write_text(
        f"root: {root.path}\nengine: {{backend: fake}}\nlimits: {{min_free_gb: 0}}\n"
        f"inboxes:\n  - path: {root.inbox}\n    profile: tablet\n    rescan: 1{FAINT}{more}\n"
    )


def _save(path: Path, colour: str) -> None:
    """Save as an art program does: over the old content, the same file."""
    image = Image.new("RGB", (64, 64), COLOURS[colour])
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate()
        image.save(file, "PNG")


def _history(root: ServedRoot) -> list[Path]:
    """The outputs under names of their own."""
    return [path for path in root.outputs() if ".latest" not in path.name]


def _strongest(path: Path) -> str:
    """Which of red, green and blue a picture has most of."""
    with Image.open(path) as image:
        pixel = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return ("red", "green", "blue")[pixel.index(max(pixel))]


def test_of_three_quick_saves_the_newest_is_painted_once(root: ServedRoot) -> None:
    _tablet(root)
    daemon = root.start()
    drawing = root.inbox / "drawing.png"
    for colour in COLOURS:
        _save(drawing, colour)
        pause(0.1)  # much less than the profile's settle time
    original = drawing.read_bytes()
    root.wait_served(1)
    (output,) = _history(root)
    assert _strongest(output) == "blue"

    _save(drawing, "green")
    root.wait_served(2)
    assert sorted(_strongest(path) for path in _history(root)) == ["blue", "green"]
    assert _strongest(root.outbox / "drawing.latest.png") == "green"

    os.utime(drawing)
    drawing.chmod(0o640)
    _save(root.inbox / "other.png", "red")
    root.wait_served(3)  # by then the touched one would have been taken as well
    assert len(_history(root)) == 3
    assert daemon.stop() == 0
    assert {p.name for p in root.inbox.iterdir()} == {".img2imgd", "drawing.png", "other.png"}
    _save(root.path / "same.png", "blue")
    assert (root.path / "same.png").read_bytes() == original
    assert not list(root.done.iterdir())
    assert not list(root.failed.iterdir())


def test_a_stale_save_that_has_not_begun_gives_way_to_the_newest(root: ServedRoot) -> None:
    """There is room for many frames beside it, but a drawing is painted once at a time."""
    _tablet(root, "\n    live: false")
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="4")
    drawing = root.inbox / "drawing.png"
    for number, colour in enumerate(("red", "green", "blue", "red", "blue")):
        _save(drawing, colour)
        wanted = [JobState.RUNNING, *[JobState.REPLACED] * (number - 1), JobState.QUEUED]
        wait_until(
            lambda states=wanted[: number + 1]: [row.state for row in root.jobs()] == states,
            f"{colour} is queued, and what was queued before is replaced",
        )
    assert daemon.stop(grace=20) == 0
    result = root.once()
    assert result.returncode == 0, result.stderr
    begun, newest = _history(root)
    assert {_strongest(begun), _strongest(newest)} == {"red", "blue"}


def test_a_failure_writes_only_a_reason_and_leaves_the_drawing(root: ServedRoot) -> None:
    _tablet(root)
    daemon = root.start()
    drawing = root.inbox / "drawing.png"
    _save(drawing, "red")
    drawing.write_bytes(drawing.read_bytes()[:60])
    root.wait_served(1)
    reason = (root.failed / "drawing.png.reason.txt").read_text()
    assert "To try again, put" not in reason  # the file is where it was
    assert {p.name for p in root.failed.iterdir()} == {"drawing.png.reason.txt"}
    assert drawing.exists()
    _save(drawing, "blue")
    root.wait_served(2)
    (output,) = _history(root)
    assert _strongest(output) == "blue"
    assert daemon.stop() == 0


def test_nothing_is_painted_again_after_a_restart(root: ServedRoot) -> None:
    _tablet(root)
    _save(root.inbox / "drawing.png", "red")
    assert root.once().returncode == 0
    assert root.once().returncode == 0
    assert len(_history(root)) == 1

"""The whole path with the real engine and the embedded model, without any config."""

from __future__ import annotations

from pathlib import Path

from accounting import account, assert_nothing_left_over, fingerprints, gif_duration
from PIL import Image, ImageChops, ImageStat
from served_root import ServedRoot

from img2imgd.sketches import house

SWEEP = """\
prompt: an oil painting of a red house in a green meadow under a blue sky
seed: 187
steps: 20
sweep: {strength: [0.3, 0.75, 1]}
"""
SINGLE = """\
prompt: an oil painting of a red house in a green meadow under a blue sky
seed: 187
steps: 20
strength: 0.75
"""


def _difference(one: Path, other: Path) -> float:
    """Mean difference per channel, 0 to 255."""
    with Image.open(one) as left, Image.open(other) as right:
        size = left.size
        difference = ImageChops.difference(left.convert("RGB"), right.convert("RGB").resize(size))
    means = ImageStat.Stat(difference).mean
    return sum(means) / len(means)


def test_sketches_are_painted_with_nothing_but_a_root(root: ServedRoot) -> None:
    for name, sidecar in (("sweep", SWEEP), ("single", SINGLE)):
        house().save(root.inbox / f"{name}.png")
        (root.inbox / f"{name}.yaml").write_text(sidecar)
    dropped = fingerprints(root.inbox)
    result = root.command("once", "--root", root.path, "--timeout", "100", timeout=250)
    assert result.returncode == 0, result.stderr
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)

    (single,) = root.outbox.glob("single_*_187.png")
    (folder,) = root.outbox.glob("sweep_*_187")
    frames = sorted(path for path in folder.glob("sweep_*_0?_*_187.png"))
    assert len(frames) == 3
    (gif,) = folder.glob("*.gif")
    assert gif_duration(gif) == 3 * 400
    sketch = root.done / "sweep.png"
    distances = [_difference(frame, sketch) for frame in frames]
    assert distances == sorted(distances), "the stronger, the further from the sketch"
    assert distances[0] < 40 < 60 < distances[1], (
        "a sketch at a low strength, a painting at higher ones"
    )
    assert all(ImageStat.Stat(Image.open(frame)).stddev[0] > 10 for frame in frames)
    # Same seed, same request, same picture: the same image, whatever else was in the batch.
    assert _difference(single, frames[1]) <= 1

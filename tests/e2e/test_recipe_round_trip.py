"""A recipe, dropped again with the original picture, makes the same image with the real engine."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served_root import ServedRoot
from tiny_model import save_lora, save_tiny_model

from img2imgd.sketches import house

pytestmark = pytest.mark.timeout(600)  # the first test waits for all that is painted

BASE = "prompt: an oil painting of a red house in a green meadow\nsteps: 8\nseed: 187\nsize: 64\n"


@dataclass(frozen=True)
class Case:
    """What is asked, and which of its frames is made again."""

    name: str
    sidecar: str
    frame: int = 0


MODELS = """\
models:
  ink: {{source: {model}, loras: [{lora}]}}
  faint: {{source: {model}, loras: [{{source: {lora}, weight: 0.25}}]}}
"""
CASES = (
    Case("plain", "strength: 0.6"),
    Case("a drawn seed", "seed:\nstrength: 0.6"),
    Case("style", "strength: 0.5\nstyle: [hokusai, monet]", 1),
    Case("own style", "style: [{name: i, prompt: 'ink, {prompt}', negative_prompt: red}]"),
    Case("drawn words", 'prompt: "a {red|blue|green} {house|boat}"\nn: 3\nstrength: 0.9', 2),
    Case("a variation", "n: 3\nstrength: 0.6", 2),
    Case("a frame of a sweep", "sweep: {strength: {from: 0.1, to: 0.9, step: 0.2}}", 3),
    Case("a frame of two axes", "sweep: {guidance_scale: [2, 9], strength: [0.4, 0.8]}", 3),
    Case("an equal frame", "sweep: {strength: [0.5, 0.55, 0.9]}", 1),
    Case("a scheduler with noise", "scheduler: euler_a\nstrength: 0.8"),
    Case("a scheduler with a suffix", "scheduler: dpm++_2m_karras\nstrength: 0.8"),
    Case("cropped", "size: [64, 128]\nstrength: 0.6"),
    Case("padded", "size: [128, 64]\nfit: contain\nstrength: 0.6"),
    Case("a LoRA", "model: ink\nstrength: 0.6"),
    Case("a LoRA's weight in a sweep", "model: faint\nsweep: {strength: [0.5, 0.9]}", 1),
    Case("jpeg", "format: jpeg\nquality: 80\nstrength: 0.6"),
    Case("webp", "format: webp\nstrength: 0.6"),
    Case("lossless webp", "format: webp\nquality: 100\nstrength: 0.6"),
    Case("weights", 'prompt: "a {(red|(blue}:1.4) house, [meadow]"\nprompt_syntax: a1111\nn: 2', 1),
    Case("compel's weights", 'prompt: "a red+++ house, \\"meadow\\"-"\nprompt_syntax: compel'),
    Case("a long prompt", f"prompt: a red house{', a meadow and birches' * 30}, oil\nn: 2", 1),
    Case("restored size", "restore_size: true\nstrength: 0.6"),
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> ServedRoot:
    """All cases served at once, and then all their recipes, each with the original picture."""
    folder = tmp_path_factory.mktemp("recipes")
    root = ServedRoot(folder / "root", folder / "config.yaml")
    model = save_tiny_model(folder / "tiny")
    lora = save_lora(model, folder / "ink.safetensors")
    root.write_config(backend="diffusers", extra=MODELS.format(model=model, lora=lora))
    sketch = house().resize((150, 110))
    for number, case in enumerate(CASES):
        sketch.save(root.inbox / f"first{number}.png")
        own = {line.partition(":")[0] for line in case.sidecar.splitlines()}
        base = [line for line in BASE.splitlines() if line.partition(":")[0] not in own]
        (root.inbox / f"first{number}.yaml").write_text("\n".join([*base, case.sidecar, ""]))
    once(root)
    # What the folder says by default must not change what a recipe makes.
    (root.inbox / "_defaults.yaml").write_text(
        "prompt: wrong\nnegative_prompt: wrong\nstyle: wrong\nstrength: 0.2\nn: 2\nsteps: 3\n"
        "prompt_syntax: compel\nfit: stretch\nscheduler: ddim\nsize: 192\nformat: png\n"
        "restore_size: false\n"
    )
    for number, case in enumerate(CASES):
        told = root.command("recipe", frames(root, f"first{number}")[case.frame])
        assert told.returncode == 0, told.stderr
        (root.inbox / f"again{number}.yaml").write_text(told.stdout)
        shutil.copy(root.done / f"first{number}.png", root.inbox / f"again{number}.png")
    once(root)
    return root


def once(root: ServedRoot) -> None:
    result = root.command("once", "-c", root.config, "--timeout", "60", timeout=280)
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]


def frames(root: ServedRoot, stem: str) -> list[Path]:
    """A job's pictures in order, without its animation and sheet."""
    found = [path for path in root.outputs() if path.name.startswith(f"{stem}_")]
    return [path for path in found if not path.stem.endswith(("_sheet", "_morph"))]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_the_same_image_is_made(served: ServedRoot, number: int) -> None:
    wanted = frames(served, f"first{number}")[CASES[number].frame]
    (made,) = frames(served, f"again{number}")
    assert made.suffix == wanted.suffix
    with Image.open(wanted) as one, Image.open(made) as other:
        assert one.size == other.size
        difference = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16))
    sys.stdout.write(f"{CASES[number].name}: differs by {difference.max()} of 255\n")
    # One of 255, since the first was painted beside others; JPEG makes up to three of one.
    assert difference.max() <= (3 if made.suffix == ".jpg" else 1)


def test_a_recipe_names_the_lora_by_the_hash_of_its_weights(served: ServedRoot) -> None:
    number = next(at for at, case in enumerate(CASES) if case.name == "a LoRA")
    (output,) = frames(served, f"first{number}")
    digest = hashlib.sha256((served.path.parent / "ink.safetensors").read_bytes()).hexdigest()
    told = served.command("recipe", output).stdout
    assert f"# LoRA: ink at 1, weights {digest[:10]}\n" in told
    assert "# model: ink (sd1), weights " in told
    assert str(served.path.parent) not in output.read_bytes().decode("latin-1")


def test_other_frames_of_the_jobs_differ(served: ServedRoot) -> None:
    """The comparison can fail."""
    for number, case in enumerate(CASES):
        pictures = frames(served, f"first{number}")
        if len(pictures) == 1 or case.name == "an equal frame":
            continue
        with Image.open(pictures[case.frame]) as one, Image.open(pictures[case.frame - 1]) as other:
            assert one.tobytes() != other.tobytes(), case.name

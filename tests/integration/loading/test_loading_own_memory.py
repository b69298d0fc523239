"""A loaded model is its own: whatever becomes of its files, pictures stay the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from engines import spec
from forms import Forms
from safetensors.torch import load_file, save_file
from tiny_families import save_family
from tiny_model import save_lora

import img2imgd
from img2imgd.engine.loading import load_pipeline

DEMO = Path(img2imgd.__file__).parent / "demo_model"


def assert_painted_the_same(image: Path, weights: Path, **row: object) -> None:
    """The process, which would die or paint something else, is one of its own."""
    script = Path(__file__).with_name("losing_files.py")
    words = [f"{key}={value}" for key, value in row.items()]
    ended = subprocess.run(
        [sys.executable, script, image, weights, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (ended.returncode, ended.stdout, ended.stderr[-2000:])
    painted = ended.stdout.split()
    assert len(painted) == 3
    assert len(set(painted)) == 1


def test_the_embedded_model_in_fp32_survives_its_files(image: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(DEMO, tmp_path / "demo")
    for file in folder.rglob("*.safetensors"):
        full = {name: weights.float() for name, weights in load_file(file).items()}
        save_file(full, file, metadata={"format": "pt"})
    assert_painted_the_same(image, folder, source=folder)


def test_a_checkpoint_with_another_vae_and_a_lora_survives_its_files(
    forms: Mapping[str, Forms], image: Path, tmp_path: Path
) -> None:
    form, weights = forms["sd1"], tmp_path / "weights"
    weights.mkdir()
    file = shutil.copy(form.file, weights / "model.safetensors")
    vae = shutil.copy(
        next((form.folder / "vae").glob("*.safetensors")), weights / "vae.safetensors"
    )
    lora = save_lora(form.folder, weights / "ink.safetensors")
    assert_painted_the_same(image, weights, source=file, config=form.folder, vae=vae, lora=lora)


def test_a_model_with_a_transformer_survives_its_files(image: Path, tmp_path: Path) -> None:
    folder = save_family("flux", tmp_path / "flux")
    assert_painted_the_same(image, folder, source=folder)


def test_weights_that_parts_share_are_still_shared(tmp_path: Path) -> None:
    pipe, _ = load_pipeline(spec(save_family("flux", tmp_path / "flux")))
    text = pipe.text_encoder_2
    assert text.shared.weight.data_ptr() == text.encoder.embed_tokens.weight.data_ptr()

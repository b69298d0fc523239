"""Writing the model that the daemon ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tools.demo_model.architecture import load_pipeline
from tools.demo_model.export import export


def test_an_export_that_was_cut_off_in_its_swap_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, target, stale = tmp_path / "work", tmp_path / "model", tmp_path / ".demo_model_old"
    work.mkdir()
    export(work, target)
    for module in ("export", "architecture", "tokenizer"):
        monkeypatch.setattr(f"tools.demo_model.{module}.MODEL_DIR", target)
    target.rename(stale)
    (tmp_path / ".demo_model_new").mkdir()
    export(work, target)
    assert load_pipeline(target).unet is not None
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_new_picture_coder_is_not_shipped_with_the_denoiser_of_another(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "vae.pt")
    with pytest.raises(RuntimeError, match="train_unet first"):
        export(tmp_path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        load_pipeline(tmp_path)

"""The command line that means a config again: read back, it gives the same config."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from img2imgd.cli.configured import config_of
from img2imgd.cli.main import _parser  # pyright: ignore[reportPrivateUsage]
from img2imgd.config import Config, command


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "home" / "img2imgd").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def read(words: list[str]) -> Config:
    return config_of(_parser().parse_args(words))


def written(path: Path, root: Path | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"root: '{root}'\n")
    return path


def test_the_default_root_needs_no_options(home: Path) -> None:
    assert command(read(["retry"]), "retry", "A1") == "img2imgd retry A1"
    written(home / "img2imgd" / "config.yaml", "/srv/elsewhere")
    assert command(read(["retry"]), "retry", "A1") == "img2imgd retry A1"


@pytest.mark.parametrize(
    "given",
    [["-c", "my etc/c.yaml"], ["--root", "my root"], ["--root", "with config"],
     ["-c", "my etc/c.yaml", "--root", "my root"], ["-c", "with config/config.yaml"], []],
)  # fmt: skip
def test_what_is_printed_finds_the_same_config_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    written(tmp_path / "my etc" / "c.yaml", tmp_path / "pics")
    written(tmp_path / "with config" / "config.yaml", tmp_path / "other")
    config = read(["status", *given])
    line = command(config, "retry", "A1")
    monkeypatch.chdir(os.sep)
    again = read(shlex.split(line)[1:])
    assert (again.root, again.path) == (config.root, config.path)
    assert line.startswith("img2imgd retry ")
    assert line.endswith(" A1")

"""The example config shows every key with its default, and cannot drift from the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from img2imgd.config import Config, default_config_text, json_schema, load_config

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
ENV = {"HOME": "/home/ada"}


def load(path: Path | None) -> Config:
    config = load_config(path, None, env=ENV, is_local=lambda _: True)
    return dataclasses.replace(config, path=None)


def schema_keys(schema: dict[str, Any]) -> set[str]:
    """Every key of the config but those inside `defaults`, which are a sidecar's."""
    parts = [schema, *(d for name, d in schema["$defs"].items() if name not in REQUEST_PARTS)]
    return {key for part in parts for key in part.get("properties", {})}


REQUEST_PARTS = {
    "DefaultKeys", "Axis", "SweepKeys", "GifKeys", "SheetKeys", "FromList", "StyleKeys",
}  # fmt: skip


def test_the_example_loads_and_equals_the_defaults() -> None:
    assert load(EXAMPLE) == load(None)


def test_what_is_commented_out_is_the_default_too(tmp_path: Path) -> None:
    every = tmp_path / "config.yaml"
    text, count = re.subn(r"(?m)^( *)#(?=\w+:)", r"\1", EXAMPLE.read_text(encoding="utf-8"))
    every.write_text(text, encoding="utf-8")
    assert count >= 12
    assert load(every) == load(None)


def test_every_key_of_the_schema_stands_in_the_example() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    missing = {key for key in schema_keys(json_schema()) if not re.search(rf"\b{key}:", text)}
    assert not missing


def test_keys_that_a_profile_sets_are_commented_out(tmp_path: Path) -> None:
    changed = tmp_path / "config.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace("profile: share", "profile: tablet")
    changed.write_text(text, encoding="utf-8")
    assert load(changed).inboxes[0].mode == "keep"


def test_the_installed_text_is_the_example() -> None:
    assert default_config_text(Path("~/img2imgd")) != ""
    installed = default_config_text(Path("/somewhere")).replace("/somewhere", "~/img2imgd")
    assert installed == EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["plain", "my pics #2", "a: b", "ünï 猫", "quo\"te'", "back\\s"])
def test_a_new_config_names_its_root_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    file = tmp_path / "config.yaml"
    file.write_text(default_config_text(root), encoding="utf-8")
    assert load(file) == dataclasses.replace(
        load_config(None, root, env=ENV, is_local=lambda _: True), path=None
    )

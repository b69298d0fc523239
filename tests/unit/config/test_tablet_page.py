"""The page about tablets shows configs that are taken, and what the profile really sets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from img2imgd.config import load_config
from img2imgd.config.settled import PROFILES

PAGE = (Path(__file__).parents[3] / "docs/feeders/tablet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS)
def test_every_config_is_taken(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    config = load_config(file, None, env={"HOME": str(tmp_path)}, is_local=lambda _: True)
    (inbox,) = config.inboxes
    assert (inbox.profile, inbox.mode, inbox.live, inbox.latest) == ("tablet", "keep", True, True)
    assert inbox.defaults.prompt


def test_the_profiles_keys_are_those_of_the_page() -> None:
    table = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", PAGE, flags=re.MULTILINE)
    assert {key: value.replace("true", "True") for key, value in table} == {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in PROFILES["tablet"].items()
    }

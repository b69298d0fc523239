"""The page about prompts without YAML: its commands are run, and its tables hold."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from rig import Rig

from img2imgd.config import load_config

PAGE = (Path(__file__).parents[2] / "docs" / "feeders" / "prompts.md").read_text(encoding="utf-8")

RigMaker = Callable[..., Rig]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_commands_make_presets_of_folders(make_rig: RigMaker) -> None:
    rig = make_rig()
    for commands in blocks("sh"):
        script = commands.replace("~/img2imgd/inbox", str(rig.folder))
        subprocess.run(["bash", "-euc", script], cwd=rig.folder, check=True)
    for folder in ("watercolour", "carl rungius", "woodblock_print"):
        rig.picture(f"{folder}/lake.png")
    rig.claim()
    requests = [row.spec.asked for row in rig.jobs()]
    drawn = {
        request.drawn(request.prompt, "".join(request.styles), 0).prompt for request in requests
    }
    assert drawn == {
        "a landscape by woodblock print",
        "a landscape by carl rungius",
        "a loose watercolour, white paper shining through",
    }


def test_every_name_becomes_what_the_table_says(make_rig: RigMaker, tmp_path: Path) -> None:
    (snippet,) = blocks("yaml")
    file = tmp_path / "config.yaml"
    file.write_text(snippet)
    assert load_config(file, None, env={"HOME": str(tmp_path)}).inboxes[0].prompt_from_name
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    rig = make_rig(prompt_from_name=True)
    told: dict[str, str] = {}
    for cell, text in rows:
        for name in re.findall(r"`([^`]+)`", cell):
            told[name] = text
            rig.picture(name)
    rig.claim()
    seen = {row.spec.rel: row.spec.asked for row in rig.jobs()}
    assert len(told) == 9
    for name, text in told.items():
        if "no prompt" in text:
            assert name not in seen
            continue
        request = seen[name]
        drawn = request.drawn(request.prompt, "".join(request.styles), 0)
        assert f"“{drawn.prompt}”" in text
        numbers = {"strength": request.strength, "seed": request.seed}
        numbers["guidance scale"] = request.guidance_scale
        for word, value in numbers.items():
            if found := re.search(rf"{word} ([\d.]+)", text):
                assert float(found[1]) == value
        if found := re.search(r"(\d+) steps", text):
            assert int(found[1]) == request.steps
        if found := re.search(r"(\d+) variations", text):
            assert int(found[1]) == request.n
        if found := re.search(r"(\d+) pixels", text):
            assert int(found[1]) == request.size

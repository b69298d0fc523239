"""The page about sidecars shows what the program really does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from img2imgd.errors import DocumentError
from img2imgd.job import plan_frames
from img2imgd.request import BUILT_IN, RequestKeys, draw, read_sidecar, resolve

PAGE = (Path(__file__).parents[3] / "docs" / "sidecar.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_example_is_taken(text: str) -> None:
    assert read_sidecar("cat.yaml", text.encode()) != RequestKeys()


def test_the_text_example_is_read_as_told() -> None:
    (text,) = blocks("text")
    keys = read_sidecar("cat.txt", text.encode())
    assert (keys.steps, keys.guidance_scale, keys.seed) == (50, 9, 187)
    assert (keys.size, keys.strength) == ((768, 512), 0.75)
    assert keys.scheduler == "euler"


def test_the_answer_to_the_broken_example_is_the_programs_own() -> None:
    (broken,), (answer,) = blocks("yaml refused"), blocks("text answer")
    with pytest.raises(DocumentError) as caught:
        read_sidecar("cat.yaml", broken.encode())
    assert str(caught.value) + "\n" == answer


def test_the_styles_example_makes_what_its_comments_say() -> None:
    (text,) = (block for block in blocks("yaml") if "seen by an owl" in block)
    request = resolve(
        [read_sidecar("cat.yaml", text.encode())],
        default_model="demo", models=["demo"], draw_seed=lambda: 1, max_frames=9, name="cat.yaml",
    )  # fmt: skip
    assert [frame.prompt for frame in plan_frames(request)] == re.findall(r" # (.*)", text)


def test_every_row_about_choices_is_true() -> None:
    section = PAGE.partition("## Choices\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| (`.*`) \| (.*) \|$", section, flags=re.MULTILINE))
    assert len(rows) == 8
    for cell, told in rows.items():
        for text in re.findall(r"`([^`]+)`", cell.replace(r"\|", "|")):
            drawn = {draw(text, seed) for seed in range(60)}
            literally = "themselves" in told or "ordinary" in told
            assert (drawn == {text.replace("\\", "")}) is literally, text
            assert all(example in drawn for example in re.findall(r"`(\w+, \w+)`", told))


def test_every_key_has_a_row_in_the_order_of_the_schema() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert rows == list(RequestKeys.__struct_fields__)


def test_the_values_for_what_is_left_out_are_the_built_in_ones() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, flags=re.MULTILINE))
    for key in ("strength", "guidance_scale", "steps", "n"):
        assert float(rows[key]) == getattr(BUILT_IN, key)
    assert rows["fit"] == f"`{BUILT_IN.fit}`"
    assert BUILT_IN.negative_prompt in " ".join(PAGE.split())

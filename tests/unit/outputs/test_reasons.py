"""Reason files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd.outputs.reasons import reason_name, wrap, write_reason


def test_it_says_what_when_why_and_which_job(tmp_path: Path) -> None:
    target = tmp_path / reason_name("cat.png")
    write_reason(target, "cat.png", "line 2, strenght: no such key.\nWrite strength.", "JOB-1")
    text = target.read_text()
    assert target.name == "cat.png.reason.txt"
    assert text.startswith("cat.png was not served (20")
    assert "JOB-1" in text
    assert text.endswith("line 2, strenght: no such key.\nWrite strength.\n")


def test_another_outcome_can_be_told(tmp_path: Path) -> None:
    write_reason(tmp_path / "x", "set.yaml", "b.png did not come.", outcome="was served in part")
    assert "set.yaml was served in part (" in (tmp_path / "x").read_text()


def test_a_newer_reason_replaces_the_older(tmp_path: Path) -> None:
    for why in ("first", "second"):
        write_reason(tmp_path / "x.reason.txt", "x", why)
    assert "first" not in (tmp_path / "x.reason.txt").read_text()
    assert os.listdir(tmp_path) == ["x.reason.txt"]


def test_surrogates_are_written_escaped(tmp_path: Path) -> None:
    write_reason(tmp_path / "x", os.fsdecode(b"\xff.png"), os.fsdecode(b"no \xfe"))
    text = (tmp_path / "x").read_text("utf-8")
    assert "\\udcff.png" in text
    assert "no \\udcfe" in text


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "\u6f22" * 85, os.fsdecode(b"\xff" * 250)])
def test_the_longest_names_have_a_reason_file_too(tmp_path: Path, name: str) -> None:
    target = tmp_path / reason_name(name)
    write_reason(target, name, "why")
    assert target.name.endswith(".reason.txt")


def test_long_lines_are_wrapped_and_examples_are_not() -> None:
    example = "    " + "x " * 80
    assert wrap(f"{'word ' * 40}\n\n{example}") == "\n".join(
        ["word " * 18 + "word", "word " * 18 + "word", "word word", "", example]
    )
    assert max(len(line) for line in wrap("word " * 100).splitlines()) <= 96

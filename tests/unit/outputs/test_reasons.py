"""Reason files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd.outputs.reasons import (
    free_reason,
    is_reason,
    job_of_reason,
    reason_name,
    wrap,
    write_reason,
)

LONG = "/srv/a-folder-of-ours/ with spaces " * 6 + "cat (job x).png"


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


@pytest.mark.parametrize(
    "what", ["cat.png", LONG, "no-space-but-hyphens" * 8, "x, job OTHER).", "猫"]
)
def test_a_reason_tells_its_job_and_what_it_is_about_however_it_is_wrapped(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "x.reason.txt"
    write_reason(path, what, "why, job NONE).", "20261122T221957-3f9a2c41")
    assert job_of_reason(path) == "20261122T221957-3f9a2c41"
    assert is_reason(path, what, "was not served")
    assert not is_reason(path, what, "was served")
    assert not is_reason(path, what[:-1], "was not served")


def test_what_is_no_reason_of_a_job_tells_none(tmp_path: Path) -> None:
    path = tmp_path / "x.reason.txt"
    assert job_of_reason(path) == ""
    path.write_bytes(b"\xff\x00, job\n\nX).")
    assert job_of_reason(path) == ""
    write_reason(path, "_defaults.yaml", "why", outcome="cannot be used")
    assert job_of_reason(path) == ""
    path.unlink()
    os.mkfifo(path)
    assert job_of_reason(path) == ""


@pytest.mark.parametrize("about", ["cat.png", "x" * 251 + ".png", "no suffix"])
def test_a_reason_finds_a_free_name_with_its_suffix_at_the_end(about: str) -> None:
    taken: set[str] = set()
    for _ in range(12):
        name = free_reason(reason_name(about), taken.__contains__)
        assert name.endswith(".reason.txt")
        assert len(name) <= 255
        taken.add(name)
    assert len(taken) == 12
    assert free_reason("cat.png.reason.txt", {"cat.png.reason.txt"}.__contains__) == (
        "cat~2.png.reason.txt"
    )

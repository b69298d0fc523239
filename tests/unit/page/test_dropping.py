"""Names and files of drops."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd.page.dropping import Upload, free_names, picture_name
from img2imgd.pairing.kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (b"cat.png", "cat.png"),
        (b"../../etc/cron.d/cat.png", "cat.png"),
        (b"C:\\pictures\\cat.JPG", "cat.JPG"),
        (b".hidden.png", "hidden.png"),
        (b"_defaults.png", "picture-defaults.png"),
        (b"<script>alert(1)</script>.png", "script-.png"),
        (b"a\r\nb.png", "a-b.png"),
        (b"\xff\xfe.png", "-.png"),
        (b"con.png", "_con.png"),
    ],
)
def test_a_name_becomes_safe(given: bytes, name: str) -> None:
    made = picture_name(given)
    assert made is not None
    assert kind_of(made) is Kind.PICTURE
    if given != b"\xff\xfe.png":
        assert made == name


@pytest.mark.parametrize("given", [b"cat.txt", b"cat", b"", b"cat.png.exe", b"..", b"cat.svg"])
def test_what_is_no_picture_by_its_name_has_none(given: bytes) -> None:
    assert picture_name(given) is None


def test_a_long_name_is_cut() -> None:
    made = picture_name(b"x" * 400 + b".png")
    assert made is not None
    assert len(made.encode()) < 230
    assert made.endswith(".png")


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], "cat"), (["dog.png"], "cat"), (["cat.png"], "cat~2"), (["CAT.jpg"], "cat~2"),
        (["cat.yaml"], "cat~2"), (["cat.txt", "cat~2.yml"], "cat~3"), (["cat.png.yaml"], "cat~2"),
    ],
)  # fmt: skip
def test_names_are_free_together_with_all_that_would_pair(taken: list[str], free: str) -> None:
    assert free_names("cat.png", taken) == (f"{free}.png", f"{free}.yaml")


def test_two_drops_of_one_name(tmp_path: Path) -> None:
    one, other = Upload(tmp_path), Upload(tmp_path)
    one.write(b"one")
    other.write(b"other")
    assert {kind_of(name) for name in os.listdir(tmp_path)} == {Kind.UNFINISHED}
    assert other.finish("cat.png", "prompt: b\n") == ("cat.png", "cat.yaml")
    assert one.finish("cat.png", "prompt: a\n") == ("cat~2.png", "cat~2.yaml")
    assert (tmp_path / "cat~2.png").read_bytes() == b"one"
    assert (tmp_path / "cat.yaml").read_text() == "prompt: b\n"
    one.abandon()
    other.abandon()
    assert len(os.listdir(tmp_path)) == 4


def test_an_abandoned_drop_leaves_nothing(tmp_path: Path) -> None:
    upload = Upload(tmp_path)
    upload.write(b"half")
    upload.abandon()
    assert os.listdir(tmp_path) == []

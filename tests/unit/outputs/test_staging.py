"""Staging and publishing in an outbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd import durable
from img2imgd.outputs.staging import Staging


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    (tmp_path / ".img2imgd").mkdir()
    return tmp_path


def visible(outbox: Path) -> list[str]:
    return sorted(
        str(path.relative_to(outbox))
        for path in outbox.rglob("*")
        if path.is_file() and ".img2imgd" not in path.parts
    )


def test_a_file_is_published_under_its_name(outbox: Path) -> None:
    staging = Staging(outbox, "JOB")
    staging.prepare("a.png", as_folder=False)
    staging.path("a.png", None).write_bytes(b"picture")
    assert staging.is_staged("a.png")
    assert visible(outbox) == []
    assert staging.publish("a.png", "a.png", "sub/deep") == "sub/deep/a.png"
    assert visible(outbox) == ["sub/deep/a.png"]
    assert not staging.is_staged("a.png")


def test_a_folder_is_published_whole_without_half_written_files(outbox: Path) -> None:
    staging = Staging(outbox, "JOB")
    staging.prepare("set", as_folder=True)
    for frame in ("a.png", "b.png", ".c.png.part"):
        staging.path("set", frame).write_bytes(b"picture")
    assert staging.publish("set", "set~2", "") == "set~2"
    assert visible(outbox) == ["set~2/a.png", "set~2/b.png"]


@pytest.mark.parametrize("foreign", ["@eaDir", ".@__thumb"])
def test_a_folder_that_another_program_made_among_the_frames_is_not_published(
    outbox: Path, foreign: str
) -> None:
    staging = Staging(outbox, "JOB")
    staging.prepare("set", as_folder=True)
    staging.path("set", "a.png").write_bytes(b"picture")
    (staging.path("set", foreign) / "deep").mkdir(parents=True)
    (staging.path("set", foreign) / "deep" / "thumb.jpg").write_bytes(b"small")
    staging.keep_only("set", ["a.png", foreign])
    assert staging.publish("set", "set", "") == "set"
    assert os.listdir(outbox / "set") == ["a.png"]


def test_a_folder_of_another_program_does_not_keep_a_job_from_going_on(outbox: Path) -> None:
    staging = Staging(outbox, "JOB")
    staging.prepare("set", as_folder=True)
    staging.path("set", "a.png").write_bytes(b"picture")
    staging.path("set", "@eaDir").mkdir()
    (staging.path("set", "@eaDir") / "thumb.jpg").write_bytes(b"small")
    (staging.path("set", "link")).symlink_to(outbox)
    staging.keep_only("set", ["a.png"])
    assert os.listdir(staging.folder / "set") == ["a.png"]


def test_everything_is_on_disk_before_it_is_visible(
    outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync_path", "rename_new"):
        original = getattr(durable, name)

        def record(first: Path, *rest: Path, name: str = name, original: object = original) -> None:
            steps.append(f"{name} {first.name}")
            original(first, *rest)  # type: ignore[operator]

        monkeypatch.setattr(durable, name, record)
    staging = Staging(outbox, "JOB")
    staging.prepare("a.png", as_folder=False)
    staging.path("a.png", None).write_bytes(b"picture")
    steps.clear()
    staging.publish("a.png", "a.png", "")
    assert steps == ["fsync_path a.png", "rename_new a.png", f"fsync_path {outbox.name}"]


def test_a_taken_name_is_refused_and_the_next_free_one_told(outbox: Path) -> None:
    (outbox / "a.png").write_bytes(b"somebody's")
    staging = Staging(outbox, "JOB")
    staging.prepare("a.png", as_folder=False)
    staging.path("a.png", None).write_bytes(b"picture")
    with pytest.raises(FileExistsError):
        staging.publish("a.png", "a.png", "")
    assert staging.is_staged("a.png")
    assert staging.free_name("a.png", "") == "a~2.png"
    assert (outbox / "a.png").read_bytes() == b"somebody's"


def test_a_dangling_link_counts_as_taken(outbox: Path) -> None:
    (outbox / "a.png").symlink_to("nowhere")
    assert Staging(outbox, "JOB").free_name("a.png", "") == "a~2.png"


def test_discarding_leaves_nothing_and_can_be_repeated(outbox: Path) -> None:
    staging = Staging(outbox, "JOB")
    staging.prepare("set", as_folder=True)
    staging.path("set", "a.png").touch()
    staging.discard()
    staging.discard()
    assert os.listdir(outbox / ".img2imgd") == []


def test_an_outbox_that_is_gone_is_told_from_one_without_the_job(outbox: Path) -> None:
    assert Staging(outbox, "JOB").available
    assert not Staging(outbox / "unmounted", "JOB").available

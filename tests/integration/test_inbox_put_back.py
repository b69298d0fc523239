"""Drops that change while they are claimed go back, and are served as they are then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rig import Rig

from img2imgd import durable, plainfiles


def test_a_file_exchanged_for_one_of_its_size_and_time_as_it_is_taken_goes_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rig.picture("cat.png")
    rig.drop("cat.yaml")
    looks = path.lstat()
    rig.look()
    rename_new = durable.rename_new

    def exchange(source: Path, target: Path) -> None:
        if source == path:
            path.rename(rig.root / "first.png")
            path.write_bytes(bytes(looks.st_size))
            os.utime(path, ns=(0, looks.st_mtime_ns))
        rename_new(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "rename_new", exchange)
        rig.look(2.5)
    assert rig.jobs() == []
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert path.read_bytes() == bytes(looks.st_size)


def test_a_file_held_open_for_writing_waits_though_it_looks_settled(rig: Rig) -> None:
    path = rig.picture("cat.png")
    rig.drop("cat.yaml")
    with path.open("ab"):
        rig.look(2.5)
        assert rig.jobs() == []
        assert "held open" in rig.waits()["cat.png"]
    rig.look(1)
    assert rig.jobs() == []
    rig.look(1.5)
    assert len(rig.jobs()) == 1


def test_a_file_changed_between_decision_and_claim_goes_back_and_settles_anew(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rig.picture("cat.png")
    rig.drop("cat.yaml")
    original = plainfiles.has_writer

    def write_then_look(asked: Path) -> bool:
        if asked == path:
            monkeypatch.setattr(plainfiles, "has_writer", original)
            rig.picture("cat.png", grey=50)
        return original(asked)

    monkeypatch.setattr(plainfiles, "has_writer", write_then_look)
    rig.look(2.5)
    assert rig.jobs() == []
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]
    assert "changed" in rig.waits()["cat.png"]
    assert [p for p in rig.spool.iterdir() if p.is_dir()] == []
    rig.look(1)
    assert rig.jobs() == []
    rig.look(2.1)
    assert len(rig.jobs()) == 1


def test_a_shared_sidecar_changed_while_it_is_claimed_goes_back_with_its_pictures(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.picture("cat.bmp")
    sidecar = rig.drop("cat.yaml")
    original = durable.move_new

    def edit_then_move(source: Path, target: Path) -> None:
        if source == sidecar:
            monkeypatch.setattr(durable, "move_new", original)
            sidecar.write_text("prompt: edited\n")
        original(source, target)

    monkeypatch.setattr(durable, "move_new", edit_then_move)
    rig.look(2.5)
    assert rig.jobs() == []
    assert rig.tree(rig.folder) == ["cat.bmp", "cat.png", "cat.yaml"]
    rig.look(0.1, 2.5)
    assert [job.spec.asked.prompt for job in rig.jobs()] == ["edited", "edited"]


def test_files_put_back_where_the_name_is_taken_get_the_same_number_and_pair_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: the first\n")
    original = durable.fsync_path

    def drop_another(path: Path) -> None:
        original(path)
        if path == rig.folder:
            monkeypatch.setattr(durable, "fsync_path", original)
            rig.picture("cat.png", grey=99)
            (taken,) = rig.spool.glob("*/in/cat.yaml")
            os.utime(taken, ns=(1, 1))

    monkeypatch.setattr(durable, "fsync_path", drop_another)
    rig.look(2.5)
    assert rig.tree(rig.folder) == ["cat.png", "cat~2.png", "cat~2.yaml"]
    rig.look(0.1, 2.5)
    (job,) = rig.jobs()
    assert (job.spec.rel, job.spec.asked.prompt) == ("cat~2.png", "the first")


def test_files_do_not_go_back_through_a_link_that_took_the_place_of_their_folder(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sub = rig.picture("sub/deep/cat.png").parents[1]
    rig.drop("sub/deep/cat.yaml")
    elsewhere = tmp_path / "elsewhere"
    original = durable.fsync_path

    def swap(path: Path) -> None:
        original(path)
        if path == sub / "deep":
            monkeypatch.setattr(durable, "fsync_path", original)
            sub.rename(elsewhere)
            sub.symlink_to(elsewhere)
            (taken,) = rig.spool.glob("*/in/cat.yaml")
            os.utime(taken, ns=(1, 1))

    monkeypatch.setattr(durable, "fsync_path", swap)
    rig.look(2.5)
    assert list((elsewhere / "deep").iterdir()) == []
    assert rig.tree(rig.folder) == ["cat.png", "cat.yaml"]

"""A disk that does not answer is not taken for one where the file is missing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Rig

from img2imgd import durable


def _fail_lstat(
    patch: pytest.MonkeyPatch, when: Callable[[str], bool], times: int = 1
) -> list[str]:
    """Let lstat fail for paths of which ``when`` is true; the paths that it failed for."""
    original = os.stat
    failed: list[str] = []

    def stat(path: int | str | os.PathLike[str], **keywords: Any) -> os.stat_result:
        text = os.fspath(path) if not isinstance(path, int) else ""
        looks_at_a_link = keywords.get("follow_symlinks") is False and "dir_fd" not in keywords
        if len(failed) < times and looks_at_a_link and when(text):
            failed.append(text)
            raise OSError(errno.EIO, "Input/output error", text)
        return original(path, **keywords)

    patch.setattr(os, "stat", stat)
    return failed


def _drop(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")


def test_an_input_that_cannot_be_looked_at_is_archived_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(rig)
    rig.claim()
    failed = _fail_lstat(
        monkeypatch, lambda path: path.endswith("/in/cat.png") and bool(rig.outputs())
    )
    rig.serve()
    assert failed
    assert rig.tree(rig.config.done) == ["cat.png", "cat.yaml"]


def test_an_output_that_cannot_be_looked_at_is_published_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(rig)
    rig.claim()
    announced: list[str] = []
    original = durable.rename_new

    def rename_new(source: Path, target: Path) -> None:
        if target.parent == rig.config.outbox and not announced:
            announced.append(target.name)
            raise OSError(errno.EIO, "Input/output error", str(source))
        original(source, target)

    monkeypatch.setattr(durable, "rename_new", rename_new)
    failed = _fail_lstat(
        monkeypatch, lambda path: bool(announced) and path.endswith(f"/{announced[0]}")
    )
    rig.serve()
    assert failed
    assert len(rig.outputs()) == 1


def test_a_claim_that_is_undone_meanwhile_loses_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(rig)
    rig.look()
    original = durable.fsync_path
    refused: list[Path] = []

    def fsync_path(path: Path) -> None:
        if path.name == "in" and not refused:
            refused.append(path)
            raise OSError(errno.EIO, "Input/output error", str(path))
        original(path)

    monkeypatch.setattr(durable, "fsync_path", fsync_path)
    failed = _fail_lstat(
        monkeypatch, lambda path: bool(refused) and path.endswith("/in/cat.png"), times=3
    )
    for _ in range(6):
        try:
            rig.look(2.5)
        except OSError:
            rig.crash()
    assert len(failed) == 3
    rig.look(11)
    rig.serve()
    assert rig.inputs() == ["cat.png", "cat.yaml"]
    assert len(rig.outputs()) == 1


def test_is_there_tells_absence_from_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()
    assert durable.is_there(tmp_path / "link")
    assert not durable.is_there(tmp_path / "gone")
    assert not durable.is_there(tmp_path / "file" / "below")
    _fail_lstat(monkeypatch, lambda path: path.endswith("/gone"))
    with pytest.raises(OSError, match="Input/output"):
        durable.is_there(tmp_path / "gone")

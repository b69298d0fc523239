"""Removing files below a folder, and nothing anywhere else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from img2imgd.upkeep.removing import Removal


def test_a_subfolder_that_became_a_link_meanwhile_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "done"
    for name in ("a/b/cat.png", "c/dog.png"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"x")
    removal = Removal(root)
    removal.file(root / "a/b/cat.png", lambda *_: True)
    removal.file(root / "c/dog.png", lambda *_: True)
    (root / "a").rename(tmp_path / "elsewhere")
    (root / "a").symlink_to(tmp_path / "elsewhere")
    plain_open = os.open

    def open_(path: str, flags: int, **where: int) -> int:
        if path == "a":  # of the two answers that kernels give for a link, the other one
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        return plain_open(path, flags, **where)

    monkeypatch.setattr(os, "open", open_)
    while removal.tidy():
        pass
    assert (tmp_path / "elsewhere/b").is_dir()
    assert not (root / "c").exists()

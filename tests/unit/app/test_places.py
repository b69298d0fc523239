"""Which folders have moved since the ledger noted them, and which are copies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from img2imgd.app.places import find_moves, places
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Moves, open_ledger
from img2imgd.ledger.marker import mark, spool_id

LEDGER = "ledger.sqlite"


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    made = make_config()
    spool = made.inboxes[0].path / ".img2imgd"
    mark(spool, "L1")
    ledger = open_ledger(made.state / LEDGER)
    ledger.set_facts(ledger_id="L1", **{f"spool {spool_id(spool)}": str(made.inboxes[0].path)})
    ledger.set_facts(**places(made))
    ledger.close()
    return made


def _facts(config: Config) -> dict[str, str]:
    ledger = open_ledger(config.state / LEDGER)
    try:
        return ledger.facts()
    finally:
        ledger.close()


def _moves(old: Config, new: Config) -> Moves:
    return find_moves(new, _facts(new if new.state.exists() else old), LEDGER)


def test_nothing_has_moved_that_is_where_it_was(config: Config) -> None:
    assert not _moves(config, config)
    assert not find_moves(config, {}, LEDGER), "a ledger of an earlier version has noted nothing"


def test_a_root_made_anew_where_the_old_one_was_does_not_make_that_one_a_copy(
    config: Config, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config.root.rename(tmp_path / "moved")
    moved = make_config(root=tmp_path / "moved")
    make_config()
    ledger = open_ledger(config.state / LEDGER)
    ledger.set_facts(ledger_id="L2")
    ledger.close()
    moves = _moves(config, moved)
    assert moves.inboxes == {str(config.inboxes[0].path): str(moved.inboxes[0].path)}
    assert moves.others == {
        str(getattr(config, kind)): str(getattr(moved, kind))
        for kind in ("outbox", "done", "failed")
    }


def test_a_copy_of_a_root_whose_ledger_is_damaged_is_refused_too(
    config: Config, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    shutil.copytree(config.root, tmp_path / "copy")
    (config.state / LEDGER).write_bytes(b"\xff" * 5000)
    with pytest.raises(EnvironmentFault, match="is a copy"):
        _moves(config, make_config(root=tmp_path / "copy"))


def test_a_folder_that_was_left_keeps_what_is_planned_for_it(
    config: Config, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    elsewhere = make_config(done=tmp_path / "elsewhere")
    assert not _moves(config, elsewhere)
    config.done.rename(tmp_path / "archive")
    moved = make_config(done=tmp_path / "archive")
    shutil.rmtree(config.done, ignore_errors=True)
    assert _moves(config, moved).others == {str(config.done): str(moved.done)}


def test_a_copied_state_folder_alone_takes_no_queued_jobs_with_it(
    config: Config, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    shutil.copytree(config.state, tmp_path / "fast")
    with pytest.raises(EnvironmentFault, match="is a copy") as caught:
        _moves(config, make_config(state=tmp_path / "fast"))
    assert f"remove {tmp_path / 'fast'}: " in caught.value.advice


@pytest.mark.parametrize("what", ["file", "loop"])
def test_what_has_the_name_of_a_root_that_has_moved_is_no_original(
    config: Config, make_config: Callable[..., Config], tmp_path: Path, what: str
) -> None:
    config.root.rename(tmp_path / "moved")
    if what == "file":
        config.root.touch()
    else:
        config.root.symlink_to(config.root)
    assert _moves(config, make_config(root=tmp_path / "moved")).inboxes


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_bind_mount_is_no_copy(
    config: Config, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    bound = tmp_path / "bound"
    bound.mkdir()
    if subprocess.run(["mount", "--bind", config.root, bound], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        moves = _moves(config, make_config(root=bound))
        assert moves.inboxes == {str(config.inboxes[0].path): str(bound / "inbox")}
        assert moves.others[str(config.outbox)] == str(bound / "outbox")
    finally:
        subprocess.run(["umount", bound], check=True)

"""Folders are kept apart, and the ledger is kept on a local disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from img2imgd.config import Config, load_config
from img2imgd.errors import DocumentError, Problem


def load(folder: Path, text: str, *, local: bool = True, **env: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, None, env={"HOME": str(folder), **env}, is_local=lambda _: local)


def problems_of(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        load(folder, text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "key", "other"),
    [
        ("outbox: img2imgd/inbox", "outbox", "inboxes.0.path"),
        ("outbox: img2imgd/inbox/out", "outbox", "inboxes.0.path"),
        ("done: img2imgd/outbox/done", "done", "outbox"),
        ("state: img2imgd/failed", "state", "failed"),
        ("inboxes: [{path: a}, {path: a}]", "inboxes.1.path", "inboxes.0.path"),
        ("inboxes: [{path: a}, {path: a/b}]", "inboxes.1.path", "inboxes.0.path"),
        ("inboxes: [{path: a/b}, {path: a}]", "inboxes.1.path", "inboxes.0.path"),
        ("inboxes: [{path: a}, {path: ./b/../a/}]", "inboxes.1.path", "inboxes.0.path"),
        ("inboxes: [{path: img2imgd/outbox}]", "outbox", "inboxes.0.path"),
    ],
)
def test_folders_that_overlap_are_refused_with_both_names(
    tmp_path: Path, text: str, key: str, other: str
) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert (problem.line, problem.key) == (1, key)
    assert other in problem.message


def test_a_link_does_not_hide_an_overlap(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (problem,) = problems_of(tmp_path, "inboxes: [{path: real}]\noutbox: link/out\n")
    assert (problem.line, problem.key) == (2, "outbox")


def test_names_that_only_begin_alike_are_apart(tmp_path: Path) -> None:
    config = load(tmp_path, "inboxes: [{path: a}, {path: ab}]\noutbox: abc\n")
    assert len(config.inboxes) == 2


@pytest.mark.parametrize("inbox", [".", "~/img2imgd", "'~'"])
def test_an_inbox_cannot_be_the_root_or_around_it(tmp_path: Path, inbox: str) -> None:
    text = (
        f"inboxes: [{{path: {inbox}}}]\noutbox: /srv/out\ndone: /srv/done\n"
        "failed: /srv/failed\nstate: /srv/state\n"
    )
    (problem,) = problems_of(tmp_path, text)
    assert (problem.line, problem.key) == (1, "inboxes.0.path")
    assert "root" in problem.message


def test_the_ledger_lies_under_a_local_root(tmp_path: Path) -> None:
    config = load(tmp_path, "root: r")
    assert (config.state, config.notes) == (tmp_path / "r" / "state", ())


def test_on_a_network_root_the_ledger_goes_to_the_users_state_folder(tmp_path: Path) -> None:
    one = load(tmp_path, "root: r", local=False)
    two = load(tmp_path, "root: s", local=False)
    assert one.state.parent == tmp_path / ".local" / "state" / "img2imgd"
    assert one.state != two.state
    assert load(tmp_path, "root: r", local=False).state == one.state
    assert str(one.state) in one.notes[0]


def test_state_home_and_systemds_state_directory_are_heeded(tmp_path: Path) -> None:
    config = load(tmp_path, "root: r", local=False, XDG_STATE_HOME="/var/xdg")
    assert config.state.parent == Path("/var/xdg/img2imgd")
    config = load(
        tmp_path, "root: r", local=False, XDG_STATE_HOME="/x", STATE_DIRECTORY="/var/lib/a:/b"
    )
    assert config.state == Path("/var/lib/a")


def test_a_state_folder_in_the_config_wins_wherever_the_root_is(tmp_path: Path) -> None:
    config = load(tmp_path, "root: r\nstate: st", local=False)
    assert (config.state, config.notes) == (tmp_path / "st", ())


def test_the_real_check_for_a_local_disk_is_the_default(tmp_path: Path) -> None:
    config = load_config(None, tmp_path / "r", env={"HOME": str(tmp_path)})
    assert config.state.is_absolute()

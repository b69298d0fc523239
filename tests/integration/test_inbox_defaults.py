"""Folder defaults: ``_defaults.yaml`` for a folder and those below it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from rig import Rig


def prompts(rig: Rig) -> dict[str, str]:
    return {job.spec.rel: job.spec.asked.prompt for job in rig.jobs()}


def test_the_nearest_wins_and_subfolders_inherit(rig: Rig) -> None:
    rig.drop("_defaults.yaml", "prompt: outer\nsteps: 9\n")
    rig.drop("sub/_defaults.yaml", "prompt: inner\n")
    rig.picture("a.png")
    rig.picture("sub/deep/b.png")
    rig.picture("other/c.png")
    rig.claim()
    assert prompts(rig) == {"a.png": "outer", "sub/deep/b.png": "inner", "other/c.png": "outer"}
    assert {job.spec.asked.steps for job in rig.jobs()} == {9}
    assert rig.tree(rig.folder) == ["_defaults.yaml", "sub/_defaults.yaml"]


def test_the_name_counts_in_any_case(rig: Rig) -> None:
    rig.drop("_Defaults.YAML", "prompt: outer\n")
    rig.drop("sub/_DEFAULTS.yaml", "steps: 9\n")
    rig.picture("a.png")
    rig.picture("sub/b.png")
    rig.claim()
    assert prompts(rig) == {"a.png": "outer", "sub/b.png": "outer"}
    assert [job.spec.asked.steps for job in rig.jobs()] == [4, 9]


def test_of_several_in_one_folder_the_usual_name_counts_and_the_others_are_told(rig: Rig) -> None:
    rig.drop("_Defaults.yaml", "prompt: other\n")
    rig.picture("a.png")
    rig.drop("_defaults.yaml", "prompt: usual\n")
    rig.claim()
    assert prompts(rig) == {"a.png": "usual"}
    assert rig.waits() == {"_Defaults.yaml": "is not used: _defaults.yaml of the same folder is"}
    (rig.folder / "_defaults.yaml").unlink()
    rig.picture("b.png")
    rig.claim()
    assert prompts(rig)["b.png"] == "other"
    assert rig.waits() == {}


def test_a_broken_one_of_another_case_has_a_note_too(rig: Rig) -> None:
    rig.drop("_Defaults.yaml", "nonsense: 1\n")
    rig.picture("cat.png")
    rig.claim()
    assert "_Defaults.yaml" in rig.reason("_defaults.yaml")
    rig.drop("_Defaults.yaml", "prompt: mended\n")
    rig.look(0.1, 2.5, 11)
    assert rig.tree(rig.config.failed) == []
    assert prompts(rig) == {"cat.png": "mended"}


def test_a_broken_one_holds_holds_its_folder_with_a_note_and_fails_none(rig: Rig) -> None:
    rig.drop("sub/_defaults.yaml", "prompt: x\nstrenght: 1\n")
    rig.picture("sub/deep/cat.png")
    rig.picture("good.png")
    rig.drop("good.yaml")
    rig.claim()
    assert prompts(rig) == {"good.png": "a lake"}
    assert "line 2" in rig.waits()["sub/deep/cat.png"]
    note = "sub/_defaults.yaml.reason.txt"
    assert rig.tree(rig.config.failed) == [note]
    assert "strength" in (rig.config.failed / note).read_text()
    rig.drop("sub/_defaults.yaml", "prompt: mended\n")
    rig.look(0.1, 2.5, 11)
    assert rig.tree(rig.config.failed) == []
    assert prompts(rig) == {"good.png": "a lake", "sub/deep/cat.png": "mended"}


def test_the_note_disappears_though_the_daemon_did_not_see_the_mending(rig: Rig) -> None:
    rig.drop("_defaults.yaml", "nonsense: 1\n")
    rig.picture("cat.png")
    rig.claim()
    assert rig.tree(rig.config.failed) == ["_defaults.yaml.reason.txt"]
    rig.crash()
    rig.drop("_defaults.yaml", "prompt: mended\n")
    rig.claim()
    assert rig.tree(rig.config.failed) == []


def test_a_note_that_cannot_be_written_stops_no_other_folder_and_is_tried_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = rig.config.failed / "sub"
    in_the_way.write_text("of a person\n")
    rig.drop("sub/_defaults.yaml", "nonsense: 1\n")
    rig.picture("sub/cat.png")
    rig.picture("good.png")
    rig.drop("good.yaml")
    rig.claim()
    for _ in range(5):
        rig.look(1)
    assert prompts(rig) == {"good.png": "a lake"}
    assert "nonsense" in rig.waits()["sub/cat.png"]
    (said,) = [text for text in caplog.messages if "note" in text]
    assert "sub/_defaults.yaml" in said
    assert "failed/sub: is no folder" in said
    assert in_the_way.read_text() == "of a person\n"
    in_the_way.unlink()
    rig.look(1)
    assert rig.tree(rig.config.failed) == ["sub/_defaults.yaml.reason.txt"]


def test_a_note_that_cannot_be_removed_is_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("_defaults.yaml", "nonsense: 1\n")
    rig.picture("cat.png")
    rig.claim()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        del missing_ok
        raise OSError(errno.EPERM, "Operation not permitted", str(path))

    (rig.folder / "_defaults.yaml").unlink()
    (rig.folder / "cat.png").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        rig.look(1, 1)
    assert rig.tree(rig.config.failed) == ["_defaults.yaml.reason.txt"]
    rig.look(1)
    assert rig.tree(rig.config.failed) == []


def test_mending_the_inner_one_removes_its_note_while_the_outer_is_still_broken(rig: Rig) -> None:
    for folder in ("", "sub/"):
        rig.drop(f"{folder}_defaults.yaml", "nonsense: 1\n")
        rig.picture(f"{folder}cat.png")
    rig.claim()
    assert rig.tree(rig.config.failed) == [
        "_defaults.yaml.reason.txt",
        "sub/_defaults.yaml.reason.txt",
    ]
    rig.drop("sub/_defaults.yaml", "prompt: mended\n")
    rig.look(0.1, 2.5)
    assert rig.tree(rig.config.failed) == ["_defaults.yaml.reason.txt"]
    assert rig.jobs() == []


def test_one_that_is_still_being_written_holds_its_folder(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.look(1.9)
    rig.drop("_defaults.yaml", "steps: 3\n")
    rig.look(0.1, 1)
    assert rig.jobs() == []
    assert "_defaults.yaml" in rig.waits()["cat.png"]
    rig.look(1.1)
    assert [job.spec.asked.steps for job in rig.jobs()] == [3]


def test_one_that_a_program_holds_open_is_half_written_however_long_it_rests(rig: Rig) -> None:
    rig.picture("cat.png")
    with (rig.folder / "_defaults.yaml").open("w") as writing:
        writing.write("prompt: a la")
        writing.flush()
        rig.look(0.1, 2.5, 11)
        assert rig.jobs() == []
        assert "_defaults.yaml is whole" in rig.waits()["cat.png"]
        writing.write("ke\n")
    rig.look(0.1, 2.5, 11)
    assert prompts(rig) == {"cat.png": "a lake"}


def test_a_sidecar_wins_over_them(rig: Rig) -> None:
    rig.drop("_defaults.yaml", "prompt: default\nsteps: 9\n")
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: mine\n")
    rig.claim()
    (job,) = rig.jobs()
    assert (job.spec.asked.prompt, job.spec.asked.steps) == ("mine", 9)


def test_a_link_in_their_place_is_not_read(rig: Rig) -> None:
    secret = rig.root / "secret.yaml"
    secret.write_text("prompt: from elsewhere\n")
    (rig.folder / "_defaults.yaml").symlink_to(secret)
    rig.picture("cat.png")
    rig.claim()
    assert [job.spec.rel for job in rig.jobs()] == ["_defaults.yaml"]
    rig.serve()
    assert (rig.config.failed / "_defaults.yaml").is_symlink()
    assert rig.tree(rig.folder) == ["cat.png"]


def test_once_waits_for_defaults_to_be_whole_before_it_calls_the_folder_served(rig: Rig) -> None:
    rig.drop("_defaults.yaml", "prompt: outer\n")
    rig.picture("cat.png")
    rig.inbox = rig.new_inbox(drain=True)
    rig.look()
    assert not rig.inbox.drained
    rig.look(2.5)
    assert prompts(rig) == {"cat.png": "outer"}
    assert rig.inbox.drained


def test_once_does_not_wait_for_defaults_that_a_person_must_mend(rig: Rig) -> None:
    rig.drop("_defaults.yaml", "nonsense: 1\n")
    rig.picture("cat.png")
    rig.inbox = rig.new_inbox(drain=True)
    rig.look(2.5)
    assert rig.inbox.drained
    assert rig.jobs() == []

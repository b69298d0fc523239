"""Lists of prompts and styles in an inbox: they stay, are looked up, waited for and frozen."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from rig import Rig

from img2imgd.job import JobState, plan_frames
from img2imgd.request import FromList, Request, RequestKeys, StyleKeys

RigMaker = Callable[..., Rig]
PROMPTS = "# mine\na cottage\na boat\n"
STYLES = 'name,prompt,negative_prompt\nOil,"oil of {prompt}",photo\n'
FROM_LIST = "prompt: {from: _prompts.txt}\nseed: 7\n"


def asked(rig: Rig) -> dict[str, Request]:
    return {job.spec.rel: job.spec.asked for job in rig.jobs()}


def test_lists_stay_and_are_no_drops(rig: Rig) -> None:
    names = ["_prompts.txt", "artists.csv", "styles.csv"]
    for name in names:
        rig.drop(name, PROMPTS)
    rig.picture("_prompts.png")
    rig.drop("_prompts.yaml")
    rig.look(2.5, 11, 700)
    assert list(asked(rig)) == ["_prompts.png"]
    assert rig.tree(rig.folder) == names
    assert rig.waits() == {}
    assert rig.tree(rig.config.failed) == []


def test_the_nearest_list_is_meant_up_to_the_inbox_and_never_beside_it(rig: Rig) -> None:
    rig.drop("../_prompts.txt", "outside\n")
    rig.drop("other/_prompts.txt", "elsewhere\n")
    rig.drop("a/_prompts.txt", "near\n")
    for folder in ("a/", "a/b/", "c/"):
        rig.picture(f"{folder}cat.png")
        rig.drop(f"{folder}cat.yaml", FROM_LIST)
    rig.look(2.5, 11)
    requests = {job.spec.rel: job for job in rig.jobs()}
    assert requests["a/cat.png"].spec.asked.prompts == ("near",)
    assert requests["a/b/cat.png"].spec.asked.prompts == ("near",)
    assert requests["c/cat.png"].state is JobState.FAILED
    assert "line 1, prompt: there is no list “_prompts.txt”" in requests["c/cat.png"].reason
    rig.drop("_prompts.txt", "far\n")
    rig.picture("c/dog.png")
    rig.drop("c/dog.yaml", FROM_LIST)
    rig.look(0.1, 2.5)
    assert asked_of(rig, "c/dog.png").prompts == ("far",)


def asked_of(rig: Rig, rel: str) -> Request:
    (job,) = [job for job in rig.jobs() if job.spec.rel == rel]
    return job.spec.asked


def test_what_a_job_asks_for_is_frozen_at_its_claim(rig: Rig) -> None:
    rig.drop("_prompts.txt", PROMPTS)
    rig.drop("styles.csv", STYLES)
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST + "style: oil\n")
    rig.claim()
    frames = plan_frames(asked(rig)["cat.png"])
    assert [frame.prompt for frame in frames] == ["oil of a cottage", "oil of a boat"]
    rig.drop("_prompts.txt", "other\n")
    (rig.folder / "styles.csv").unlink()
    rig.crash()
    rig.look(2.5, 11)
    assert plan_frames(asked(rig)["cat.png"]) == frames
    rig.serve()
    assert rig.jobs()[0].state is JobState.DONE
    assert [name.rpartition("/")[2] for name in rig.outputs()] == [
        "cat_00_a-cottage_7.png",
        "cat_01_a-boat_7.png",
        "cat_a-cottage_sheet.png",
    ]


def test_a_list_that_is_still_being_written_is_waited_for_by_those_who_name_it(rig: Rig) -> None:
    for stem in ("names", "not"):
        rig.picture(f"{stem}.png")
    rig.drop("names.yaml", FROM_LIST)
    rig.drop("not.yaml")
    rig.look(1.9)
    rig.drop("_prompts.txt", "half of\n")
    rig.look(0.2)
    assert list(asked(rig)) == ["not.png"]
    assert rig.waits()["names.png"] == "waits until _prompts.txt is whole"
    rig.look(1)
    rig.drop("_prompts.txt", "half of it\nand the rest\n")
    rig.look(0.1, 1.5)
    assert list(asked(rig)) == ["not.png"]
    rig.look(1)
    assert asked(rig)["names.png"].prompts == ("half of it", "and the rest")
    assert rig.waits() == {}


def test_a_list_that_a_program_holds_open_is_waited_for(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST)
    rig.drop("_prompts.txt", "half of\n")
    with (rig.folder / "_prompts.txt").open("a") as writing:
        rig.look(2.5, 11)
        assert rig.jobs() == []
        writing.write("and the rest\n")
    rig.look(0.1, 2.5)
    assert asked(rig)["cat.png"].prompts == ("half of", "and the rest")


def test_a_list_may_come_after_the_sidecar_that_names_it(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST)
    rig.look(2.5, 5)
    assert rig.jobs() == []
    assert rig.waits()["cat.png"] == "waits for the list _prompts.txt"
    rig.drop("_prompts.txt", PROMPTS)
    rig.look(0.1, 2.5)
    assert asked(rig)["cat.png"].prompts == ("a cottage", "a boat")


def test_a_list_that_does_not_come_is_told_with_the_line(rig: Rig) -> None:
    rig.drop("_prompts.txt", PROMPTS)
    rig.picture("cat.png")
    rig.drop("cat.yaml", "n: 1\nprompt: {from: _promts.txt}\n")
    rig.look(2.5, 11)
    rig.serve()
    reason = rig.reason("cat.png").replace("\n", " ")
    assert "cat.yaml: line 2, prompt: there is no list “_promts.txt”" in reason
    assert "Did you mean `_prompts.txt`?" in reason
    assert rig.tree(rig.folder) == ["_prompts.txt"]


def test_once_does_not_wait_for_a_list_that_is_not_there(rig: Rig) -> None:
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST)
    rig.inbox = rig.new_inbox(drain=True)
    rig.look(2.5)
    assert [job.state for job in rig.jobs()] == [JobState.FAILED]
    assert rig.inbox.drained


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("styles.csv", b'name,prompt\nOil,"oil\n', "styles.csv cannot be used: line 2"),
        ("styles.csv", b"name,prompt\nOil,caf\xe9\n", "line 2: byte 0xe9"),
        ("styles.csv", b"x" * 1_100_000, "more than the 1,048,576 bytes"),
    ],
)
def test_a_list_that_cannot_be_used_is_told_in_the_reason(
    rig: Rig, name: str, content: bytes, words: str
) -> None:
    rig.drop(name, content)
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: a lake\nstyle: oil\n")
    rig.claim()
    rig.serve()
    assert words in rig.reason("cat.png").replace("\n", " ")
    assert "cat.yaml: line 2, style" in rig.reason("cat.png")
    assert rig.tree(rig.folder) == [name]


def test_a_link_is_no_list(rig: Rig) -> None:
    secret = rig.drop("../secret.csv", "secret\n")
    (rig.folder / "a.csv").symlink_to(secret)
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: {from: a.csv}\n")
    rig.claim()
    rig.serve()
    assert "there is no list “a.csv”" in rig.reason("cat.png")
    assert "not a plain file" in rig.reason("a.csv")


def test_folder_defaults_and_the_config_may_name_lists(make_rig: RigMaker) -> None:
    defaults = RequestKeys(
        prompt=FromList("_prompts.txt"), style=(StyleKeys(source="artists.csv", choose=1),)
    )
    rig = make_rig(defaults=defaults)
    rig.drop("_prompts.txt", PROMPTS)
    rig.drop("artists.csv", "artist\nrungius\n")
    rig.drop("sub/artists.csv", "artist\nmoran\n")
    rig.drop("sub/deep/_defaults.yaml", "prompt: {from: a.csv}\n")
    rig.drop("sub/a.csv", "theirs\n")
    rig.drop("sub/deep/deeper/a.csv", "not theirs\n")
    for folder in ("", "sub/", "sub/deep/deeper/"):
        rig.picture(f"{folder}cat.png")
    rig.claim()
    requests = asked(rig)
    assert requests["cat.png"].prompts == ("a cottage", "a boat")
    assert requests["cat.png"].styles == ("rungius",)
    assert requests["sub/cat.png"].styles == ("moran",)
    assert requests["sub/deep/deeper/cat.png"].prompts == ("theirs",)
    assert requests["sub/deep/deeper/cat.png"].styles == ("moran",)


def test_several_pictures_of_one_sidecar_each_get_the_list(rig: Rig) -> None:
    rig.drop("_prompts.txt", PROMPTS)
    rig.drop("all.yaml", "prompt: {from: _prompts.txt}\nimages: [a.png, b.png]\n")
    rig.picture("a.png")
    rig.picture("b.png")
    rig.claim()
    assert [request.prompts for request in asked(rig).values()] == [("a cottage", "a boat")] * 2
    (first, _) = rig.jobs()
    copy = (rig.spool / first.id / "in" / "a.png.yaml").read_text()
    assert copy == "prompt:\n  from: _prompts.txt\n"


def test_in_keep_mode_an_edited_list_repaints_nothing(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep")
    rig.drop("_prompts.txt", PROMPTS)
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST)
    rig.claim()
    rig.serve()
    rig.drop("_prompts.txt", "other\n")
    rig.look(0.1, 2.5, 11)
    assert len(rig.jobs()) == 1
    rig.picture("cat.png", grey=90)
    rig.look(0.1, 2.5, 11)
    assert [job.spec.asked.prompts for job in rig.jobs()][1:] == [("other",)]


def test_a_late_sidecar_may_name_a_list(rig: Rig) -> None:
    rig.drop("_prompts.txt", PROMPTS)
    rig.picture("cat.png")
    rig.drop("cat.yaml")
    rig.claim()
    rig.serve()
    rig.drop("cat.yaml", FROM_LIST)
    rig.look(0.1, 2.5, 11)
    assert [job.spec.asked.prompts for job in rig.jobs()] == [("a lake",), ("a cottage", "a boat")]


def test_a_list_is_found_though_its_name_is_spelt_with_other_signs(rig: Rig) -> None:
    rig.drop(unicodedata.normalize("NFD", "_Künstler.txt"), "ada\nlovelace\n")
    rig.picture("cat.png")
    rig.drop("cat.yaml", "prompt: x\nstyle: {from: _künstler.txt}\n")
    rig.look(2.5, 11)
    assert asked(rig)["cat.png"].styles == ("ada", "lovelace")


def test_an_empty_list_may_still_be_filled(rig: Rig) -> None:
    rig.drop("_prompts.txt", "")
    rig.picture("cat.png")
    rig.drop("cat.yaml", FROM_LIST)
    rig.look(2.5, 11, 11)
    assert rig.jobs() == []
    assert rig.waits()["cat.png"] == "waits until _prompts.txt is more than empty"
    rig.drop("_prompts.txt", PROMPTS)
    rig.look(0.1, 2.5)
    assert asked(rig)["cat.png"].prompts == ("a cottage", "a boat")


def test_a_list_that_the_folders_defaults_name_fails_no_picture_while_it_is_away(
    rig: Rig,
) -> None:
    rig.drop("_defaults.yaml", FROM_LIST)
    rig.picture("cat.png")
    rig.look(2.5, 11, 600)
    assert rig.jobs() == []
    why = "is held: _defaults.yaml names the list _prompts.txt, which is not there"
    assert rig.waits()["cat.png"] == why
    rig.drop("_prompts.txt", PROMPTS)
    rig.look(0.1, 2.5)
    assert asked(rig)["cat.png"].prompts == ("a cottage", "a boat")


@pytest.mark.parametrize("content", [None, ""])
def test_once_ends_though_a_list_of_the_defaults_is_missing_or_empty(
    rig: Rig, content: str | None
) -> None:
    rig.drop("_defaults.yaml", FROM_LIST)
    if content is not None:
        rig.drop("_prompts.txt", content)
    rig.picture("cat.png")
    rig.inbox = rig.new_inbox(drain=True)
    rig.look(2.5, 1, 1)
    assert rig.inbox.drained
    assert rig.jobs() == []

"""Which sidecar belongs to which picture, and what waits for what: decisions over plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.pairing.decide import decide
from img2imgd.pairing.decisions import Claim, Decision, Entry, Late, Reject, Rules, Wait
from img2imgd.pairing.kinds import kind_of

RULES = Rules(pair_wait=10, orphan_after=600, empty_after=600)
KEEP = replace(RULES, keep=True)


def entry(name: str, settled: float | None = 0.0, **changes: object) -> Entry:
    """A settled file, unless told otherwise."""
    made = Entry(name, kind_of(name), 2 + (settled or 0.0), settled)
    return replace(made, **changes)  # type: ignore[arg-type]


def made(*entries: Entry | str, rules: Rules = RULES, prompt: bool = False) -> list[Decision]:
    listed = [entry(item) if isinstance(item, str) else item for item in entries]
    return decide(listed, rules, lambda _: prompt)


def claims(decisions: Sequence[Decision]) -> list[Claim]:
    return [decision for decision in decisions if isinstance(decision, Claim)]


@pytest.mark.parametrize("order", [("cat.png", "cat.yaml"), ("cat.yaml", "cat.png")])
def test_a_pair_is_claimed_in_either_order(order: tuple[str, str]) -> None:
    assert made(*order) == [Claim(("cat.png",), "cat.yaml")]


def test_precedence_of_sidecars_and_the_losers_go_along() -> None:
    names = ["cat.png.yaml", "cat.png.yml", "cat.png.txt", "cat.yaml", "cat.yml", "cat.txt"]
    for first in range(len(names)):
        here = names[first:]
        assert made("cat.png", *reversed(here)) == [
            Claim(("cat.png",), here[0], tuple(sorted(here[1:])))
        ]


def test_an_exact_match_comes_before_one_that_differs_in_case() -> None:
    assert claims(made("cat.png", "CAT.yaml", "cat.txt")) == [
        Claim(("cat.png",), "cat.txt", ("CAT.yaml",))
    ]
    assert claims(made("Cat.PNG", "cat.yaml")) == [Claim(("Cat.PNG",), "cat.yaml")]


def test_two_names_that_differ_in_case_alone_keep_their_own_sidecars() -> None:
    assert claims(made("cat.png", "CAT.png", "cat.yaml", "CAT.yaml")) == [
        Claim(("cat.png",), "cat.yaml"),
        Claim(("CAT.png",), "CAT.yaml"),
    ]


def test_composed_and_decomposed_spellings_pair() -> None:
    assert claims(made("cafe\u0301.png", "caf\u00e9.yaml")) == [
        Claim(("cafe\u0301.png",), "caf\u00e9.yaml")
    ]


def test_pictures_of_one_stem_share_a_sidecar() -> None:
    assert made("cat.png", "cat.jpg", "cat.yaml") == [Claim(("cat.png", "cat.jpg"), "cat.yaml")]


def test_a_loser_of_two_pictures_goes_along_with_one_of_them() -> None:
    found = claims(made("cat.png", "cat.png.yaml", "cat.jpg", "cat.jpg.yaml", "cat.txt"))
    assert [claim.also for claim in found] == [("cat.txt",), ()]


def test_reason_files_are_nobodys_sidecar() -> None:
    assert made("cat.png", "cat.png.reason.txt", "cat.reason.txt")[0] == Wait(
        "cat.png", "has no prompt yet: add cat.yaml beside it", 600, ends_in=600
    )


def test_a_suffix_that_windows_hides_is_pointed_out() -> None:
    assert Wait(
        "cat.png", "has no prompt yet: rename Cat.yaml.txt to cat.yaml", 600, ends_in=600
    ) in made("cat.png", "Cat.yaml.txt")


def test_it_waits_less_where_the_inbox_says_so() -> None:
    rules = replace(RULES, prompted_wait=3)
    entries = [entry("cat.png", 1), entry("dog.png", 4)]
    assert decide(entries, rules, lambda _: True) == [
        Wait("cat.png", "waits a moment for a sidecar", 2, ends_in=2), Claim(("dog.png",)),
    ]  # fmt: skip


def test_a_group_waits_until_every_part_is_whole() -> None:
    decisions = made("cat.png", entry("cat.jpg", None), "cat.yaml")
    assert claims(decisions) == []
    assert {d.name for d in decisions if isinstance(d, Wait)} == {"cat.png", "cat.jpg"}


def test_an_unsettled_sidecar_holds_its_picture_though_there_is_a_default() -> None:
    assert claims(made(entry("cat.png", 99), entry("cat.yaml", None), prompt=True)) == []


def test_a_picture_alone_with_a_prompt_waits_pair_wait() -> None:
    assert made(entry("cat.png", 4), prompt=True) == [
        Wait("cat.png", "waits a moment for a sidecar", 6, ends_in=6)
    ]
    assert made(entry("cat.png", 10), prompt=True) == [Claim(("cat.png",))]


def test_a_picture_alone_without_a_prompt_is_an_orphan_after_a_while() -> None:
    (wait,) = made(entry("cat.png", 599))
    assert isinstance(wait, Wait)
    assert (wait.seconds, wait.for_a_person) == (1, False)
    (reject,) = made(entry("cat.png", 600))
    assert isinstance(reject, Reject)
    assert "cat.yaml" in reject.advice


def test_has_prompt_is_asked_of_settled_pictures_alone() -> None:
    asked: list[str] = []
    entries = [entry("a.png"), entry("b.png", None), entry("c.png"), entry("c.yaml")]
    decide(entries, RULES, lambda name: bool(asked.append(name)))
    assert asked == ["a.png"]


# Lists


def listing(*images: str, settled: float = 0.0) -> Entry:
    return entry("set.yaml", settled, images=images)


def test_a_complete_list_is_claimed_at_once() -> None:
    assert made("a.png", "B.png", listing("a.png", "b.png")) == [
        Claim(("a.png", "B.png"), "set.yaml")
    ]


def test_a_list_waits_for_missing_pictures_and_then_reports_them() -> None:
    decisions = made("a.png", listing("a.png", "b.png", settled=599))
    assert decisions == [Wait("set.yaml", "waits for b.png", 1, ends_in=1)]
    assert made("a.png", listing("a.png", "b.png", settled=600)) == [
        Claim(("a.png",), "set.yaml", missing=("b.png",))
    ]


def test_a_list_of_which_nothing_came_is_rejected() -> None:
    (reject,) = made(listing("a.png", settled=600))
    assert isinstance(reject, Reject)
    assert "a.png" in reject.reason


def test_a_glob_waits_for_pair_wait_after_the_last_new_match() -> None:
    glob = listing("*.png", settled=50)
    assert made(entry("a.png", 20), entry("b.png", 4), glob) == [
        Wait("set.yaml", "waits for more pictures of its pattern", 6, ends_in=6)
    ]
    assert made(entry("a.png", 20), entry("b.png", 10), glob) == [
        Claim(("a.png", "b.png"), "set.yaml")
    ]


def test_a_glob_waits_for_a_match_that_is_still_written() -> None:
    assert (
        claims(made(entry("a.png", 20), entry("b.png", None), listing("*.png", settled=50))) == []
    )


def test_a_pictures_own_sidecar_wins_over_a_list_and_is_not_missing() -> None:
    assert claims(made("a.png", "b.png", "b.yaml", listing("a.png", "b.png"))) == [
        Claim(("a.png",), "set.yaml"),
        Claim(("b.png",), "b.yaml"),
    ]


def test_a_list_replaces_stem_matching() -> None:
    decisions = made("set.png", "a.png", listing("a.png"))
    assert claims(decisions) == [Claim(("a.png",), "set.yaml")]
    assert [d.name for d in decisions if isinstance(d, Wait)] == ["set.png"]


# Sidecars alone


def test_a_lone_sidecar_waits_pair_wait_and_is_late_then() -> None:
    assert made(entry("cat.yaml", 9)) == [Wait("cat.yaml", "waits for its picture", 1, ends_in=591)]
    assert made(entry("cat.yaml", 10)) == [Late("cat.yaml", orphan=False, rest=590)]
    assert made(entry("cat.yaml", 600)) == [Late("cat.yaml", orphan=True)]


@pytest.mark.parametrize("half", [".cat.png.x1Y2z3", "cat.png.part", "CAT.jpg.crdownload"])
def test_a_lone_sidecar_waits_while_its_picture_is_being_written(half: str) -> None:
    decisions = made(entry("cat.yaml", 9999), entry(half, None))
    assert decisions == [Wait("cat.yaml", "its picture is still being written")]


# Others


def test_foreign_and_special_files_are_rejected_once_settled() -> None:
    from img2imgd.pairing.kinds import Kind

    link = entry("link.png", kind=Kind.SPECIAL)
    assert [type(d) for d in made("a.docx", link)] == [Reject, Reject]
    waiting = made(entry("a.docx", None), replace(link, settled=None))
    assert [type(d) for d in waiting] == [Wait]


@pytest.mark.parametrize(
    ("name", "kind", "advice"),
    [
        ("IMG_0001.CR2", "a camera raw file", "Develop it"),
        ("DSC_7.NEF", "a camera raw file", "Develop it"),
        ("a.dng", "a camera raw file", "Develop it"),
        ("logo.svg", "a drawing made of lines", "Export it"),
        ("a.xcf", "a GIMP file", "Export it"),
        ("a.krz", "without its whole picture", "Save it as .kra"),
        ("a.procreate", "a Procreate file", "PSD"),
        ("a.clip", "a Clip Studio file", "Export it"),
        ("a.jxl", "a JPEG XL picture", "Export it"),
        ("a.MOV", "a film", "still picture"),
        ("photos.zip", "an archive", "Unpack it"),
        ("a.xyz", "neither a picture nor a sidecar", "Pictures end in"),
        ("a", "neither a picture nor a sidecar", "Pictures end in"),
    ],
)
def test_files_that_people_drop_are_told_what_they_are(name: str, kind: str, advice: str) -> None:
    (reject,) = made(name)
    assert isinstance(reject, Reject)
    assert kind in reject.reason
    assert advice in reject.advice


def test_an_empty_file_is_a_placeholder_until_it_has_been_so_for_long() -> None:
    empty = entry("cat.png", None, empty=True, unchanged=599)
    assert made(empty) == [Wait("cat.png", "is empty")]
    (reject,) = made(replace(empty, unchanged=600))
    assert isinstance(reject, Reject)


def test_a_link_or_an_empty_file_takes_its_own_sidecar_along() -> None:
    from img2imgd.pairing.kinds import Kind

    link = entry("cat.png", 9, kind=Kind.SPECIAL)
    (reject,) = made(link, "cat.yaml")
    assert isinstance(reject, Reject)
    assert (reject.name, reject.also) == ("cat.png", ("cat.yaml",))
    assert reject.names == ("cat.png", "cat.yaml"), "what keeps one keeps the other"
    waiting, unsettled = made(link, entry("cat.yaml", None))
    assert waiting == Wait("cat.png", "waits until cat.yaml is whole")
    assert isinstance(unsettled, Wait)
    claim, reject = made(link, "cat.jpg", "cat.yaml")
    assert isinstance(claim, Claim), "a picture that can be read has it"
    assert isinstance(reject, Reject)
    assert reject.also == ()
    (reject,) = made(entry("cat.png", None, empty=True, unchanged=600), "cat.png.yaml", "cat.yaml")
    assert isinstance(reject, Reject)
    assert reject.also == ("cat.png.yaml", "cat.yaml")


def test_unfinished_files_and_defaults_are_left_alone() -> None:
    assert made(".cat.png", "cat.png.part", "_defaults.yaml", "x.reason.txt") == []


def test_keep_mode_takes_copies_of_pairs_and_rejects_nothing() -> None:
    from img2imgd.pairing.kinds import Kind

    entries = [
        entry("cat.png", 9999), entry("a.docx", 9999), entry("l.png", 9999, kind=Kind.SPECIAL),
        entry("empty.png", None, empty=True, unchanged=9999),
    ]  # fmt: skip
    decisions = made(*entries, rules=KEEP)
    assert {type(d) for d in decisions} == {Wait}
    (lone,) = (d for d in decisions if isinstance(d, Wait) and d.name == "cat.png")
    assert lone.for_a_person
    assert made("cat.png", "cat.yaml", rules=KEEP) == [Claim(("cat.png",), "cat.yaml")]


def test_in_keep_mode_files_of_art_programs_that_were_not_exported_are_told() -> None:
    names = ("cat.xcf", "dog.xcf", "dog.png", "dog.yaml", "a.json", "b.mp4", "c.q")
    decisions = made(*names, rules=KEEP)
    (wait,) = [d for d in decisions if isinstance(d, Wait)]
    assert (wait.name, wait.for_a_person, wait.seconds) == ("cat.xcf", True, None)
    assert wait.why.startswith("is a GIMP file, and is not read: Export it as PNG")
    assert not any(
        isinstance(d, Wait) for d in made(*names, rules=replace(KEEP, tell_unread=False))
    )


def test_in_keep_mode_a_lone_sidecar_waits_without_an_end() -> None:
    assert made(entry("cat.yaml", 9), rules=KEEP) == [Wait("cat.yaml", "waits for its picture", 1)]


def test_keep_mode_does_not_wait_for_a_sidecar_where_defaults_hold_a_prompt() -> None:
    assert made("cat.png", rules=KEEP, prompt=True) == [Claim(("cat.png",))]


# All of it


_NAMES = st.sampled_from(
    [
        f"{stem}{suffix}"
        for stem in ("a", "A", "b", "cafe\u0301", "caf\u00e9")
        for suffix in (
            ".png", ".PNG", ".jpg", ".yaml", ".yml", ".txt", ".png.yaml", ".png.txt", ".jpg.yml",
            ".png.reason.txt", ".pdf", ".png.part", "",
        )
    ]
)  # fmt: skip
_TIMES = st.one_of(st.none(), st.sampled_from([0.0, 5.0, 10.0, 599.0, 600.0]))
_LISTS = st.one_of(
    st.none(),
    st.lists(
        st.sampled_from(["a.png", "A.png", "b.jpg", "*.png", "[ab]*", "gone.png"]), min_size=1
    ),
)


@st.composite
def folders(draw: st.DrawFn) -> list[Entry]:
    entries: list[Entry] = []
    for name in draw(st.lists(_NAMES, unique=True, max_size=14)):
        item = entry(name, draw(_TIMES))
        images = draw(_LISTS) if name.endswith((".yaml", ".yml")) else None
        if images is not None and item.settled is not None:
            item = replace(item, images=tuple(images))
        entries.append(item)
    return entries


@given(folders(), st.booleans(), st.booleans())
def test_no_file_is_decided_upon_twice(entries: list[Entry], keep: bool, prompt: bool) -> None:
    settled = {item.name for item in entries if item.settled is not None}
    taken: list[str] = []
    for decision in made(*entries, rules=KEEP if keep else RULES, prompt=prompt):
        if isinstance(decision, Claim):
            taken.extend(decision.pictures)
            taken.extend(filter(None, [decision.sidecar]))
            taken.extend(decision.also)
            assert set(decision.pictures) <= settled
            assert decision.sidecar is None or decision.sidecar in settled
        elif isinstance(decision, Late | Reject):
            taken.append(decision.sidecar if isinstance(decision, Late) else decision.name)
            assert isinstance(decision, Late) or not keep
    assert len(taken) == len(set(taken))
    assert set(taken) <= {item.name for item in entries}


@given(folders(), st.booleans())
def test_every_settled_picture_is_claimed_rejected_or_told_to_wait_in_the_end(
    entries: list[Entry], prompt: bool
) -> None:
    entries = [replace(e, settled=9999.0, unchanged=9999.0, images=None) for e in entries]
    named: set[str] = set()
    for decision in made(*entries, prompt=prompt):
        named.update(decision.pictures if isinstance(decision, Claim) else ())
        if isinstance(decision, Reject):
            named.add(decision.name)
    pictures = {e.name for e in entries if e.kind.value == "picture"}
    assert pictures <= named

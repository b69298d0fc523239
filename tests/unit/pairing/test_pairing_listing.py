"""The lists of sidecars: which pictures their globs match, and what looking again costs."""

from __future__ import annotations

import pytest

from img2imgd.pairing import listing as module
from img2imgd.pairing.decide import decide
from img2imgd.pairing.decisions import Claim, Entry, Rules
from img2imgd.pairing.kinds import kind_of

RULES = Rules(pair_wait=10, orphan_after=600, empty_after=600)


def claimed(pictures: list[str], *images: str, settled: float) -> tuple[str, ...]:
    """What is claimed of these pictures for a list of these names and globs."""
    names = [*pictures, "set.yaml"]
    entries = [
        Entry(name, kind_of(name), settled, settled, images if name == "set.yaml" else None)
        for name in names
    ]
    decisions = decide(entries, RULES, lambda _: False)
    return next((found.pictures for found in decisions if isinstance(found, Claim)), ())


def test_globs_match_whole_names_in_any_spelling() -> None:
    wanted = ["a.png", "B.png", "caf\u00e9 1.png", "xy.png"]
    others = ["c.png", "aa.png", "x.png", "a.png.png"]
    globs = ("[ab].PNG", "cafe\u0301*", "x?.png")
    assert claimed([*wanted, *others], *globs, settled=20) == tuple(wanted)


def test_a_list_that_waits_is_made_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    translated: list[str] = []
    original = module.translate

    def translate(pattern: str) -> str:
        translated.append(pattern)
        return original(pattern)

    monkeypatch.setattr(module, "translate", translate)
    for seconds in range(3):
        assert claimed(["p1.png", "p2.png"], "once-*.png", "p*.png", settled=seconds) == ()
    assert translated == ["once-*.png", "p*.png"]

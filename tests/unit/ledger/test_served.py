"""Keep mode's memory goes with the spool, wherever its inbox is found."""

from __future__ import annotations

from recorded import ODD

from img2imgd.ledger import Ledger, Moves


def test_served_content_is_remembered_for_a_path_of_a_spool(ledger: Ledger) -> None:
    assert ledger.served("s1", ODD) is None
    ledger.set_served("s1", ODD, "one")
    ledger.set_served("s1", ODD, "two")
    assert ledger.served("s1", ODD) == "two"
    assert ledger.served("s2", ODD) is None


def test_a_spool_with_an_id_of_its_own_shares_nothing_with_others_of_its_path(
    ledger: Ledger,
) -> None:
    ledger.note_place("s1", "/a")
    ledger.note_place("s2", "/b")
    ledger.set_served("s1", "cat.png", "one")
    ledger.note_place("s2", "/a")
    assert ledger.served("s2", "cat.png") is None


def test_a_new_spool_knows_what_the_one_before_it_in_its_place_did(ledger: Ledger) -> None:
    for spool, digest in (("s1", "one"), ("s2", "two"), ("s3", "three")):
        ledger.note_place(spool, "/a")
        ledger.set_served(spool, "cat.png", digest)
    ledger.note_place("s1", "/a")
    ledger.note_place("s4", "/a")
    known = {spool: ledger.served(spool, "cat.png") for spool in ("s1", "s2", "s3", "s4")}
    assert known == {"s1": "one", "s2": "two", "s3": "three", "s4": "one"}


def test_a_new_spool_knows_nothing_of_one_that_has_moved_away(ledger: Ledger) -> None:
    ledger.note_place("s1", "/a")
    ledger.set_served("s1", "cat.png", "one")
    ledger.rebase(Moves({"/a": "/b"}, {"s1": "/b"}))
    ledger.set_facts(**{"spool s1": "/b"})
    ledger.note_place("s1", "/b")
    ledger.note_place("s2", "/a")
    assert ledger.served("s2", "cat.png") is None
    assert ledger.served("s1", "cat.png") == "one"


def _written_by_an_earlier_version(ledger: Ledger) -> None:
    for spool, inbox in (("s1", "/a"), ("s2", "/b")):
        ledger.set_facts(**{f"spool {spool}": inbox})
        ledger.set_served(inbox, "cat.png", f"of {spool}")


def test_what_an_earlier_version_wrote_comes_to_the_spool_that_it_was_of(ledger: Ledger) -> None:
    _written_by_an_earlier_version(ledger)
    ledger.note_place("bare", "/a")  # the disk with s1 is not mounted
    ledger.set_served("bare", "cat.png", "below the mount point")
    ledger.note_place("s1", "/a")
    ledger.note_place("s2", "/a")
    assert ledger.served("s1", "cat.png") == "of s1"
    assert ledger.served("s2", "cat.png") == "of s2"
    assert ledger.read("SELECT 1 FROM served WHERE inbox LIKE '/%'") == []


def test_inboxes_of_an_earlier_version_may_have_changed_places(ledger: Ledger) -> None:
    _written_by_an_earlier_version(ledger)
    ledger.rebase(Moves({"/a": "/b", "/b": "/a"}, {"s1": "/b", "s2": "/a"}))
    assert ledger.served("s1", "cat.png") == "of s1"
    assert ledger.served("s2", "cat.png") == "of s2"


def test_what_was_written_before_spools_had_ids_comes_to_the_first(ledger: Ledger) -> None:
    ledger.set_served("/a", "cat.png", "one")
    ledger.note_place("s1", "/a")
    assert ledger.served("s1", "cat.png") == "one"

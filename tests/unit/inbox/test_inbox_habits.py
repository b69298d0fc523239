"""How long a saved file must rest, by what its last saves looked like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.filesystems import FilesystemKind
from img2imgd.inbox import Inbox
from img2imgd.inbox.habits import RENAMED, Habits
from img2imgd.ledger import Ledger, open_ledger
from img2imgd.request import RequestKeys
from img2imgd.settle import Signature

ConfigMaker = Callable[..., Config]
LONGEST = 0.7


class Seen:
    """One file as scans see it, by a clock that the test moves."""

    def __init__(self) -> None:
        self.habits = Habits(LONGEST)
        self.now = 100.0
        self.signature = Signature(1, 1000, 0, 0)
        self.look()

    def look(self, after: float = 0.0) -> float:
        """Scan after some seconds; what the file has to wait now."""
        self.now += after
        self.habits.observe("a.png", self.signature, self.now)
        return self.seconds

    @property
    def seconds(self) -> float:
        """For how long it must be unchanged now."""
        return self.habits.seconds("a.png")

    def change(self, after: float = 0.0, *, renamed: bool = False, size: int = 1000) -> None:
        """Have a scan see another file, or other content, after some seconds."""
        inode = self.signature.inode + renamed
        stamp = self.signature.mtime_ns + 1
        self.signature = Signature(inode, size, stamp, stamp)
        self.look(after)

    def save(self, *gaps: float, renamed: bool = False) -> None:
        """One save, changes seen with these gaps between, and a rest after it."""
        self.change(5.0, renamed=renamed)
        for gap in gaps:
            self.change(gap)
        self.look(LONGEST + 0.01)


def test_nothing_is_shortened_before_three_saves_are_known() -> None:
    seen = Seen()
    waits: list[float] = []
    for _ in range(4):
        seen.save(renamed=True)
        waits.append(seen.seconds)
    assert waits == [LONGEST, LONGEST, RENAMED, RENAMED]


def test_a_program_that_pauses_as_it_writes_has_three_times_its_longest_pause() -> None:
    seen = Seen()
    for gaps in ((0.05, 0.1), (0.02,), (0.06,)):
        seen.save(*gaps)
    assert seen.seconds == pytest.approx(0.3)
    for _ in range(3):
        seen.save(0.01)
    assert seen.seconds == pytest.approx(0.2)
    seen.save(0.5)
    assert seen.seconds == LONGEST


def test_another_way_of_saving_is_given_the_whole_time_at_once() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save(renamed=True)
    seen.change(5.0)
    assert seen.seconds == LONGEST


def test_a_new_file_that_goes_on_growing_was_no_rename_of_a_whole_one() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save(0.1, renamed=True)
    assert seen.seconds == pytest.approx(0.3)


def test_a_file_that_goes_on_changing_after_its_rest_is_never_trusted_again() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save()
    assert seen.seconds < LONGEST
    seen.change(5.0)
    seen.look(seen.seconds)
    seen.change(0.5)
    for _ in range(9):
        seen.save()
        assert seen.seconds == LONGEST


def test_saves_in_quick_succession_that_are_renamed_prove_nothing_wrong() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save(renamed=True)
    for _ in range(5):
        seen.change(0.5, renamed=True)
        seen.look(RENAMED)
    assert seen.seconds == RENAMED


def test_a_writer_that_was_found_at_the_claim_teaches_its_pause() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save()
    seen.change(5.0)
    seen.look(seen.seconds)
    seen.habits.reopen("a.png", seen.now)
    seen.look(0.1)
    seen.change(0.1)  # no surprise: it was known to be written still
    assert seen.seconds == LONGEST  # three times 0.4 s is more
    seen.look(LONGEST + 0.01)
    for _ in range(3):
        seen.save()
    assert seen.seconds == pytest.approx(0.2)


def test_a_file_that_is_gone_for_a_moment_is_known_and_after_a_while_no_more() -> None:
    seen = Seen()
    for _ in range(3):
        seen.save(renamed=True)
    seen.habits.keep_only((), seen.now + 1)
    assert seen.seconds == RENAMED
    seen.habits.keep_only((), seen.now + 61)
    assert seen.seconds == LONGEST


CHANGES = st.tuples(st.floats(0, 3), st.booleans(), st.sampled_from([0, 10, 1000]), st.booleans())


@given(st.lists(CHANGES, max_size=60))
def test_whatever_is_seen_the_wait_is_never_longer_nor_absurdly_short(
    changes: list[tuple[float, bool, int, bool]],
) -> None:
    seen = Seen()
    for after, renamed, size, rests in changes:
        seen.change(after, renamed=renamed, size=size)
        if rests:
            seen.look(seen.seconds)
        assert RENAMED <= seen.seconds <= LONGEST


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def _waits_after_renames(config: Config, ledger: Ledger) -> list[int]:
    """How many jobs there are 0.2 s after each of five saves, and after a second more."""
    folder = config.inboxes[0].path
    inbox = Inbox(config, config.inboxes[0], ledger, lambda _: None, lambda _: None)
    now = 1000.0
    counts: list[int] = []
    for number in range(6):
        temporary = folder / ".new"
        temporary.write_bytes(b"%d" % number)
        temporary.rename(folder / "a.png")
        for after in (0.0, 0.2, 1.0):
            now += after
            inbox.step(now)
            counts.append(len(_jobs(ledger)))
        now += 10
    return counts


def _jobs(ledger: Ledger) -> list[str]:
    return [row["id"] for row in ledger.sql.execute("SELECT id FROM jobs")]


def test_a_live_inbox_takes_what_was_always_renamed_sooner(
    make_config: ConfigMaker, ledger: Ledger
) -> None:
    config = make_config(mode="keep", live=True, settle=0.7, defaults=RequestKeys(prompt="a lake"))
    at_once = _waits_after_renames(config, ledger)[1::3]
    assert at_once == [0, 1, 2, 3, 5, 6]  # the first sight of a file is no save


@pytest.mark.parametrize("why", ["not live", "remote"])
def test_other_inboxes_wait_for_the_whole_time(
    make_config: ConfigMaker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "remote":
        remote = FilesystemKind("SMB", local=False)
        monkeypatch.setattr(filesystems, "kind_of", lambda _: remote)
    config = make_config(
        mode="keep", live=why == "remote", settle=0.7, defaults=RequestKeys(prompt="a lake")
    )
    assert _waits_after_renames(config, ledger)[1::3] == [0, 1, 2, 3, 4, 5]
    assert os.listdir(config.inboxes[0].path)

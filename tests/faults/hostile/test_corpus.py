"""The whole hostile corpus dropped into a real inbox, three times, and served by the program.

``pytest tests/faults/hostile -s`` prints what became of each file and the first line of its reason.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bad_documents
import bad_pictures
import bad_sidecars
import odd_files
import pytest
import served_root
from accounting import account, assert_explained, assert_nothing_left_over, fingerprints, reasons
from cases import SIDECAR, Case, encoded
from served_root import RunningDaemon, ServedRoot, visible_files

from img2imgd.errors import shown
from img2imgd.ledger import JobRow
from img2imgd.pairing.kinds import Kind, kind_of
from waiting import wait_until

pytestmark = pytest.mark.timeout(900)  # the first test waits for all the rounds

ROUNDS, ROUNDS_IN_FULL = 3, 10
# Bytes, of the supervisor in the round after the first in which it grew least: caches fill in the
# first rounds (in 24 it grew by 10, 4, 3, 1 and less than 1 MB, in the last not at all); a picture,
# or what Pillow would have loaded, is far more, and in every round.
MAX_GROWTH = 6_000_000
# Root reads what it may not: without these capabilities it is refused like anybody else.
PLAIN_USER = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all"
LONGEST_WAIT = 240.0


@dataclass
class Round:
    """One time that the corpus was served."""

    jobs: dict[str, JobRow]
    reasons: dict[str, str]
    growth: int
    pids: tuple[int, int | None]


@dataclass
class Corpus:
    """The corpus, and the daemon that serves it."""

    root: ServedRoot
    daemon: RunningDaemon
    cases: list[Case]
    rounds: list[Round]


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Corpus]:
    many = ROUNDS_IN_FULL if pytestconfig.getoption("--faults-in-full", default=False) else ROUNDS
    base = tmp_path_factory.mktemp("hostile")
    root = ServedRoot(base / "root", base / "config.yaml")
    root.write_config(orphan_after=3)
    outside = base / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(encoded())
    (outside / "secret.yaml").write_bytes(SIDECAR)
    cases = [*odd_files.cases(outside), *bad_pictures.cases(), *bad_documents.cases(),
             *bad_sidecars.cases()]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served_root, "PROGRAM", _as_plain_user(base))
        daemon = root.start()
    try:
        rounds = [_serve(root, daemon, cases) for _ in range(many)]
        yield Corpus(root, daemon, cases, rounds)
    finally:
        daemon.stop()


def _as_plain_user(base: Path) -> str:
    if os.geteuid() != 0:
        return served_root.PROGRAM
    script = base / "img2imgd"
    script.write_text(f'#!/bin/sh\nexec {PLAIN_USER} {served_root.PROGRAM} "$@"\n')
    script.chmod(0o755)
    return str(script)


def _serve(root: ServedRoot, daemon: RunningDaemon, cases: list[Case]) -> Round:
    for folder in (root.inbox, root.outbox, root.done, root.failed):
        _empty(folder)
    before = {row.id for row in root.jobs()}
    memory = _memory(daemon.pid)
    hold = root.inbox / "_defaults.yaml"  # all come at once, however long making them takes
    hold.write_text("[")
    for case in cases:
        case.make(root.inbox)
    dropped = fingerprints(root.inbox)
    hold.unlink()
    del dropped[b"_defaults.yaml"]
    expected = {case.subject for case in cases if case.outcome != "inbox"}

    def ended() -> dict[str, JobRow]:
        rows = [row for row in root.jobs() if row.id not in before]
        return {row.spec.rel: row for row in rows if row.state.ended and row.archived}

    stays = [os.fsencode(case.name) for case in cases if case.outcome == "inbox"]
    try:
        wait_until(lambda: _count(root.inbox) <= len(stays), "all are taken", LONGEST_WAIT)
        wait_until(lambda: expected <= ended().keys(), "all are served", LONGEST_WAIT)
    except AssertionError as late:
        raise AssertionError(f"{late}; never: {sorted(expected - ended().keys())}") from late
    account(root, dropped, stays)
    growth = _memory(daemon.pid) - memory
    return Round(ended(), reasons(root), growth, (daemon.pid, daemon.worker))


def _count(folder: Path) -> int:
    """How many files lie below a folder, but for the spool's."""
    return sum(len(names) for at, _, names in os.walk(folder) if ".img2imgd" not in at)


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.exists() else ():
        if path.name == ".img2imgd":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss_Anon: +(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def test_each_file_has_its_outcome_and_a_clear_reason(corpus: Corpus) -> None:
    wrong: list[str] = []
    jobs = corpus.rounds[-1].jobs
    for case in corpus.cases:
        row = jobs.get(case.subject)
        outcome, told = (row.state.value, row.reason or "") if row else ("inbox", "")
        sys.stdout.write(f"{shown(case.name)[:44]:44}  {outcome:6}  {told.splitlines()[:1]}\n")
        if outcome != case.outcome or " ".join(case.words.split()) not in " ".join(told.split()):
            wrong.append(f"{shown(case.name)}: {outcome}, {told}; not {case.outcome}, {case.words}")
    assert not wrong, "\n".join(wrong)
    assert_explained(corpus.root)
    assert_nothing_left_over(corpus.root)


def test_nothing_was_lost_and_every_round_was_the_same(corpus: Corpus) -> None:
    first, *others = [
        {rel: (row.state, row.reason) for rel, row in each.jobs.items()} for each in corpus.rounds
    ]
    assert all(other == first for other in others)


def test_the_same_processes_serve_to_the_end(corpus: Corpus) -> None:
    assert len({each.pids for each in corpus.rounds}) == 1
    assert corpus.rounds[0].pids[1] is not None
    (corpus.root.inbox / "good.png").write_bytes(encoded())
    (corpus.root.inbox / "good.yaml").write_bytes(SIDECAR)
    wait_until(
        lambda: any(path.name.startswith("good_") for path in corpus.root.outputs()),
        "the good picture is served",
    )
    assert (corpus.daemon.pid, corpus.daemon.worker) == corpus.rounds[-1].pids


def test_the_supervisor_opened_no_picture_and_did_not_grow(corpus: Corpus) -> None:
    assert "_imaging" not in Path(f"/proc/{corpus.daemon.pid}/maps").read_text()
    growth = [each.growth for each in corpus.rounds]
    assert min(growth[1:]) < MAX_GROWTH, growth


def test_names_of_outputs_are_safe_everywhere(corpus: Corpus) -> None:
    for path in corpus.root.outputs():
        name = path.name
        assert name.replace("\u200d", "").isprintable(), ascii(name)  # joins emoji
        assert len(name.encode()) <= 200, name
        assert not set('<>:"/\\|?*') & set(name), name
        assert not name.startswith(("-", ".", "~", " ")), name


def test_in_keep_mode_nothing_moves(tmp_path: Path) -> None:
    root = ServedRoot(tmp_path / "root", tmp_path / "config.yaml")
    root.write_config(extra="    mode: keep\n")
    cases = [*odd_files.cases(tmp_path), *bad_pictures.cases(), *bad_documents.cases(),
             *bad_sidecars.cases()]  # fmt: skip
    cases = [case for case in cases if case.content and isinstance(case.content, bytes)]
    for case in cases:
        case.make(root.inbox)
    dropped = fingerprints(root.inbox)
    pictures = [case for case in cases if kind_of(Path(case.name).name) is Kind.PICTURE]
    expected = {case.name: case.outcome for case in pictures if case.name != "odd/closed.png"}
    daemon = root.start()

    def ended() -> dict[str, str]:
        return {row.spec.rel: row.state.value for row in root.jobs() if row.state.ended}

    try:
        wait_until(lambda: expected.keys() <= ended().keys(), "all are served", LONGEST_WAIT)
        assert {name: state for name, state in ended().items() if name in expected} == expected
        assert fingerprints(root.inbox) == dropped
        assert "Traceback" not in daemon.log
    finally:
        daemon.stop()


def test_the_log_is_in_words_and_nothing_outside_was_touched(corpus: Corpus) -> None:
    assert "Traceback" not in corpus.daemon.log
    outside = corpus.root.path.parent / "outside"
    assert {path.name for path in visible_files(outside)} == {"secret.png", "secret.yaml"}
    assert not Path("/tmp/owned").exists()  # noqa: S108 - what a hostile sidecar would make

"""The benchmarks' arithmetic: a verdict is only worth what its pairs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bench.measuring import report
from bench.measuring.bare import in_words
from bench.measuring.cases import CASES, Frame, quick
from bench.measuring.pairs import covered, paired, ratio, seconds, share_of_limit, verdict

RUNS = [{"ours": 1.0, "plain": 2.0}, {"ours": 4.0, "plain": 12.0}, {"ours": 2.0, "plain": 5.0}]


def test_contenders_run_in_one_order_and_then_the_other() -> None:
    ran: list[str] = []

    def contender(name: str) -> Callable[[], float]:
        def run() -> float:
            ran.append(name)
            return float(len(ran))

        return run

    runs = paired({name: contender(name) for name in "abc"}, 2)
    assert "".join(ran) == "abccba"
    assert runs == [{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 6.0, "b": 5.0, "c": 4.0}]


def test_a_ratio_is_taken_within_each_pair() -> None:
    assert ratio(RUNS, "ours", "plain") == (2.5, 2.0, 3.0, 3)
    assert seconds(RUNS, "plain") == (5.0, 2.0, 12.0, 3)


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("ours", "plain", "ours / plain: 2.50× faster (2.00–3.00, 3 pairs)"),
        ("plain", "ours", "plain / ours: 2.50× slower (2.00–3.00, 3 pairs)"),
    ],
)
def test_a_verdict_says_who_won(name: str, other: str, words: str) -> None:
    assert verdict(RUNS, name, other) == words


def test_the_share_of_the_limit_is_whole_at_the_limit() -> None:
    runs = [{"limit": run["ours"], "plain": run["plain"]} for run in RUNS]
    assert share_of_limit(runs, "plain") == "plain: share of the limit 40 % (33–50)"
    assert share_of_limit(runs, "limit") == "limit: share of the limit 100 % (100–100)"


def test_the_limit_counts_the_rows_that_really_run() -> None:
    case = CASES["demo-128"]
    assert case.rows([Frame("a", 0.05), Frame("a", 0.29)]) == 2 * (2 + 14)


def test_what_the_limit_is_computed_with_is_told_in_words() -> None:
    assert in_words(quick(CASES["demo-64"]), {"limit": 32, "limit by parts": 8}) == (
        "demo-64: 3 frames need 32 rows of the UNet. As many at once are fastest: "
        "32 for the limit, 8 for the limit by parts."
    )


@pytest.mark.parametrize("is_quick", [True, False])
def test_a_smoke_run_says_that_its_figures_mean_nothing_and_writes_them_elsewhere(
    tmp_path: Path,
    is_quick: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(report, "CACHE", tmp_path / "smoke")
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.save(report.Options(is_quick, None), "sweep", {})
    said = capsys.readouterr().out
    assert path == tmp_path / ("smoke" if is_quick else "results") / "sweep.json"
    assert f"written: {path}\n" in said
    assert ("its figures mean nothing" in said) == is_quick


def test_time_that_kernels_share_counts_once() -> None:
    assert covered([(0, 4), (1, 2), (3, 6), (8, 9), (6, 7)]) == 8
    assert covered([]) == 0

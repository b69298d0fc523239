"""Cancelling: it is asked first, and what was cancelled is never told as painted."""

from __future__ import annotations

import pytest
from browsing import OpenPage, StartStudio, Studio
from playwright.sync_api import expect

from waiting import wait_until

SWEEP = "prompt: a lake\nsteps: 30\nsweep: {strength: {from: 0.4, to: 0.9, count: 29}}\n"
_LISTEN = """
window.said = []; window.bars = [];
const polite = document.querySelector('#polite');
const all = { childList: true, characterData: true, attributes: true, subtree: true };
new MutationObserver(() => window.said.push(polite.textContent)).observe(polite, all);
new MutationObserver(() => {
  const bar = document.querySelector('.work .bar');
  if (bar) window.bars.push(Number(bar.ariaValueNow));
}).observe(document.querySelector('#running'), all);
"""


def test_a_cancelled_sweep_is_told_as_cancelled_with_what_was_kept(
    open_page: OpenPage, start_studio: StartStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMG2IMGD_FAKE_STEP_SECONDS", "0.1")
    studio = start_studio()
    studio.serve(earlier="prompt: a hill\nsteps: 2\n")
    watched = open_page(studio, "#now")
    page = watched.page
    expect(page.locator("#latest li")).to_have_count(1)
    page.evaluate(_LISTEN)
    studio.drop("lake", SWEEP)
    wait_until(lambda: studio.served.staged_frames() > 2, "some are painted", 60)
    page.get_by_role("button", name="Cancel lake.png").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#latest li")).to_have_count(2, timeout=60_000)
    watched.until("window.said.some((one) => one.startsWith('lake.png: cancelled'))")
    said = page.evaluate("window.said")
    assert not any("is painted" in one or "100 percent" in one for one in said), said
    assert 0 < max(page.evaluate("window.bars")) < 100
    page.goto(f"{studio.url}/#results")
    expect(page.locator(".tile .badge:visible").first).to_contain_text("cancelled, ")
    page.locator("#gallery a").first.click()
    expect(page.locator(".job-bar .number")).to_contain_text("of 29 pictures")
    notes = page.locator(".job-words .notes").first
    expect(notes).to_contain_text("of 29 pictures were painted and kept.")
    expect(notes).not_to_contain_text("Cancelled by hand")
    expect(notes.locator(".bad")).to_have_count(0)


def test_the_question_goes_when_the_address_changes(open_page: OpenPage, studio: Studio) -> None:
    page = open_page(studio, "#now").page
    page.get_by_role("button", name="Pause").click()
    studio.drop("asked", "prompt: a lake\n")
    page.get_by_role("button", name="Cancel asked.png").click()
    expect(page.get_by_role("button", name="Keep painting")).to_be_focused()
    page.evaluate("location.hash = '#results'")
    expect(page.locator("#ask")).to_be_hidden()
    page.goto(f"{studio.url}/#now")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#latest li")).to_have_count(1, timeout=30_000)

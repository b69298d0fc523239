"""Now: progress moves while a real job runs, in place, and what is done appears by itself."""

from __future__ import annotations

import pytest
from browsing import OpenPage, StartStudio, Studio
from playwright.sync_api import expect

SWEEP = "prompt: a lake at sunset\nsteps: 30\nsweep: {strength: {from: 0.4, to: 0.9, count: 8}}\n"


def test_progress_moves_while_a_real_job_runs_and_nothing_else_does(
    open_page: OpenPage, start_studio: StartStudio
) -> None:
    studio = start_studio(backend="diffusers")
    watched = open_page(studio, "#now")
    page = watched.page
    expect(page.locator("#resting")).to_be_visible()
    page.evaluate(
        "window.shifts = []; new PerformanceObserver((list) => window.shifts.push("
        "...list.getEntries().filter((one) => !one.hadRecentInput).map((one) => one.value)))"
        ".observe({ type: 'layout-shift', buffered: false })"
    )
    studio.drop("lake", SWEEP)
    bar = page.get_by_role("progressbar", name="Progress of lake.png")
    expect(bar).to_be_visible(timeout=120_000)
    watched.patience = 120
    watched.until("document.querySelector('.work .bar')?.ariaValueNow > 0")
    page.evaluate("window.shifts.length = 0; window.bar = document.querySelector('.work .bar')")
    cancel = page.get_by_role("button", name="Cancel lake.png")
    cancel.focus()
    first = int(bar.get_attribute("aria-valuenow") or 0)
    where = page.evaluate("getComputedStyle(window.bar.firstChild).transform")
    watched.until("(first) => Number(window.bar.ariaValueNow) >= first + 10", first)
    watched.until("(before) => getComputedStyle(window.bar.firstChild).transform !== before", where)
    assert page.evaluate("window.bar.isConnected"), "the bar was made anew"
    expect(cancel).to_be_focused()
    assert sum(page.evaluate("window.shifts")) == pytest.approx(0, abs=0.001)
    watched.until("document.querySelector('figure:last-child img:not([hidden])').naturalWidth > 0")
    expect(page.locator("#latest li")).to_have_count(1, timeout=90_000)
    expect(page.locator(".work")).to_have_count(0)
    page.locator("#latest a").click()
    expect(page.locator("#title-job")).to_have_text("lake.png")
    expect(page.locator(".film button")).to_have_count(8)


def test_the_queue_says_why_files_wait_and_a_pause_says_so(
    open_page: OpenPage, studio: Studio
) -> None:
    watched = open_page(studio, "#now")
    page = watched.page
    page.get_by_role("button", name="Pause").click()
    banner = page.locator(".banner")
    expect(banner).to_contain_text("Paused.")
    studio.drop("first", "prompt: a lake\n")
    studio.drop("second", "prompt: a hill\n")
    expect(page.locator("#queue .row-name")).to_have_text(["first.png", "second.png"])
    expect(page.locator("#count-now")).to_have_text("2")
    (studio.served.inbox / "alone.yaml").write_text("prompt: no picture yet\n")
    expect(page.locator("#waiting")).to_contain_text("alone.yaml")
    page.get_by_role("button", name="Cancel second.png").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#queue .row-name")).to_have_text(["first.png"])
    banner.get_by_role("button", name="Resume").click()
    expect(banner).to_have_count(0)
    expect(page.locator("#latest li")).to_have_count(1, timeout=30_000)


def test_a_lost_connection_is_told_and_found_again(
    open_page: OpenPage, start_studio: StartStudio
) -> None:
    studio = start_studio()
    watched = open_page(studio, "#now")
    watched.expect_trouble("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING",
                           "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")  # fmt: skip
    page = watched.page
    expect(page.locator("#resting")).to_be_visible()
    studio.daemon.kill()
    expect(page.locator(".banner")).to_contain_text("No connection", timeout=15_000)
    studio.served.start()
    expect(page.locator(".banner")).to_have_count(0, timeout=30_000)
    studio.serve(later="prompt: a lake\n")
    expect(page.locator("#latest li")).to_have_count(1)

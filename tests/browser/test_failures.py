"""Failures: the reason, what to do, and trying again."""

from __future__ import annotations

from browsing import OpenPage, Studio
from playwright.sync_api import expect


def test_a_failure_that_was_corrected_is_served_after_retry(
    open_page: OpenPage, studio: Studio
) -> None:
    watched = open_page(studio, "#failures")
    page = watched.page
    expect(page.locator("#failures-empty")).to_contain_text("Nothing has failed")
    studio.drop("sketch", "prompt: a house\nstrenght: 0.5\n")
    row = page.locator(".failure")
    expect(row).to_contain_text("Did you mean `strength`?", timeout=30_000)
    expect(page.locator("#count-failures")).to_have_text("1")
    (studio.served.failed / "sketch.yaml").write_text("prompt: a house\nstrength: 0.5\n")
    row.get_by_role("button", name="Retry sketch.png").click()
    expect(page.locator(".toast").first).to_contain_text("will be tried again")
    page.goto(f"{studio.url}/#results")
    expect(page.locator("#gallery .tile-name")).to_contain_text(["sketch.png"], timeout=30_000)


def test_retry_all_asks_first_and_retries_each(open_page: OpenPage, studio: Studio) -> None:
    watched = open_page(studio, "#failures")
    page = watched.page
    for name in ("one", "two"):
        studio.drop(name, "prompt: a house\nsteps: many\n")
    expect(page.locator(".failure", has_text="steps")).to_have_count(2, timeout=30_000)
    for name in ("one", "two"):
        (studio.served.failed / f"{name}.yaml").write_text("prompt: a house\nsteps: 4\n")
    page.get_by_role("button", name="Retry all").click()
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Retry all").click()
    page.locator("#ask-yes").click()
    page.goto(f"{studio.url}/#results")
    gallery = page.locator("#gallery .tile-name")
    expect(gallery.filter(has_text="one.png")).to_have_count(1, timeout=30_000)
    expect(gallery.filter(has_text="two.png")).to_have_count(1, timeout=30_000)

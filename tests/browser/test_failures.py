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


def test_a_refused_sidecar_is_named_and_all_failures_are_counted(
    open_page: OpenPage, studio: Studio
) -> None:
    watched = open_page(studio, "#failures")
    watched.expect_trouble("404")
    page = watched.page
    folder = studio.served.inbox / "trip"
    folder.mkdir()
    studio.drop("trip/hill", "prompt: a hill\nsteps: some\n")
    row = page.locator(".failure", has_text="hill.png")
    expect(row).to_contain_text("Correct trip/hill.yaml in the failed folder, then Retry.",
                                timeout=30_000)  # fmt: skip
    page.get_by_role("button", name="Pause").click()
    studio.drop("waits", "prompt: a hill\n")
    page.goto(f"{studio.url}/#now")
    page.get_by_role("button", name="Cancel waits.png").click()
    page.get_by_role("button", name="Cancel the job").click()
    page.get_by_role("button", name="Resume").click()
    page.goto(f"{studio.url}/#failures")
    expect(page.locator(".failure", has_text="waits.png")).to_be_visible(timeout=30_000)
    number = page.locator("#failures-count").inner_text().split()[0]
    expect(page.locator("#count-failures")).to_have_text(number)


def test_what_is_no_picture_has_a_sign_in_its_place(open_page: OpenPage, studio: Studio) -> None:
    (studio.served.inbox / "text.png").write_text("this is no picture\n" * 20)
    (studio.served.inbox / "text.yaml").write_text("prompt: a hill\n")
    watched = open_page(studio, "#failures")
    watched.expect_trouble("404")
    page = watched.page
    row = page.locator(".failure", has_text="text.png")
    expect(row).to_be_visible(timeout=30_000)
    expect(row.locator(".no-picture, .failure-picture > .icon")).to_be_visible()
    expect(row.locator("img:not(.broken)")).to_have_count(0)
    page.goto(f"{studio.url}/#job/{studio.job('text.png')}")
    expect(page.locator(".canvas .no-picture")).to_be_visible()
    expect(page.locator(".views a[aria-current]")).to_contain_text("Failures")

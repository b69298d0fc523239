"""With a token the page asks for it, says when it is wrong, and remembers it."""

from __future__ import annotations

from pathlib import Path

from browsing import OpenPage, StartStudio
from playwright.sync_api import expect
from tools.page import axe

TOKEN = "correct-horse-battery-staple-2026"  # noqa: S105 - of this test alone


def test_the_page_asks_for_the_token_and_says_when_it_is_wrong(
    open_page: OpenPage, start_studio: StartStudio
) -> None:
    studio = start_studio(token=TOKEN)
    watched = open_page(studio, "")
    watched.expect_trouble("401")
    page = watched.page
    expect(page.get_by_label("Token")).to_be_focused()
    expect(page.locator("#wrong")).to_be_hidden()
    page.get_by_label("Token").fill("not it")
    page.keyboard.press("Enter")
    expect(page.locator("#wrong")).to_be_visible()
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": axe.fetch().read_text("utf-8")})
    found = page.evaluate("axe.run()")["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#resting")).to_be_visible()
    page.reload()
    expect(page.locator("#resting")).to_be_visible()


def test_a_new_token_leads_an_open_page_to_the_login(
    open_page: OpenPage, start_studio: StartStudio, tmp_path: Path
) -> None:
    studio = start_studio(token=TOKEN)
    watched = open_page(studio, "")
    watched.expect_trouble("401", "ERR_INCOMPLETE_CHUNKED_ENCODING", "link preload")
    page = watched.page
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#resting")).to_be_visible()
    (tmp_path / "token").write_text(f"another-{TOKEN}")
    expect(page.get_by_label("Token")).to_be_focused(timeout=30_000)


def test_an_act_with_an_old_token_leads_to_the_login(
    open_page: OpenPage, start_studio: StartStudio
) -> None:
    studio = start_studio(token=TOKEN)
    watched = open_page(studio, "")
    watched.expect_trouble("401", "ERR_INCOMPLETE_CHUNKED_ENCODING", "link preload")
    page = watched.page
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#resting")).to_be_visible()
    page.context.clear_cookies()  # the stream is open still
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_label("Token")).to_be_focused()

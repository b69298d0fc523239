"""Names, prompts, styles and reasons are text, whatever they look like."""

from __future__ import annotations

import pytest
from browsing import OpenPage, Studio, Watched
from playwright.sync_api import expect

ATTACK = "<img src=x onerror=alert(1)><script>alert(2)<⁄script><b id=evil>"
NAME = "<img src=x onerror=alert(3)>&lt;b&gt; \"'` javascript:alert(4)"


def assert_harmless(watched: Watched) -> None:
    """Nothing of it became an element; dialogs and policy violations fail by themselves."""
    found = watched.page.evaluate(
        "[document.querySelectorAll('#evil, [onerror], main script, a[href^=javascript]').length,"
        " [...document.images].filter((one) => one.getAttribute('src') === 'x').length]"
    )
    assert found == [0, 0]


@pytest.fixture(scope="module")
def attacked(studio: Studio) -> Studio:
    """A result, a failure and a waiting file with hostile names and texts."""
    studio.drop(NAME, f"prompt: {ATTACK!r}\nstyle: [{ATTACK!r}, plain]\nseed: 1\n")
    studio.drop(f"{NAME} fails", f"prompt: ok\n{ATTACK!r}: 1\n")
    studio.served.wait_served(2)
    return studio


@pytest.mark.parametrize("view", ["#now", "#results", "#failures", "#drop"])
def test_hostile_names_and_prompts_stay_text(
    open_page: OpenPage, attacked: Studio, view: str
) -> None:
    (attacked.served.inbox / f"{ATTACK.replace('/', '_')[:80]}.yaml").write_text("prompt: x\n")
    watched = open_page(attacked, view)
    seen = {"#results": "#gallery .tile-prompt", "#failures": ".failure", "#now": "#latest li",
            "#drop": "#field-prompt"}[view]  # fmt: skip
    expect(watched.page.locator(seen).first).to_be_visible()
    if view == "#results":
        expect(watched.page.locator(seen)).to_contain_text("<img src=x onerror=alert(1)>")
        expect(watched.page.locator(".tile-name")).to_contain_text("<img src=x onerror=alert(3)>")
    if view == "#failures":
        expect(watched.page.locator(".failure")).to_contain_text("<img src=x")
    watched.page.wait_for_load_state("networkidle" if view == "#drop" else "load")
    assert_harmless(watched)


def test_a_hostile_job_opens_as_text(open_page: OpenPage, attacked: Studio) -> None:
    watched = open_page(attacked, f"#job/{attacked.job(f'{NAME}.png')}")
    page = watched.page
    expect(page.locator("#title-job")).to_have_text(f"{NAME}.png")
    expect(page.locator(".job-prompt")).to_contain_text(ATTACK)
    page.get_by_role("button", name="Compare").click()
    for fold in page.locator("summary").all():
        fold.click()
    assert_harmless(watched)


def test_a_hostile_address_opens_nothing(open_page: OpenPage, attacked: Studio) -> None:
    watched = open_page(attacked, "#job/%3Cimg%20src=x%20onerror=alert(1)%3E")
    watched.expect_trouble("404")
    expect(watched.page.locator("#title-job")).to_have_text("No such job")
    assert_harmless(watched)


def test_the_watch_itself_would_notice(open_page: OpenPage, attacked: Studio) -> None:
    watched = open_page(attacked, "#now")
    watched.page.evaluate(
        "document.querySelector('main').append(document.createRange()"
        ".createContextualFragment('<img src=x onerror=alert(1) id=evil>'))"
    )
    watched.until("window.violations.length > 0 || document.querySelector('#evil')")
    with pytest.raises(AssertionError):
        assert_harmless(watched)
    watched.page.evaluate("document.querySelector('#evil').remove()")
    watched.expect_trouble("content security policy", "Content Security Policy", "404")

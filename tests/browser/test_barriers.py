"""axe-core finds no serious barrier in any view, light and dark; phones and walls of pixels fit."""

from __future__ import annotations

import pytest
from browsing import OpenPage, Studio, Watched
from playwright.sync_api import expect
from tools.page import axe

BAD = ("serious", "critical")
VIEWS = {
    "now": "#resting, .work, #queue li",
    "results": "#gallery img",
    "failures": ".failure",
    "drop": "#field-prompt",
    "picture": ".compare",
    "sweep": ".morph",
}


@pytest.fixture(scope="module")
def filled(studio: Studio) -> Studio:
    """Something in every view."""
    studio.serve(
        single="prompt: a house\n", morph="prompt: a lake\nsweep: {strength: [0.3, 0.6]}\n"
    )
    studio.serve(broken="prompt: a lake\nstrenght: 1\n")
    return studio


def open_view(open_page: OpenPage, studio: Studio, view: str, **options: object) -> Watched:
    """A view with what it shows."""
    jobs = {"picture": "single.png", "sweep": "morph.png"}
    address = f"#job/{studio.job(jobs[view])}" if view in jobs else f"#{view}"
    watched = open_page(studio, address, **options)
    expect(watched.page.locator(VIEWS[view]).first).to_be_visible()
    return watched


def barriers(watched: Watched) -> list[str]:
    """What axe-core finds that is serious; it is run past the policy, as no page could run it."""
    session = watched.page.context.new_cdp_session(watched.page)
    session.send("Runtime.evaluate", {"expression": axe.fetch().read_text("utf-8")})
    found = watched.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        if one["impact"] in BAD
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(
    open_page: OpenPage, filled: Studio, view: str, scheme: str
) -> None:
    watched = open_view(open_page, filled, view, color_scheme=scheme, reduced_motion="reduce")
    if view == "drop":
        watched.page.get_by_text("More settings").first.click()
        watched.page.get_by_label("Sweep").check()
    assert barriers(watched) == []


def test_axe_would_find_something(open_page: OpenPage, filled: Studio) -> None:
    watched = open_view(open_page, filled, "now")
    watched.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any("button-name" in one for one in barriers(watched))


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_phone_never_scrolls_sideways(
    open_page: OpenPage, filled: Studio, view: str
) -> None:
    watched = open_view(
        open_page, filled, view,
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True,
    )  # fmt: skip
    width = watched.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360


def test_the_gallery_uses_the_room_of_a_large_screen(open_page: OpenPage, filled: Studio) -> None:
    columns: dict[int, int] = {}
    for width in (360, 1280, 3840):
        watched = open_view(open_page, filled, "results", viewport={"width": width, "height": 1000})
        columns[width] = watched.page.evaluate(
            "Math.round(document.querySelector('#gallery').clientWidth"
            " / document.querySelector('.tile').getBoundingClientRect().width - 0.3)"
        )
    assert columns[360] == 2
    assert 4 <= columns[1280] < columns[3840]


def test_colours_follow_the_system_until_somebody_chooses(
    open_page: OpenPage, filled: Studio
) -> None:
    page = open_view(open_page, filled, "now", color_scheme="dark").page
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Colours: as the system's").click()
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Colours: light")).to_be_visible()
    assert page.evaluate(paper) == light
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(paper) == dark


def test_tab_comes_to_everything_and_the_focus_is_seen(open_page: OpenPage, filled: Studio) -> None:
    page = open_view(open_page, filled, "results").page
    page.evaluate("document.activeElement.blur()")
    seen: list[str] = []
    for _ in range(12):
        page.keyboard.press("Tab")
        outline, what = page.evaluate(
            "(() => { const one = document.activeElement; const style = getComputedStyle(one);"
            " return [style.outlineStyle, one.id || one.dataset.view || one.className"
            " || one.getAttribute('href')]; })()"
        )
        assert outline != "none", what
        seen.append(what)
        if str(what).startswith("#job"):
            break
    assert {"skip", "now", "results", "failures", "drop", "theme", "search"} <= set(seen)
    assert seen[-1].startswith("#job")

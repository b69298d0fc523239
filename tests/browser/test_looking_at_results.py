"""Looking at results: the gallery, the slider, the scrubber; with mouse, finger and keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import OpenPage, Studio, Watched
from playwright.sync_api import expect
from tools.page.chromium import wait_for

SWEEP = "prompt: a lake\nsweep: {strength: {from: 0.1, to: 0.9, step: 0.1}}\nseed: 1\n"
STYLES = "prompt: a boat\nstyle: [turner, hokusai]\nsweep: {strength: [0.2, 0.5, 0.8]}\nseed: 1\n"


@pytest.fixture(scope="module")
def painted(studio: Studio) -> Iterator[Studio]:
    """Three results: one picture, a sweep, and a sweep in two styles."""
    studio.serve(single="prompt: a house in the hills\nseed: 7\n")
    studio.serve(morph=SWEEP)
    studio.serve(styles=STYLES)
    return studio


def cut(watched: Watched) -> float:
    """Where the line between before and after is, in percent."""
    text = watched.page.locator(".compare").evaluate("node => node.style.getPropertyValue('--cut')")
    return float(str(text).rstrip("%"))


def open_job(open_page: OpenPage, studio: Studio, picture: str, **options: object) -> Watched:
    """The view of a picture's job."""
    watched = open_page(studio, f"#job/{studio.job(picture)}", **options)
    expect(watched.page.locator("#title-job")).to_have_text(picture)
    return watched


def test_the_newest_result_comes_first(open_page: OpenPage, painted: Studio) -> None:
    watched = open_page(painted, "#results")
    page = watched.page
    names = page.locator("#gallery .tile-name")
    expect(names).to_have_count(3)
    assert [text.partition(" ")[0] for text in names.all_text_contents()] == [
        "styles.png", "morph.png", "single.png",
    ]  # fmt: skip
    watched.until(
        "[...document.querySelectorAll('#gallery img')].every((one) => one.naturalWidth > 0)"
    )


def test_search_finds_names_and_prompts_and_keeps_its_address(
    open_page: OpenPage, painted: Studio
) -> None:
    page = open_page(painted, "#now").page
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("hills")
    expect(page.locator("#gallery .tile-name")).to_have_count(1)
    expect(page.locator("#results-count")).to_have_text("1 match")
    assert page.url.endswith("#results?q=hills")
    page.reload()
    expect(page.locator("#gallery .tile-name")).to_have_count(1)
    page.locator("#search").fill("nothing like it")
    expect(page.locator("#results-empty")).to_contain_text("Nothing like that")


def test_arrows_walk_the_gallery_and_enter_opens(open_page: OpenPage, painted: Studio) -> None:
    page = open_page(painted, "#results").page
    tiles = page.locator("#gallery a")
    expect(tiles).to_have_count(3)
    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("End")
    expect(tiles.nth(2)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#title-job")).to_have_text("styles.png")
    page.go_back()
    expect(page.locator("#view-results")).to_be_visible()


def test_arrows_step_to_the_neighbours_and_escape_closes(
    open_page: OpenPage, painted: Studio
) -> None:
    watched = open_job(open_page, painted, "morph.png")
    page, title = watched.page, watched.page.locator("#title-job")
    expect(page.locator("#older")).to_be_enabled()
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("single.png")
    expect(page.locator("#older")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("morph.png")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("styles.png")
    page.keyboard.press("Escape")
    expect(page.locator("#view-results")).to_be_visible()


def test_the_slider_follows_the_mouse(open_page: OpenPage, painted: Studio) -> None:
    watched = open_job(open_page, painted, "single.png")
    box = watched.page.locator(".compare").bounding_box()
    assert box is not None
    assert cut(watched) == 50
    middle = box["y"] + box["height"] / 2
    watched.page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    watched.page.mouse.down()
    watched.page.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=4)
    assert cut(watched) == pytest.approx(20, abs=1)
    watched.page.mouse.up()
    watched.page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    assert cut(watched) == pytest.approx(20, abs=1), "it moved without being pressed"


def test_the_slider_follows_a_finger(open_page: OpenPage, painted: Studio) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    watched = open_job(open_page, painted, "single.png", **phone)
    watched.touch(watched.page.locator(".compare"), (0.5, 0.5), (0.6, 0.5), (0.75, 0.5))
    assert cut(watched) == pytest.approx(75, abs=2)


def test_the_slider_moves_by_keys_and_says_where_it_is(
    open_page: OpenPage, painted: Studio
) -> None:
    watched = open_job(open_page, painted, "single.png")
    slider = watched.page.get_by_role("slider", name="Before and after")
    slider.focus()
    watched.page.keyboard.press("ArrowLeft")
    assert cut(watched) == 49
    watched.page.keyboard.press("End")
    assert cut(watched) == 100
    expect(slider).to_have_attribute("aria-valuetext", "100 percent before, 0 percent after")
    expect(watched.page.locator("#title-job")).to_have_text("single.png")


def test_the_scrubber_follows_the_mouse_over_the_picture(
    open_page: OpenPage, painted: Studio
) -> None:
    watched = open_job(open_page, painted, "morph.png")
    page, canvas = watched.page, watched.page.locator(".morph")
    box = canvas.bounding_box()
    assert box is not None
    sources: list[str] = []
    for part, label in ((0.02, "strength 0.1"), (0.5, "strength 0.5"), (0.98, "strength 0.9")):
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 100)
        expect(page.locator(".morph-value")).to_have_text(label)
        sources.append(str(canvas.locator("img").get_attribute("src")))
    assert len(set(sources)) == 3, "the picture did not change"


def test_the_scrubber_follows_a_finger(open_page: OpenPage, painted: Studio) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    watched = open_job(open_page, painted, "morph.png", **phone)
    watched.touch(watched.page.locator(".morph"), (0.5, 0.5), (0.7, 0.5), (0.97, 0.5))
    expect(watched.page.locator(".morph-value")).to_have_text("strength 0.9")


def test_the_scrubber_moves_by_keys_plays_and_says_its_value(
    open_page: OpenPage, painted: Studio
) -> None:
    watched = open_job(open_page, painted, "morph.png")
    page = watched.page
    slider = page.get_by_role("slider", name="Move through the sweep")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "strength 0.1")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "strength 0.2")
    page.get_by_role("button", name="Play").click()
    # Each is there for a moment only: looked for more often than expect() does.
    wait_for(page, "document.querySelector('.morph-value').textContent === 'strength 0.9'")
    page.get_by_role("button", name="Stop").click()
    page.keyboard.press("Escape")
    expect(page.locator("#view-results")).to_be_visible()


def test_a_sweep_in_styles_offers_each_morph(open_page: OpenPage, painted: Studio) -> None:
    watched = open_job(open_page, painted, "styles.png")
    page = watched.page
    picker = page.get_by_role("group", name="Which morph")
    expect(picker.get_by_role("button")).to_have_text(["turner", "hokusai"])
    page.get_by_role("slider", name="Move through the sweep").focus()
    page.keyboard.press("Home")
    first = page.locator(".morph img").get_attribute("src")
    picker.get_by_role("button", name="hokusai").click()
    expect(page.locator(".morph-value")).to_contain_text("0.2")
    assert page.locator(".morph img").get_attribute("src") != first
    page.locator("[data-mode=sheet]").click()
    watched.until("document.querySelector('.canvas img').naturalWidth > 0")
    page.locator("[data-mode=animation]").click()
    watched.until("document.querySelector('.canvas img').naturalWidth > 0")


def test_one_click_copies_the_sidecar(open_page: OpenPage, painted: Studio) -> None:
    watched = open_job(
        open_page, painted, "single.png", permissions=["clipboard-read", "clipboard-write"]
    )
    watched.page.get_by_role("button", name="Copy sidecar").click()
    expect(watched.page.locator(".toast")).to_contain_text("copied")
    copied = watched.page.evaluate("navigator.clipboard.readText()")
    assert "prompt: a house in the hills" in copied
    assert "seed: 7" in copied


def test_a_job_that_is_not_there_says_so(open_page: OpenPage, painted: Studio) -> None:
    watched = open_page(painted, "#job/nothing")
    watched.expect_trouble("404")
    expect(watched.page.locator("#title-job")).to_have_text("No such job")


def test_what_is_new_moves_nothing_that_one_looks_at(open_page: OpenPage, painted: Studio) -> None:
    watched = open_page(painted, "#results")
    page = watched.page
    tiles = page.locator("#gallery a")
    expect(tiles).to_have_count(3)
    tiles.nth(1).focus()
    before = tiles.nth(1).bounding_box()
    painted.serve(newcomer="prompt: a new one\n")
    fresh = page.get_by_role("button", name="1 new picture at the top")
    expect(fresh).to_be_visible()
    expect(tiles.nth(1)).to_be_focused()
    assert tiles.nth(1).bounding_box() == before
    fresh.click()
    expect(page.locator("#gallery .tile-name").first).to_contain_text("newcomer.png")

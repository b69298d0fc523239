"""Adding pictures: the form of the sidecar, what it would make, sending, and seeing it served."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from browsing import OpenPage, Studio
from PIL import Image
from playwright.sync_api import Page, expect

DROP_ONE = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const moved = new DataTransfer();
  moved.items.add(new File([bytes], name, { type: 'image/png' }));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const event = new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: moved });
    document.body.dispatchEvent(event);
  }
}"""


def png() -> bytes:
    """A small picture."""
    made = io.BytesIO()
    Image.new("RGB", (96, 64), (200, 90, 60)).save(made, "PNG")
    return made.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three small pictures."""
    paths = [tmp_path / f"{name}.png" for name in ("rose", "tulip", "fern")]
    for path in paths:
        path.write_bytes(png())
    return paths


def row(page: Page, name: str):
    """The row of a picture that is sent."""
    return page.locator(".picked li", has_text=name)


def test_chosen_pictures_are_sent_and_served(
    open_page: OpenPage, studio: Studio, pictures: list[Path]
) -> None:
    page = open_page(studio, "#drop").page
    page.locator("input[type=file]").set_input_files(pictures)
    page.get_by_label("Prompt", exact=True).fill("a garden in spring")
    page.get_by_label("Strength").fill("0.6")
    page.get_by_label("Seed").fill("12")
    expect(page.locator(".made")).to_contain_text("Each picture gives 1 picture.")
    page.get_by_text("The sidecar that is written").click()
    expect(page.locator(".made pre")).to_contain_text("strength: 0.6")
    page.get_by_role("button", name="Send 3 pictures").click()
    for name in ("rose", "tulip", "fern"):
        expect(row(page, name)).to_contain_text("Painted.", timeout=30_000)
    row(page, "tulip").get_by_role("link", name="See it").click()
    expect(page.locator("#title-job")).to_have_text("tulip.png")
    settings = page.locator(".settings").first
    expect(settings).to_contain_text("0.6")
    expect(settings).to_contain_text("12")


def test_a_picture_dropped_anywhere_opens_the_form(open_page: OpenPage, studio: Studio) -> None:
    watched = open_page(studio, "#now")
    page = watched.page
    watched.until("document.querySelector('#resting h2')")
    page.evaluate(DROP_ONE, ["dropped.png", base64.b64encode(png()).decode()])
    expect(page.locator("#view-drop")).to_be_visible()
    expect(row(page, "dropped.png")).to_be_visible()
    expect(page.locator("#veil")).to_be_hidden()
    watched.until("document.querySelector('.picked img').naturalWidth === 96")
    row(page, "dropped.png").get_by_role("button", name="Take dropped.png away").click()
    expect(page.locator(".picked li")).to_have_count(0)


def test_problems_stand_beside_their_fields(
    open_page: OpenPage, studio: Studio, pictures: list[Path]
) -> None:
    watched = open_page(studio, "#drop")
    watched.expect_trouble("422")
    page = watched.page
    page.locator("input[type=file]").set_input_files(pictures[:1])
    seed = page.get_by_label("Seed")
    seed.fill("-4")
    problem = page.locator("#field-seed-problem")
    expect(problem).to_be_visible()
    expect(seed).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#field-prompt-problem")).to_be_hidden()
    seed.fill("4")
    expect(problem).to_be_hidden()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#field-prompt-problem")).to_be_visible()
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    page.get_by_label("Prompt", exact=True).fill("a rose")
    expect(page.locator("#field-prompt-problem")).to_be_hidden()


def test_a_sweep_is_a_box_to_tick(
    open_page: OpenPage, studio: Studio, pictures: list[Path]
) -> None:
    page = open_page(studio, "#drop").page
    page.get_by_label("Prompt", exact=True).fill("a fern")
    page.get_by_label("Sweep").check()
    page.get_by_label("From", exact=True).fill("0.2")
    page.get_by_label("To", exact=True).fill("0.8")
    page.get_by_label("Step", exact=True).fill("0.2")
    expect(page.locator(".made")).to_contain_text("Each picture gives 4 pictures.")
    expect(page.get_by_label("Strength")).to_be_disabled()
    page.get_by_label("Step", exact=True).fill("0")
    expect(page.locator("#field-sweep-problem")).to_be_visible()


def test_what_is_no_picture_is_refused_at_once(
    open_page: OpenPage, studio: Studio, tmp_path: Path
) -> None:
    page = open_page(studio, "#drop").page
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"words")
    page.locator("input[type=file]").set_input_files(letter)
    expect(row(page, "letter.docx")).to_contain_text("no picture")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()


def test_every_key_of_a_sidecar_has_a_field(open_page: OpenPage, studio: Studio) -> None:
    page = open_page(studio, "#drop").page
    expect(page.locator("[data-key=prompt]")).to_be_visible()
    shown = page.evaluate(
        "[...document.querySelectorAll('[data-key]')].map((one) => one.dataset.key)"
    )
    told = page.evaluate("fetch('/api/drop').then((one) => one.json())")
    assert set(told["schema"]["properties"]) - set(shown) == {"images"}

"""Pictures of the page for the docs: a real run of the embedded model, looked at with Chromium.

``python -m tools.page.pictures [FOLDER] [--all] [--root DIR]`` serves the demo's sketches and
writes ``page-VIEW-LOOK.webp``. It takes some minutes, which the painting needs, unless the root was
painted before. ``--all`` takes every view in every look; the docs hold fewer.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page
from tools.page import showcase
from tools.page.chromium import chromium, wait_for
from tools.ports import free_port

from img2imgd.sketches import SKETCHES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LONGEST = 15 * 60  # seconds that the painting may take
QUALITY = 82
_IN_SIGHT = """[...document.images].every((one) => one.complete || !one.src
  || one.getBoundingClientRect().top > innerHeight || one.getBoundingClientRect().left > innerWidth
  || one.getBoundingClientRect().right < 0 || !one.checkVisibility())"""
AT_WORK = (  # what is being painted while the view of now is looked at
    showcase.Drop("evening at the lake", "hills", showcase.MORPH.sidecar.replace("187", "21")),
    showcase.Drop("old bridge", "bridge", "prompt: an oil painting of a stone bridge over a river "
                  "at sunset\nstrength: 0.72\nguidance_scale: 6\n"),
    showcase.Drop("windy coast", "lighthouse", "prompt: a watercolour of a lighthouse by the sea\n"
                  "n: 6\nstrength: 0.7\nguidance_scale: 6\n"),
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A kind of screen; pictures are written ``width`` pixels wide."""

    size: tuple[int, int]
    width: int
    options: dict[str, Any] = field(default_factory=dict[str, Any])


_PHONE = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2}
LOOKS = {
    "light": Look((1360, 850), 1360, {"color_scheme": "light"}),
    "dark": Look((1360, 850), 1360, {"color_scheme": "dark"}),
    "phone": Look((390, 844), 585, {"color_scheme": "light", **_PHONE}),
    "phone-dark": Look((390, 844), 585, {"color_scheme": "dark", **_PHONE}),
    "4k": Look((3840, 2160), 1920, {"color_scheme": "light"}),
}
IN_DOCS = {
    "now": ("light", "dark", "phone"),
    "results": ("light", "dark", "phone", "4k"),
    "picture": ("light", "dark"),
    "sweep": ("light", "dark", "phone"),
    "sheet": ("light",),
    "failures": ("light", "phone"),
    "drop": ("light", "dark", "phone"),
}


@dataclass(frozen=True)
class Studio:
    """The daemon that is looked at."""

    root: Path
    url: str

    def ask(self, path: str) -> Any:
        """A JSON answer of the page."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def job(self, text: str) -> str:
        """The newest job of which name or prompt holds a text."""
        found: str = self.ask(f"/api/results?q={text.replace(' ', '+')}")["items"][0]["id"]
        return found

    def wait(self, condition: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Until the daemon says so."""
        deadline = time.monotonic() + LONGEST
        while not condition(self.ask("/api/now")):
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            time.sleep(0.5)


@contextmanager
def running(folder: Path) -> Iterator[Studio]:
    """A daemon with a page."""
    port = free_port()
    config = showcase.write_config(folder, port)
    program = str(Path(sys.executable).with_name("img2imgd"))
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([program, "run", "-c", config], stderr=log)  # noqa: S603
    try:
        studio = Studio(folder / "studio", f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > deadline:
                raise TimeoutError((folder / "log").read_text())
            time.sleep(0.2)
        yield studio
    finally:
        daemon.terminate()
        daemon.wait(60)


def views(studio: Studio, sketch: Path) -> dict[str, tuple[str, Callable[[Page], None]]]:
    """Each view's address, and what is done before its picture is taken."""

    def nothing(page: Page) -> None:
        page.mouse.move(0, 0)

    def fill(page: Page) -> None:
        page.locator("input[type=file]").set_input_files(sketch)
        page.get_by_label("Prompt", exact=True).fill("a watercolour of a castle on a hill at dawn")
        page.get_by_label("Sweep").check()
        page.get_by_label("Step", exact=True).fill("0.05")
        page.get_by_text("Each picture gives").wait_for()
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")

    def scrub(page: Page) -> None:
        slider = page.get_by_role("slider", name="Move through the sweep")
        slider.fill("19")
        page.evaluate("document.activeElement.blur()")

    def sheet(page: Page) -> None:
        page.locator("[data-mode=sheet]").click()

    picture = f"#job/{studio.job('balloon-06')}"
    sweep = f"#job/{studio.job('mountain lake')}"
    return {
        "results": ("#results", nothing),
        "picture": (picture, nothing),
        "sweep": (sweep, scrub),
        "sheet": (sweep, sheet),
        "failures": ("#failures", nothing),
        "drop": ("#drop", fill),
    }


def take(
    browser: Browser, url: str, look: Look, path: Path, before: Callable[[Page], None]
) -> None:
    """One picture."""
    size = {"width": look.size[0], "height": look.size[1]}
    context = browser.new_context(viewport=size, reduced_motion="reduce", **look.options)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(1500)
    before(page)
    wait_for(page, _IN_SIGHT)
    page.wait_for_timeout(600)
    shot = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    shot.thumbnail((look.width, 10_000), Image.Resampling.LANCZOS)
    shot.convert("RGB").save(path, quality=QUALITY, method=6)
    print(f"{path}  {path.stat().st_size // 1000} kB", flush=True)


def main() -> None:
    """Serve, look, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=DOCS)
    parser.add_argument("--all", action="store_true", help="every view in every look")
    parser.add_argument("--root", type=Path, help="a folder to paint in, or one painted in before")
    parser.add_argument("--only", choices=IN_DOCS, help="one view")
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        view: tuple(LOOKS) if told.all else looks
        for view, looks in IN_DOCS.items()
        if told.only in (None, view)
    }
    with tempfile.TemporaryDirectory(prefix="img2imgd-page-") as name, chromium() as browser:
        folder: Path = told.root or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        sketch = folder / "castle from the sketchbook.png"
        SKETCHES["castle"]().save(sketch)
        with running(folder) as studio:
            inbox = studio.root / "inbox"
            drops = [*showcase.singles(24), showcase.STYLES, showcase.MORPHS, showcase.MORPH]
            if not studio.ask("/api/results")["total"]:
                for drop in (*drops, *showcase.BROKEN):
                    drop.into(inbox)
            studio.wait(lambda now: now["counts"].get("done", 0) >= len(drops), "painting")
            for view, (address, before) in views(studio, sketch).items():
                for look in wanted.get(view, ()):
                    path = told.folder / f"page-{view}-{look}.webp"
                    take(browser, f"{studio.url}/{address}", LOOKS[look], path, before)
            _take_now(browser, studio, told.folder, wanted.get("now", ()))


def _take_now(browser: Browser, studio: Studio, folder: Path, looks: tuple[str, ...]) -> None:
    """While something is painted that can be seen already."""
    if not looks:
        return
    for drop in AT_WORK if studio.ask("/api/now")["counts"].get("queued", 0) == 0 else ():
        drop.into(studio.root / "inbox")
    (studio.root / "inbox" / "tomorrow.yaml").write_text("prompt: a castle in the fog\n")
    with_page = browser.new_context()  # somebody has to look, else nothing is shown
    with_page.new_page().goto(f"{studio.url}/#now")
    studio.wait(
        lambda now: (
            sum(bool(one["preview"]) for one in now["running"]) > 1
            or any(one["steps_done"] > one["steps"] / 2 for one in now["running"])
        ),
        "previews",
    )
    for look in looks:
        path = folder / f"page-now-{look}.webp"
        take(browser, f"{studio.url}/#now", LOOKS[look], path, lambda _: None)
    with_page.close()


if __name__ == "__main__":
    main()

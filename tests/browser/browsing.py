"""A daemon with its page, and a window that writes down what goes wrong in it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import CDPSession, ConsoleMessage, Locator, Page
from served_root import RunningDaemon, ServedRoot
from tools.ports import free_port

from img2imgd.sketches import SKETCHES
from waiting import wait_until

_LISTEN_FOR_CSP = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(event.violatedDirective + ' ' + event.blockedURI));
"""


def _nothing(root: Path) -> None:
    """What most roots hold before."""


@dataclass
class Studio:
    """A root that is served, with its page."""

    served: ServedRoot
    port: int
    daemon: RunningDaemon

    @classmethod
    @contextmanager
    def running(
        cls,
        folder: Path,
        *,
        backend: str = "fake",
        token: str = "",
        prepare: Callable[[Path], object] = _nothing,
        **waits: float,
    ) -> Iterator[Studio]:
        """Start a daemon below this folder.

        ``prepare`` makes what the root holds before.
        """
        served = ServedRoot(folder / "root", folder / "config.yaml")
        port = free_port()
        status = f'listen: "127.0.0.1:{port}"'
        if token:
            (folder / "token").write_text(token)
            (folder / "token").chmod(0o600)
            status += f", token_file: {folder / 'token'}"
        served.write_config(backend=backend, extra=f"status: {{{status}}}\n", **waits)
        prepare(served.path)
        studio = cls(served, port, served.start())
        try:
            wait_until(studio.answers, "the page answers")
            yield studio
        finally:
            for daemon in served.daemons:
                if daemon.process.poll() is None:
                    daemon.process.kill()
                daemon.process.wait(10)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """True when something listens."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def drop(self, name: str, sidecar: str, sketch: str = "house") -> None:
        """A sketch with its sidecar."""
        picture = self.served.inbox / f"{name}.png"
        SKETCHES[sketch]().resize((96, 96)).save(picture)
        (self.served.inbox / f"{name}.yaml").write_text(sidecar, encoding="utf-8")

    def serve(self, **sidecars: str) -> None:
        """Drop several, and wait until they have ended."""
        before = len(self.served.jobs())
        for name, sidecar in sidecars.items():
            self.drop(name.replace("_", " "), sidecar)
        self.served.wait_served(before + len(sidecars))

    def job(self, picture: str) -> str:
        """The id of the newest job of a picture."""
        return next(row.id for row in reversed(self.served.jobs()) if row.spec.rel == picture)


@dataclass
class Watched:
    """A window, and everything that went wrong in it."""

    page: Page
    troubles: list[str] = field(default_factory=lambda: list[str]())
    expected: tuple[str, ...] = ()
    patience: float = 20.0  # seconds

    @classmethod
    def on(cls, page: Page) -> Watched:
        """Begin to watch."""
        watched = cls(page)
        page.set_default_timeout(15_000)
        page.add_init_script(_LISTEN_FOR_CSP)
        page.on("console", watched._heard)
        page.on("pageerror", lambda error: watched.troubles.append(f"error: {error}"))

        def refuse(dialog: object) -> None:
            watched.troubles.append("a dialog was opened")
            dialog.dismiss()  # type: ignore[attr-defined]

        page.on("dialog", refuse)
        return watched

    def expect_trouble(self, *parts: str) -> None:
        """Console messages with one of these parts are what the test is about."""
        self.expected += parts

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console: {message.text} ({message.location.get('url')})")

    def end(self) -> list[str]:
        """Close the window; what went wrong."""
        if not self.page.is_closed():
            found = self.page.evaluate("window.violations")
            self.troubles += [f"content security policy: {one}" for one in found]
        self.page.context.close()
        return [one for one in self.troubles if not any(part in one for part in self.expected)]

    def until(self, expression: str, argument: object = None) -> None:
        """Wait until JavaScript says true.

        It is asked from outside: polling within the page is evaluation, which the policy forbids.
        """
        wait_until(lambda: self.page.evaluate(expression, argument), expression, self.patience)

    def touch(self, target: Locator, *points: tuple[float, float]) -> None:
        """A finger that goes down at the first point, over the others, and up.

        Points are parts of the target's width and height.
        """
        box = target.bounding_box()
        assert box is not None
        at = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points
        ]
        session: CDPSession = self.page.context.new_cdp_session(self.page)
        for number, point in enumerate(at):
            kind = "touchMove" if number else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()


OpenPage = Callable[..., Watched]  # open_page(studio, "#results", **options of a browser context)
StartStudio = Callable[..., Studio]

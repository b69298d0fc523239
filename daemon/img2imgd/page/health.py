"""``/healthz``, ``/readyz`` and ``/metrics``: for what watches over the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.page.books import Books
from img2imgd.page.prometheus import CONTENT_TYPE, Exposition
from img2imgd.page.work import Work

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Health:
    """The routes. ``ailing`` says which parts show no sign of life, empty while all do.

    ``looked`` is True once every inbox was scanned. ``listeners`` counts who listens to events.
    """

    config: Callable[[], Config]
    books: Books
    work: Work
    ailing: Callable[[], str]
    looked: Callable[[], bool]
    listeners: Callable[[], int]

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/healthz", self.healthy),
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
        ]

    async def healthy(self, request: Request) -> Response:
        """200 while all parts of the daemon live; what they wait for is another matter."""
        del request
        return _told(self.ailing())

    async def ready(self, request: Request) -> Response:
        """200 while drops are claimed and painted; a pause that somebody asked for is said."""
        del request
        reason = self.ailing()
        if not reason and not self.looked():
            reason = "The inboxes are looked through for the first time."
        if reason:
            return _told(reason)
        try:
            reason, paused = await self.work.run(self._held_up)
        except (EnvironmentFault, LedgerDamaged) as fault:
            reason, paused = str(fault), False
        return _told(reason, "painting is paused" if paused else "ok")

    async def metrics(self, request: Request) -> Response:
        """Numbers in Prometheus' words."""
        del request
        exposition = Exposition(self.config(), self.books, self.listeners())
        return Response(
            await self.work.run(exposition.text), 200, _NO_STORE, media_type=CONTENT_TYPE
        )

    def _held_up(self) -> tuple[str, bool]:
        with self.books.reading() as ledger:
            away = [f"{inbox}: {why}" for inbox, why in ledger.unavailable().items() if why]
            reasons = [*away, ledger.facts().get("waits_for", "")]
            return "\n".join(filter(None, reasons)), ledger.paused_since is not None


def _told(reason: str, fine: str = "ok") -> Response:
    """Plain text: fine, or 503 and why not."""
    text = reason.encode("utf-8", "backslashreplace").decode() or fine
    return Response(f"{text}\n", 503 if reason else 200, _NO_STORE, media_type="text/plain")

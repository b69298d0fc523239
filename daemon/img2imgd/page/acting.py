"""The routes that give orders: through the ledger, as the commands do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from img2imgd.job import JobState
from img2imgd.ledger import Ledger, why_not_cancelled
from img2imgd.page.answers import Refused, json_answer
from img2imgd.page.bodies import read_body
from img2imgd.page.books import Books
from img2imgd.page.inputs import why_no_retry
from img2imgd.page.work import Work

_DONE: dict[str, str] = {}
_MOST_BODY = 4_096  # bytes: nothing of it is needed
_CHUNK = 500


@dataclass(frozen=True)
class Acting:
    """What the acting routes need. ``wake`` has the daemon look at its orders at once."""

    books: Books
    work: Work
    wake: Callable[[], None]

    def routes(self) -> list[Route]:
        """The routes."""
        acts: dict[str, Callable[[Ledger, str], None]] = {
            "/api/jobs/{job}/retry": _retry,
            "/api/jobs/{job}/cancel": _cancel,
            "/api/retry-failed": _retry_failed,
            "/api/pause": lambda ledger, _: ledger.set_paused(True),
            "/api/resume": lambda ledger, _: ledger.set_paused(False),
        }
        return [Route(path, self._route(act), methods=["POST"]) for path, act in acts.items()]

    def _route(self, act: Callable[[Ledger, str], None]) -> Callable[[Request], object]:
        async def route(request: Request) -> Response:
            await read_body(request, _MOST_BODY)
            await self.work.run(self._act, act, request.path_params.get("job", ""))
            self.wake()
            return json_answer(_DONE, 202)

        return route

    def _act(self, act: Callable[[Ledger, str], None], job: str) -> None:
        with self.books.writing() as ledger:
            act(ledger, job)


def _retry(ledger: Ledger, job: str) -> None:
    row = ledger.job(job)
    if row is None:
        raise Refused(404, "There is no such job.")
    if why := why_no_retry(row):
        raise Refused(409, f"It cannot be tried again. {why}")
    ledger.give_order("retry", job)


def _cancel(ledger: Ledger, job: str) -> None:
    row = ledger.job(job)
    if row is None:
        raise Refused(404, "There is no such job.")
    if why := why_not_cancelled(row):
        raise Refused(409, f"It cannot be cancelled. {why}")
    ledger.give_order("cancel", job)


def _retry_failed(ledger: Ledger, _: str) -> None:
    """All that failed; not those that somebody cancelled."""
    before = None
    while True:
        page = ledger.ended("failures", _CHUNK, before)
        failed = [row for row in page.jobs if row.state is JobState.FAILED]
        ledger.give_order("retry", *(row.id for row in failed if not why_no_retry(row)))
        before = page.next
        if before is None:
            return

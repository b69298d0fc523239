"""Answers of the page: JSON, and errors in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from img2imgd.page.wire import ProblemView, Refusal, to_json

_JSON = "application/json"


class Refused(Exception):
    """A request that is not done; says why, to a person, with an HTTP status."""

    def __init__(
        self,
        status: int,
        error: str,
        advice: str = "",
        problems: tuple[ProblemView, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.refusal = Refusal(error, advice, problems)
        self.headers = dict(headers or {})

    @property
    def answer(self) -> Response:
        """As an answer."""
        return json_answer(self.refusal, self.status, self.headers)


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON, which nobody keeps."""
    return Response(
        to_json(value), status, {"Cache-Control": "no-store", **(headers or {})}, media_type=_JSON
    )


def number_of(text: str) -> int | None:
    """A number as it comes in an address or a form, of at most nine digits; None for what is none.

    What is longer names nothing here, and Python refuses to read what is much longer.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None

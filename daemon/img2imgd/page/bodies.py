"""Bodies of requests: small ones whole, large ones piece by piece, slow ones not for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from img2imgd.page.answers import Refused

MOST_JSON = 256 * 1024  # bytes
_WHOLE_SECONDS = 15.0  # for a small body
_PIECE_SECONDS = 30.0  # until the next piece of a large one


async def read_body(request: Request, most: int) -> bytes:
    """The whole body.

    Raises:
        Refused: it is larger, or does not come.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_WHOLE_SECONDS), aclosing(pieces(request)) as parts:
            async for piece in parts:
                body += piece
                if len(body) > most:
                    raise Refused(413, f"More than {most:,} bytes are not taken here.")
    except TimeoutError:
        raise Refused(408, "The rest of the request did not come.") from None
    return bytes(body)


async def read_json(request: Request) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Refused: it is none.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "This takes JSON.", "Send `Content-Type: application/json`.")
    return json_object(await read_body(request, MOST_JSON))


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8.

    Raises:
        Refused: it is none.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # JSON may hold halves of characters
    except (ValueError, RecursionError):
        raise Refused(400, "That is not JSON as it is needed here.") from None
    if not isinstance(value, dict):
        raise Refused(400, "A JSON object is needed here.")
    return cast("dict[str, Any]", value)


async def pieces(request: Request) -> AsyncGenerator[bytes]:
    """The body as it comes.

    Raises:
        Refused: the next piece does not come, or the client has gone.
    """
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(_PIECE_SECONDS):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise Refused(408, "The rest of the request did not come.") from None
            except ClientDisconnect:
                raise Refused(400, "The request was broken off.") from None
            if piece is None:
                return
            if piece:
                yield piece


def _no_constant(text: str) -> float:
    raise ValueError(text)  # NaN and Infinity are no JSON

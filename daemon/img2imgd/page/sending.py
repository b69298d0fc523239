"""Files on their way to a browser: whole, in part, or not again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from img2imgd.page.files import OpenFile, range_of
from img2imgd.page.work import Work

_BLOCK = 1 << 18  # bytes read at a time

FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"


async def send_file(
    request: Request,
    work: Work,
    found: OpenFile,
    kind: str,
    *,
    caching: str,
    tag: str | None = None,
    more: Mapping[str, str] | None = None,
) -> Response:
    """An open file, which is closed when it is sent. ``tag`` stands for its content."""
    size = found.status.st_size
    tag = tag or found.tag
    headers = {"ETag": tag, "Cache-Control": caching, "Accept-Ranges": "bytes", **(more or {})}
    if tag in _tags(request.headers.get("if-none-match", "")):
        found.file.close()
        return Response(status_code=304, headers=headers)
    start, end, status = 0, size, 200
    wanted = request.headers.get("range", "")
    if wanted and request.headers.get("if-range", tag) == tag:
        try:
            part = range_of(wanted, size)
        except ValueError:
            found.file.close()
            return Response(
                status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"}
            )
        if part is not None:
            start, end, status = *part, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        found.file.close()
        return Response(status_code=status, headers=headers, media_type=kind)
    return _Sending(work, found, (start, end), status, headers, kind)


class _Sending(StreamingResponse):
    """Closes the file whatever happens, also when nobody waits for its first byte any more."""

    def __init__(
        self,
        work: Work,
        found: OpenFile,
        part: tuple[int, int],
        status: int,
        headers: Mapping[str, str],
        kind: str,
    ) -> None:
        super().__init__(_blocks(work, found.file, *part), status, headers, media_type=kind)
        self._file = found.file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _blocks(work: Work, file: BinaryIO, start: int, end: int) -> AsyncGenerator[bytes]:
    file.seek(start)
    while start < end:
        block = await work.run(file.read, min(_BLOCK, end - start))
        if not block:
            return  # it was cut off meanwhile; the browser sees that bytes are missing
        start += len(block)
        yield block


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]

"""The routes of the drop zone: a form, its check, and the drop, which the inbox then finds."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from img2imgd import filesystems
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import shown
from img2imgd.page.answers import Refused, json_answer, number_of
from img2imgd.page.bodies import json_object, pieces, read_json
from img2imgd.page.books import Books
from img2imgd.page.dropping import Upload, picture_name
from img2imgd.page.form import Begin, End, FormReader
from img2imgd.page.settings import check, layers_of
from img2imgd.page.wire import Checked, DropForm, DropInbox, Dropped
from img2imgd.page.work import Work
from img2imgd.pairing.kinds import PICTURE_SUFFIXES
from img2imgd.request import json_schema, plain_keys
from img2imgd.upkeep.forgetting import is_ours

_MOST_FIELD = 256 * 1024  # bytes of a field that is no file
_MOST_UPLOADS = 8
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass
class _Drop:
    """What is known so far of the form that is being read."""

    fields: dict[str, bytes]
    name: str = ""
    inbox: InboxConfig | None = None
    checked: Checked | None = None
    upload: Upload | None = None


class DropZone:
    """The routes; ``config`` gives the one that holds now."""

    def __init__(self, config: Callable[[], Config], books: Books, work: Work) -> None:
        self._config = config
        self._books = books
        self._work = work
        self._uploads = 0

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/api/drop", self.form, methods=["GET"]),
            Route("/api/drop", self.drop, methods=["POST"]),
            Route("/api/check", self.check, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """What the form is made from."""
        del request
        return json_answer(await self._work.run(drop_form, self._config()))

    async def check(self, request: Request) -> Response:
        """What settings would make."""
        body = await read_json(request)
        config = self._config()
        inbox = _inbox(config, str(body.get("inbox", 0)))
        settings = body.get("settings")
        if not isinstance(settings, dict):
            raise Refused(400, "`settings` must be an object.")
        found = cast("dict[str, Any]", settings)
        return json_answer(await self._work.run(check, config, inbox, found))

    async def drop(self, request: Request) -> Response:
        """Take a picture with its settings."""
        if self._uploads >= _MOST_UPLOADS:
            raise Refused(429, "Too many pictures come at once.", "Wait a moment.",
                          headers={"Retry-After": "2"})  # fmt: skip
        self._uploads += 1
        drop = _Drop({})
        try:
            dropped = await self._take(request, drop)
        except OSError as error:
            raise _disk(error) from error
        finally:
            self._uploads -= 1
            if drop.upload is not None:
                await self._work.run(drop.upload.abandon)
        return json_answer(dropped, 201)

    async def _take(self, request: Request, drop: _Drop) -> Dropped:
        most = int(self._config().limits.max_file_mb * 1_000_000)
        length = number_of(request.headers.get("content-length", "")) or 0  # 0: it is not told
        if length > most + 2 * _MOST_FIELD:
            raise _too_large(most)
        reader = FormReader(request.headers.get("content-type", ""))
        field = ""
        async with aclosing(pieces(request)) as parts:
            async for piece in parts:
                for event in reader.feed(piece):
                    if isinstance(event, Begin):
                        field = event.field
                        if event.file is not None:
                            await self._begin_file(drop, event, length)
                        elif field in drop.fields or len(drop.fields) >= len(("inbox", "settings")):
                            raise Refused(400, "The form has fields that are not known here.")
                        else:
                            drop.fields[field] = b""
                    elif isinstance(event, End):
                        field = ""
                    elif drop.upload is not None and field == "picture":
                        if drop.upload.size + len(event) > most:
                            raise _too_large(most)
                        await self._work.run(drop.upload.write, event)
                    else:
                        _add(drop.fields, field, event)
        return await self._finish(drop, whole=reader.ended)

    async def _begin_file(self, drop: _Drop, begin: Begin, length: int) -> None:
        """All that can be refused is refused here, before the picture itself has come."""
        if begin.field != "picture" or drop.upload is not None:
            raise Refused(400, "The form must have one file, as its field `picture`.")
        if "inbox" not in drop.fields or "settings" not in drop.fields:
            raise Refused(400, "The fields `inbox` and `settings` must come before the picture.")
        config = self._config()
        name = picture_name(begin.file or b"")
        if name is None:
            raise Refused(
                415, "By its name that is no picture that is read here.",
                f"Kinds that are: {', '.join(sorted(PICTURE_SUFFIXES))}.",
            )  # fmt: skip
        inbox = _inbox(config, drop.fields["inbox"].decode("utf-8", "replace"))
        settings = json_object(drop.fields["settings"] or b"{}")
        checked = await self._work.run(check, config, inbox, settings)
        if checked.problems:
            raise Refused(422, "The settings cannot be used.", problems=checked.problems)
        drop.name, drop.inbox, drop.checked = name, inbox, checked
        drop.upload = await self._work.run(self._open, config, inbox, length)

    def _open(self, config: Config, inbox: InboxConfig, length: int) -> Upload:
        with self._books.reading() as ledger:
            if not is_ours(inbox.path, ledger):
                raise Refused(503, "The inbox is not there just now.", "See `now` on the page.")
        room = filesystems.free_bytes(inbox.path) - int(config.limits.min_free_gb * 1_000_000_000)
        if room < length:
            raise _full()
        return Upload(inbox.path)

    async def _finish(self, drop: _Drop, *, whole: bool) -> Dropped:
        if drop.upload is None or drop.checked is None or drop.inbox is None or not whole:
            raise Refused(400, "The form is broken or cut off.")
        if drop.upload.size == 0:
            raise Refused(422, "The picture is empty (0 bytes).")
        names = await self._work.run(drop.upload.finish, drop.name, drop.checked.sidecar)
        return Dropped(*names, shown(drop.inbox.path.name))


def drop_form(config: Config) -> DropForm:
    """The inboxes with their defaults, the models, and the schema of a sidecar."""
    inboxes: list[DropInbox] = []
    for index, inbox in enumerate(config.inboxes):
        layers = layers_of(config, inbox)
        defaults = plain_keys(layers.merged)
        name = shown(inbox.path.name)
        inboxes.append(DropInbox(index, name, inbox.mode, layers.has_prompt, defaults))
    return DropForm(
        inboxes=tuple(inboxes),
        models=tuple(sorted(config.models)),
        schema=json_schema(),
        max_file_mb=config.limits.max_file_mb,
        accept=",".join(sorted(PICTURE_SUFFIXES)),
    )


def _inbox(config: Config, text: str) -> InboxConfig:
    index = number_of(text)
    if index is None or index >= len(config.inboxes):
        raise Refused(400, "There is no such inbox.", "Reload the page.")
    return config.inboxes[index]


def _add(fields: dict[str, bytes], field: str, data: bytes) -> None:
    if field in fields:
        fields[field] += data
        if len(fields[field]) > _MOST_FIELD:
            raise Refused(413, "The settings are too large.")


def _too_large(most: int) -> Refused:
    return Refused(
        413,
        f"The picture is larger than {most / 1e6:g} MB.",
        "Make it smaller, or raise `limits: max_file_mb` in the config.",
    )


def _full() -> Refused:
    return Refused(507, "The disk of the inbox is full.", "Make room there, and drop it again.")


def _disk(error: OSError) -> Refused:
    if error.errno in _FULL:
        return _full()
    return Refused(
        503, f"The inbox cannot be written: {error.strerror or error}.", "Look at its disk."
    )

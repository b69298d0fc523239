"""multipart/form-data as it arrives: the parts of a form, never whole in memory."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from img2imgd.page.answers import Refused

_MOST_HEADERS, _MOST_HEADER = 8, 4_096


@dataclass(frozen=True)
class Begin:
    """A field begins; ``file`` is the name of the file that it is, if it is one."""

    field: str
    file: bytes | None


@dataclass(frozen=True)
class End:
    """A field ends."""


Event = Begin | End | bytes


class FormReader:
    """Reads one form, whose ``Content-Type`` is given.

    Raises:
        Refused: it is no form.
    """

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise Refused(415, "This takes a form with a file (multipart/form-data).")
        self._events: list[Event] = []
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self.ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_begin": self._header_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._field_begins,
                    "on_part_data": self._data,
                    "on_part_end": lambda: self._events.append(End()),
                    "on_end": self._end,
                },
                max_header_count=_MOST_HEADERS,
                max_header_size=_MOST_HEADER,
            )
        except FormParserError:
            raise _broken() from None

    def feed(self, data: bytes) -> list[Event]:
        """What some more bytes of the body tell.

        Raises:
            Refused: they are no form.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise _broken() from None
        events, self._events = self._events, []
        return events

    def _header_begins(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._name.lower()] = self._value

    def _field_begins(self) -> None:
        written = self._headers.get(b"content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(written)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        self._events.append(Begin(field, options.get(b"filename")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self.ended = True


def _broken() -> Refused:
    return Refused(400, "The form is broken or cut off.")

"""Forms are read piece by piece, wherever they are cut."""

from __future__ import annotations

import pytest

from img2imgd.page.answers import Refused
from img2imgd.page.form import Begin, End, FormReader

TYPE = "multipart/form-data; boundary=line"
BODY = (
    b'--line\r\nContent-Disposition: form-data; name="inbox"\r\n\r\n0\r\n'
    b'--line\r\nContent-Disposition: form-data; name="picture"; filename="k\xc3\xa4t.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--lin\r\n--line--\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_form_in_pieces(size: int) -> None:
    reader = FormReader(TYPE)
    fields: dict[str, bytes] = {}
    files: list[bytes | None] = []
    field = ""
    for at in range(0, len(BODY), size):
        for event in reader.feed(BODY[at : at + size]):
            if isinstance(event, Begin):
                field = event.field
                files.append(event.file)
                fields[field] = b""
            elif isinstance(event, bytes):
                fields[field] += event
            else:
                assert event == End()
    assert fields == {"inbox": b"0", "picture": b"\x89PNG\r\n--lin"}
    assert files == [None, "kät.png".encode()]
    assert reader.ended


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary="]
)
def test_what_is_no_form_is_refused(kind: str) -> None:
    with pytest.raises(Refused):
        FormReader(kind)


def test_nonsense_is_refused() -> None:
    with pytest.raises(Refused):
        FormReader(TYPE).feed(b"nonsense\r\n" * 10)

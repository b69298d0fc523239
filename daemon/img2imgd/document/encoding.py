"""Bytes to text: UTF-8 or UTF-16 with a byte order mark, and no character that hides something."""

from __future__ import annotations

import codecs
import re

from img2imgd.errors import DocumentError, Problem

MAX_BYTES = 65_536
"""Largest sidecar or defaults file, in bytes; a thousand times what one needs."""

FORBIDDEN = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What YAML 1.2 calls not printable (section 5.1): controls, lone surrogates, non-characters.

Not written as the opposite of what is printable: that takes ten times as long to compile.
"""

BREAKS_OF_YAML_1_1 = str.maketrans({"\x85": " ", "\u2028": " ", "\u2029": " "})
"""Ends of lines to PyYAML, ordinary characters in YAML 1.2: made spaces for ``str.translate``."""

_SAVE_AS = "Save the file again as UTF-8 (most editors ask for the encoding under “Save as”)."


def decode_text(name: str, data: bytes, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file, its line ends made ``\\n``, without byte order mark.

    Raises:
        DocumentError: too large, another encoding, or control characters; the line is named.
    """
    if len(data) > max_bytes:
        problem = Problem(
            f"the file has more than the {max_bytes:,} bytes that are read at most.",
            advice="A few lines of text are enough; is this the right file?",
        )
        raise DocumentError(name, [problem])
    text = _decode(name, data).replace("\r\n", "\n").replace("\r", "\n")
    if found := FORBIDDEN.search(text):
        raise DocumentError(name, [_forbidden(text, found.start())])
    return text


def _decode(name: str, data: bytes) -> str:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if wide else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if not wide and (at := data.find(b"\0", 0, error.start)) >= 0:
            raise DocumentError(name, [_nul(data.count(b"\n", 0, at) + 1)]) from None
        line = 1 if wide else data.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        what = "UTF-16, though the file begins as such" if wide else "UTF-8"
        guess = "" if wide or byte < 0xA0 else f" (in Latin-1 it would be “{chr(byte)}”)"
        message = f"byte 0x{byte:02x} at position {error.start} is not {what}{guess}."
        raise DocumentError(name, [Problem(message, line=line, advice=_SAVE_AS)]) from None


def _forbidden(text: str, at: int) -> Problem:
    line = text.count("\n", 0, at) + 1
    if text[at] != "\0":
        return Problem(f"the control character U+{ord(text[at]):04X} is in the text.", line=line,
                       advice="Remove it, or type the line again.")  # fmt: skip
    return _nul(line)


def _nul(line: int) -> Problem:
    return Problem("a NUL byte is in the text: this is UTF-16 without its mark, or no text at all.",
                   line=line, advice=_SAVE_AS)  # fmt: skip

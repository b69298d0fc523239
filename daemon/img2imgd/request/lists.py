"""Lists: files of an inbox folder whose lines are prompts or styles, and the keys that name them.

``*.csv`` is a list, and ``.txt`` whose name begins with ``_``. They stay where they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol, cast

from msgspec import Meta, field

from img2imgd.document import Check, Refused, Settings, decode_text, shortened
from img2imgd.errors import DocumentError, Problem

MAX_LIST_BYTES = 1 << 20
"""Largest list in bytes; a few ten thousand lines."""

MAX_PROMPT = 10_000
"""Longest prompt in characters; in English about 2,300 tokens."""

Text = Annotated[str, Meta(max_length=MAX_PROMPT)]
TOO_LONG = f"the text is too long: at most {MAX_PROMPT:,} characters are taken."

STYLES_NAME = "styles.csv"
"""The list whose names stand for styles, as in AUTOMATIC1111's web UI."""

_HEADINGS = frozenset({"artist", "artists", "style", "styles", "name", "names", "prompt",
                       "prompts"})  # fmt: skip


def is_list_name(name: str) -> bool:
    """True for the names that make a file a list."""
    folded = name.casefold()
    return folded.endswith(".csv") or (folded.startswith("_") and folded.endswith(".txt"))


class ListFiles(Protocol):
    """The lists that a document may name: those of its folder and, after them, those above."""

    def read(self, name: str, *, needed: bool) -> bytes | None:
        """The nearest list of that name, at most ``MAX_LIST_BYTES`` + 1 bytes; None if none is.

        ``needed`` tells a list that is named from one that only would be used.

        Raises:
            DocumentError: it is there and may not be read.
        """
        ...

    def names(self) -> Sequence[str]:
        """What could have been named, for advice."""
        ...


class NoLists:
    """For documents without a folder."""

    def read(self, name: str, *, needed: bool) -> bytes | None:
        """None."""
        del name, needed
        return None

    def names(self) -> Sequence[str]:
        """None there are."""
        return ()


def list_name(value: object) -> object:
    """The check of ``from``: the name of a list, which leads out of no folder."""
    if not isinstance(value, str):
        return value
    if "/" in value or "\\" in value:
        raise Refused(
            f"“{shortened(value)}” names another folder; lists are looked up in the folder of "
            "this file and those above it.",
            "Write the name alone.",
        )
    if not value.strip() or value.startswith("."):
        raise Refused(f"“{shortened(value)}” is hidden or empty; hidden files are never read.")
    if not is_list_name(value):
        stem, _, suffix = value.rpartition(".")
        better = f"_{value}" if suffix.casefold() == "txt" else f"_{stem or value}.txt"
        raise Refused(
            f"“{shortened(value)}” is not the name of a list: those end in .csv, or begin with _ "
            "and end in .txt.",
            f"If it is one, rename it to {shortened(better)}, here too.",
        )
    return value


ListName = Annotated[
    str, Check(list_name), Meta(description="A list of this folder or one above: .csv or _*.txt.")
]
Count = Annotated[
    Annotated[int, Meta(ge=1)] | None,
    Meta(description="So many of its lines, drawn by the seed; absent: all."),
]
LIST_SYNONYMS: Mapping[str, str] = {
    "file": "from", "list": "from", "source": "from", "path": "from",
    "n": "choose", "count": "choose", "pick": "choose", "number": "choose",
}  # fmt: skip


class FromList(Settings, frozen=True):
    """Lines of a list, a frame for each."""

    synonyms: ClassVar[Mapping[str, str]] = LIST_SYNONYMS

    source: ListName = field(name="from")
    choose: Count = None


def _prompts(value: Any) -> Any:
    """One text, several, or lines of a list."""
    texts: list[Any] = [*value] if isinstance(value, list | tuple) else []
    for text in texts:
        if not isinstance(text, str):
            raise Refused("must be texts, one for each prompt.", "Put each of them in quotes.")
        if not text.strip():
            raise Refused("one of the prompts is empty.", "Write it, or remove it.")
    return no_braces(value)


def no_braces(value: Any) -> Any:
    """Refuse what YAML makes of a text that begins with a choice."""
    keys = list(cast("dict[str, Any]", value)) if isinstance(value, dict) else []
    if any("|" in key for key in keys) or keys == ["folder"]:
        raise Refused("a text that begins with a brace is no text to YAML.",
                      'Put the whole text in quotes: "{oil|ink}".')  # fmt: skip
    return cast("Any", value)


Prompts = Annotated[
    Text | tuple[Text, ...] | FromList | None,
    Check(_prompts),
    Meta(description="What the picture is to become; several give a frame each."),
]


def read_lines(name: str, data: bytes) -> tuple[str, ...]:
    """The lines of a list, each once, trimmed: of a ``.csv`` the first column.

    Blank lines are skipped; in a ``.txt`` those that begin with ``#`` too, in a ``.csv`` a first
    row whose first cell is a heading such as ``artist``.

    Raises:
        DocumentError: another encoding, broken quotes, no or too long lines; the line is named.
    """
    if name.casefold().endswith(".csv"):
        rows = read_rows(name, data)
        if rows and rows[0][1][0].strip().casefold() in _HEADINGS:
            del rows[0]
        numbered = [(line, row[0].strip()) for line, row in rows]
    else:
        text = decode_text(name, data, max_bytes=MAX_LIST_BYTES)
        lines = enumerate((line.strip() for line in text.split("\n")), start=1)
        numbered = [(line, text) for line, text in lines if not text.startswith("#")]
    return _checked(name, [(line, text) for line, text in numbered if text])


def read_rows(name: str, data: bytes) -> list[tuple[int, list[str]]]:
    """The rows of a ``.csv`` that are not blank, with the lines on which they end.

    Raises:
        DocumentError: another encoding, quotes that do not close, or semicolons for commas.
    """
    text = decode_text(name, data, max_bytes=MAX_LIST_BYTES)
    csv.field_size_limit(MAX_LIST_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        problem = Problem(
            "a quote is opened and never closed, or followed by more text.",
            line=reader.line_num,
            advice='Begin and end a text with ", and write "" for a quote inside it.',
        )
        raise DocumentError(name, [problem]) from None
    if rows and all(len(row) == 1 and ";" in row[0] for _, row in rows):
        problem = Problem("the columns are separated by semicolons.", line=rows[0][0],
                          advice="Save the table again with commas.")  # fmt: skip
        raise DocumentError(name, [problem])
    return rows


def _checked(name: str, numbered: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    texts: dict[str, None] = {}
    for line, text in numbered:
        texts[text] = None
        if len(text) > MAX_PROMPT:
            raise DocumentError(name, [Problem(TOO_LONG, line=line)])
        if text.startswith("--"):
            raise DocumentError(name, [Problem(
                f"“{shortened(text)}” begins with --; options are not understood in lists, every "
                "line is a text.", line=line,
                advice="Write the prompt alone; its settings belong into a sidecar.")])  # fmt: skip
    if not texts:
        raise DocumentError(
            name, [Problem("the list has no lines.", advice="Write one text a line.")]
        )
    return tuple(texts)

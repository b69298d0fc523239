"""Styles: as a sidecar writes them, as AUTOMATIC1111's ``styles.csv`` has them, and as settled.

The rule for joining is that web UI's: a style that holds ``{prompt}`` is the whole text with the
prompt put there; any other is added after a comma. A style that is only a text is short for
``{prompt} by TEXT``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import Meta, field

from img2imgd.document import WRITTEN, Check, Refused, Settings
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import draw
from img2imgd.request.lists import (
    LIST_SYNONYMS,
    MAX_PROMPT,
    TOO_LONG,
    Count,
    ListName,
    Text,
    no_braces,
    read_rows,
)

PLACEHOLDER = "{prompt}"
_BY = f"{PLACEHOLDER} by "


class StyleKeys(Settings, frozen=True):
    """A style written out, or those of a list."""

    synonyms: ClassVar[Mapping[str, str]] = {
        **LIST_SYNONYMS, "text": "prompt", "style": "prompt", "title": "name",
        "negative": "negative_prompt", "neg": "negative_prompt",
    }  # fmt: skip

    name: Annotated[Text | None, Meta(description="What it is called; absent: its text.")] = None
    prompt: Annotated[
        Text | None, Meta(description="Added to the prompt, which takes the place of {prompt}.")
    ] = None
    negative_prompt: Annotated[
        Text | None, Meta(description="Added to the negative prompt in the same way.")
    ] = None
    source: Annotated[ListName | None, Meta(description="A list of styles.")] = field(
        name="from", default=None
    )
    choose: Count = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Either a style or a list of them."""
        keys = cls(**values)
        written = [text for text in (keys.name, keys.prompt, keys.negative_prompt) if text]
        if keys.source is not None and written:
            raise Refused("is a style (prompt, negative_prompt) or a list (from), not both.")
        if keys.source is None and not (keys.prompt or keys.negative_prompt):
            raise Refused("needs a prompt, or a list that it comes from.",
                          "Write {name: Oil, prompt: \"oil painting of {prompt}\"}, or "
                          "{choose: 3, from: artists.csv}.")  # fmt: skip
        if keys.choose is not None and keys.source is None:
            raise Refused("choose needs a list to choose from.", "Name it with from.")
        return keys


def _styles(value: Any) -> Any:
    """One style or several, as a tuple."""
    if value is None:
        return None
    styles: list[Any] = [*value] if isinstance(value, list | tuple) else [value]
    for style in styles:
        if not isinstance(style, str | dict):
            raise Refused("must be a text, a style, or a list of them.", "Put numbers in quotes.")
        no_braces(style)
    return tuple(styles)


_WRITTEN = {
    "anyOf": [
        {"type": "string"},
        {"$ref": "#/$defs/StyleKeys"},
        {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/StyleKeys"}]}},
        {"type": "null"},
    ]
}
Styles = Annotated[
    tuple[Text | StyleKeys, ...] | None,
    Check(_styles),
    Meta(
        description='Appended as " by STYLE"; a list gives a frame each.',
        extra_json_schema={WRITTEN: _WRITTEN},
    ),
]


class StyleTexts(msgspec.Struct, frozen=True):
    """What a style adds to the prompts: templates, whose choices are drawn with each variation."""

    prompt: str = ""
    negative_prompt: str = ""


ADDS_NOTHING = StyleTexts(PLACEHOLDER)


class Style(msgspec.Struct, frozen=True):
    """A style by its name."""

    name: str
    texts: StyleTexts

    @classmethod
    def named(cls, name: str | None, prompt: str | None, negative_prompt: str | None) -> Style:
        """A style as it was written, in one line; without a name it is called as its text."""
        texts = StyleTexts(one_line(prompt or ""), one_line(negative_prompt or ""))
        if texts == StyleTexts():
            texts = ADDS_NOTHING
        return cls(one_line(name or "") or texts.prompt or texts.negative_prompt, texts)

    @classmethod
    def of_text(cls, text: str) -> Style:
        """The style that a text alone stands for; an empty one adds nothing."""
        name = one_line(text)
        return cls(name, text_style(name))


def text_style(text: str) -> StyleTexts:
    """What a style that is only a text adds."""
    if not text or PLACEHOLDER in text:
        return StyleTexts(text)
    return StyleTexts(_BY + text)


def one_line(text: str) -> str:
    """A text without line breaks and doubled spaces."""
    return " ".join(text.split())


def join(prompt: str, style: str, seed: int) -> str:
    """A drawn prompt with what a style's template, once drawn, adds to it.

    Where the placeholder was in an option that was not drawn, the prompt is not lost; nor does it
    end in "by" where nobody was drawn.
    """
    added = draw(style, seed, {"prompt": prompt})
    if style.startswith(_BY) and not added.removeprefix(f"{prompt} by ").strip():
        return prompt
    if prompt and added != draw(style, seed, {"prompt": ""}):
        return added
    return ", ".join(part for part in (prompt, added.strip(", ")) if part)


def read_styles(name: str, data: bytes) -> Sequence[Style] | None:
    """The styles of a ``.csv`` with the columns name, prompt and negative_prompt; None for others.

    Of two with one name the last is meant, as in the web UI.

    Raises:
        DocumentError: broken quotes, another encoding, or rows that do not fit their columns.
    """
    if not name.casefold().endswith(".csv"):
        return None
    rows = read_rows(name, data)
    columns = [cell.strip().casefold() for cell in rows[0][1]] if rows else []
    columns = ["prompt" if column == "text" else column for column in columns]  # of old versions
    if not {"name", "prompt"} <= set(columns):
        return None
    styles = [_style(name, line, columns, row) for line, row in rows[1:]]
    return tuple({style.name: style for style in styles}.values())


def _style(file: str, line: int, columns: Sequence[str], row: Sequence[str]) -> Style:
    if any(cell.strip() for cell in row[len(columns) :]):
        raise DocumentError(file, [Problem(
            f"this row has {len(row)} values, and the first row {len(columns)}.", line=line,
            advice="Put texts that hold a comma in quotes.")])  # fmt: skip
    cells = {column: one_line(cell) for column, cell in zip(columns, row, strict=False)}
    if not cells["name"]:
        raise DocumentError(file, [Problem("this style has no name.", line=line,
                                           advice="Write one into the first column.")])  # fmt: skip
    if any(len(cell) > MAX_PROMPT for cell in cells.values()):
        raise DocumentError(file, [Problem(TOO_LONG, line=line)])  # fmt: skip
    return Style.named(cells["name"], cells.get("prompt"), cells.get("negative_prompt"))

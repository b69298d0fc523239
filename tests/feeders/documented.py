"""What the pages of docs/feeders say to copy or type, as the tests run it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from household import REPOSITORY

DOCS = REPOSITORY / "docs" / "feeders"
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: the page, the heading above it, its language and what it holds."""

    page: str
    heading: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found: list[Block] = []
    for section in re.split(r"^##+ ", text, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        found += [Block(page, heading, *fence) for fence in _FENCED.findall(section)]
    return found


def block(page: str, heading: str, language: str) -> str:
    """What stands in the blocks of a language below a heading, one after the other."""
    texts = [one.text for one in blocks(page) if (one.heading, one.language) == (heading, language)]
    assert texts, f"{page} has no {language} below {heading} any more"
    return "".join(texts)


def moved(text: str, where: dict[str, Path | str]) -> str:
    """A text with the docs' paths and names replaced by those of a test, the longest first."""
    for name in sorted(where, key=len, reverse=True):
        assert name in text, f"the docs no longer say {name}"
        text = text.replace(name, str(where[name]))
    return text

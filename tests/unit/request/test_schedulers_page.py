"""The page about models shows the schedulers that the program has.

``pytest -s -k scheduler_table`` prints the table that belongs into the page.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from img2imgd.request.schedulers import BASES, OWN, SCHEDULER_NAMES, Base

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")


def row(base: Base) -> str:
    suffixes = ", ".join(base.suffixes) or "none"
    noise = "yes" if base.noise else "no"
    return (
        f"| `{base.name}` | {base.sampler} | `{base.diffusers}` | {suffixes} | {base.order} "
        f"| {noise} | {base.note} |"
    )


def table() -> str:
    head = "| name | A1111 | diffusers class | suffixes | order | fresh noise | note |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- |", *(row(base) for base in BASES)]
    own = f"| `{OWN}` |  | the model's own | none |  |  | as its repository says |"
    return "\n".join([*lines, own])


def test_the_scheduler_table_of_the_page_is_the_codes() -> None:
    sys.stdout.write(f"\n{table()}\n")
    assert table() in PAGE


def test_the_page_tells_how_many_names_there_are() -> None:
    assert re.findall(r"(\d+) names", PAGE) == [str(len(SCHEDULER_NAMES))]

"""What PyYAML's syntax errors mean to the person who wrote the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from img2imgd.errors import Problem

if TYPE_CHECKING:
    import yaml

COMMENT_LIKE = re.compile(r"[ \t]+#\S")
"""What follows a text that was probably cut: `cat #1`, but not `cat # a comment`."""

_BEGINS_WITH_BRACE = re.compile(r"\s*(?:-|\w+:)\s+\{[^}]*\}\s*\S")

_LONGEST_KEY = 1024  # characters; of a longer one the parser says that it is none

_QUOTE = "Put the text after the first colon in quotes."
_CLOSE = "Close it, or put the text in quotes if the sign belongs to the text."

# First match wins; each pattern is looked for in "context: problem" of the parser's error.
_MEANINGS = (
    (r"'\\t'", "a tab stands where only spaces may.", "Indent with spaces."),
    (r"escape", "a backslash in double quotes begins an escape YAML does not know.",
     "Write \\\\ or use single quotes."),
    (r"quoted scalar", "a quote is opened and never closed, or followed by more text.",
     "Close the quote at the end of the text; inside double quotes write \\\" and \\\\."),
    (r"cannot start any token|not allowed here|expected the node content",
     "a text may not begin with this character.", "Put the text in quotes."),
    (r"could not find expected ':'", "this line has no `key: value`.",
     "Write a key, a colon, a space and the value; indent lines that continue a text."),
    (r"flow sequence", "a `[` is opened and not closed as a list.", _CLOSE),
    (r"flow mapping", "a `{` is opened and not closed as a mapping.", _CLOSE),
    (r"parsing a block collection", "something other than a list item stands here.",
     "Begin each item with `- `, all at the same column."),
    (r"parsing a block mapping", "this line does not fit the lines above.",
     "Begin keys of one level at the same column, and put texts with quotes wholly in quotes."),
    (r"alias|anchor", "a text may not begin with & or * unquoted.", "Put the text in quotes."),
    (r"YAML document|directive", "a line that begins with % says something not understood here.",
     "Remove it; a text that begins with % needs quotes."),
    (r"tag", "a text may not begin with ! unquoted.", "Put the text in quotes."),
)  # fmt: skip


def syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """The parser's error in the words of the file's author, with the line where it struck."""
    known: Any = error
    told = f"{known.context or ''}: {known.problem or ''}"
    mark = known.problem_mark or known.context_mark
    last = text.rstrip().count("\n") + 1
    line = min(int(mark.line) + 1, last) if mark else 0
    if re.match(r" *\t", _line_text(text, line)):
        return Problem(_MEANINGS[0][1], line=line, advice=_MEANINGS[0][2])
    if "parsing a block" in told and _BEGINS_WITH_BRACE.match(_line_text(text, line)):
        return Problem("a text that begins with a brace is no text to YAML.", line=line,
                       advice="Put the whole text in quotes.")  # fmt: skip
    if "mapping values are not allowed" in told:
        return _stray_colon(_line_text(text, line), line)
    for pattern, message, advice in _MEANINGS:
        if re.search(pattern, told):
            return Problem(message, line=line, advice=advice)
    return Problem(f"this is not YAML: {known.problem}.", line=line, advice=_QUOTE)


def escape_problem(text: str) -> Problem:
    """Said when a \\U escape is beyond Unicode's last character, U+10FFFF."""
    found = re.search(r"\\U(?!00(?:0|10))", text)
    line = text.count("\n", 0, found.start()) + 1 if found else 0
    return Problem("an escape in double quotes names no character there is.", line=line,
                   advice="Write the character itself.")  # fmt: skip


def top_level_problem(value: object, example: str) -> Problem:
    """Said when a document is a text or a list instead of keys with values."""
    missing_space = isinstance(value, str) and re.match(r"(\w+):(\S.*)", value)
    if missing_space:
        key, rest = missing_space.groups()
        advice = f"Put a space after the colon: `{key}: {rest[:40]}`."
    else:
        advice = f"Begin with a key, a colon and a space, for example `{example}`."
    what = "a list" if isinstance(value, list) else "a text or number without a key"
    return Problem(f"the file holds {what}; keys with values were expected.", line=1, advice=advice)


def _stray_colon(here: str, line: int) -> Problem:
    if len(here.partition(":")[0]) > _LONGEST_KEY:
        return Problem("this key is longer than any there is.", line=line,
                       advice="Write a key, a colon, a space and the value.")  # fmt: skip
    if len(re.findall(r":(?:\s|$)", here)) > 1:
        return Problem("a second colon confuses this line.", line=line, advice=_QUOTE)
    return Problem("this line continues the one above, yet looks like a key of its own.", line=line,
                   advice="Begin keys of one level at the same column.")  # fmt: skip


def _line_text(text: str, line: int) -> str:
    lines = text.split("\n")
    return lines[line - 1] if 0 < line <= len(lines) else ""

"""Strict YAML: a mapping of plain values, and the line on which each of them stands.

Only the event stream of PyYAML's pure-Python parser is used (its C parser crashes on deep nesting).
The tree is built here, so that aliases, tags and duplicate keys are refused before they can act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from img2imgd.document.encoding import BREAKS_OF_YAML_1_1, FORBIDDEN, MAX_BYTES, decode_text
from img2imgd.document.faults import (
    COMMENT_LIKE,
    escape_problem,
    syntax_problem,
    top_level_problem,
)
from img2imgd.document.scalars import Scalar, read_scalar
from img2imgd.errors import DocumentError, Problem

if TYPE_CHECKING:
    import yaml

MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_KEY = 100
MAX_PROBLEMS = 50
"""So many are told of one document; more help nobody."""

Path = tuple[str | int, ...]
Parser = Callable[..., Iterator[Any]]
Value = Scalar | list["Value"] | dict[str, "Value"]

_QUOTE_IT = "Put the whole text in quotes if it belongs to the text."


@dataclass(frozen=True)
class Document:
    """What a YAML file says: plain dicts, lists and scalars, and where they stand."""

    name: str
    data: dict[str, Value]
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int], repr=False)
    warnings: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int:
        """Line (from 1) of the value at a path, or of the nearest part around it; 0 if none is."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 0


def read_yaml(
    name: str,
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    example: str = "prompt: a cottage by a lake",
) -> Document:
    """Read a YAML 1.2 mapping; an empty file is an empty mapping.

    ``example`` is a good first line, for the advice given when there is no mapping.

    Raises:
        DocumentError: with every problem that can be told apart.
    """
    text = decode_text(name, data, max_bytes=max_bytes).translate(BREAKS_OF_YAML_1_1)
    builder = _Builder(text)
    value = builder.build()
    if not builder.problems and value is not None and not isinstance(value, dict):
        builder.problems.append(top_level_problem(value, example))
    if builder.problems:
        problems = sorted(builder.problems, key=lambda problem: problem.line)
        raise DocumentError(name, problems[:MAX_PROBLEMS])
    tree = value if isinstance(value, dict) else {}
    return Document(name, tree, builder.lines, tuple(builder.warnings))


class _Stop(Exception):
    """The rest of the document cannot or need not be read."""


class _Builder:
    """Builds the tree from the parser's events, gathering problems as it goes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.nodes = 0

    def build(self) -> Value:
        import yaml  # late: most commands read no YAML

        # types-PyYAML leaves the type of `parse` open.
        parse = cast("Parser", yaml.parse)  # pyright: ignore[reportUnknownMemberType]
        events = parse(self.text, Loader=yaml.SafeLoader)
        try:
            return self._document(events)
        except _Stop:
            return None
        except yaml.MarkedYAMLError as error:
            self.problems.append(syntax_problem(error, self.text))
        except (ValueError, OverflowError):  # from chr(), for an escape such as "\UFFFFFFFF"
            self.problems.append(escape_problem(self.text))
        return None

    def _document(self, events: Iterator[Any]) -> Value:
        import yaml

        value: Value = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document begins here (`---`).",
                               "Keep one document in a file.")  # fmt: skip
                value = self._node(next(events), events, (), 1)
        return value

    def _node(self, event: Any, events: Iterator[Any], path: Path, depth: int) -> Value:
        import yaml

        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._stop(event, f"the document has more than {MAX_NODES:,} values.")
        if isinstance(event, yaml.AliasEvent):
            self._problem(event, path, f"`*{event.anchor}` is a YAML alias; none are used here.",
                          _QUOTE_IT)  # fmt: skip
            return None
        self._refuse_decoration(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if depth > MAX_DEPTH:
            self._stop(event, f"lists or mappings are nested more than {MAX_DEPTH} deep.")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path, depth)
        return self._mapping(events, path, depth)

    def _refuse_decoration(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            self._problem(event, path, f"`&{event.anchor}` is a YAML anchor; none are used here.",
                          _QUOTE_IT)  # fmt: skip
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._problem(event, path, f"`{tag[:60]}` is a YAML tag; none are used here.",
                          _QUOTE_IT)  # fmt: skip

    def _sequence(self, events: Iterator[Any], path: Path, depth: int) -> list[Value]:
        import yaml

        items: list[Value] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            here = (*path, len(items))
            self.lines[here] = event.start_mark.line + 1
            items.append(self._node(event, events, here, depth + 1))
        return items

    def _mapping(self, events: Iterator[Any], path: Path, depth: int) -> dict[str, Value]:
        import yaml

        mapping: dict[str, Value] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, path, depth)
            here = (*path, key)
            if key in mapping:
                first = self.lines[here]
                self._problem(event, here, f"this key was given before, on line {first}.",
                              "Keep one of the two.")  # fmt: skip
            else:
                self.lines[here] = event.start_mark.line + 1
            mapping[key] = self._node(next(events), events, here, depth + 1)
        return mapping

    def _key(self, event: Any, events: Iterator[Any], path: Path, depth: int) -> str:
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            self._problem(event, path, "a key must be a word, followed by a colon.")
            self._node(event, events, path, depth + 1)
            return ""
        self.nodes += 1
        self._refuse_decoration(event, path)
        if event.value == "<<" and event.style is None:
            self._problem(event, path, "`<<` merges mappings in YAML 1.1; that is not used here.",
                          "Write the keys out.")  # fmt: skip
        key = str(event.value)
        if not key.isprintable() or not 0 < len(key) <= MAX_KEY:
            self._problem(event, path, "a key must be a word, followed by a colon.")
            return ""
        return key

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Scalar:
        text = str(event.value)
        if found := FORBIDDEN.search(text):
            self._problem(event, path, f"an escape writes the character U+{ord(found[0]):04X}, "
                          "which cannot be used.", "Remove it.")  # fmt: skip
        if event.style is not None:
            return text
        try:
            value = read_scalar(text)
        except ValueError as error:
            self._problem(event, path, str(error))
            return 0
        if isinstance(value, str) and COMMENT_LIKE.match(self.text, event.end_mark.index):
            self.warnings.append(Problem(
                "the text ends before ` #`, for a # after a space begins a comment.",
                line=event.end_mark.line + 1, key=_dotted(path),
                advice="Put the whole text in quotes if the # belongs to it."))  # fmt: skip
        return value

    def _problem(self, event: Any, path: Path, message: str, advice: str = "") -> None:
        line = event.start_mark.line + 1
        self.problems.append(Problem(message, line=line, key=_dotted(path), advice=advice))

    def _stop(self, event: Any, message: str, advice: str = "") -> None:
        self._problem(event, (), message, advice)
        raise _Stop


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)

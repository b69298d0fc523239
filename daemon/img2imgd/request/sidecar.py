"""Sidecar files: YAML by ``.yaml`` and ``.yml``, infotext or a plain prompt by ``.txt``."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from img2imgd import document
from img2imgd.document import decode_text, read_yaml, validate
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.infotext import parse_infotext
from img2imgd.request.keys import DefaultKeys, RequestKeys

_PROMPT_KEY = re.compile(r"^prompt:", re.MULTILINE)


class Sidecar(msgspec.Struct, frozen=True):
    """A sidecar as read: its keys, and what deserves a second look."""

    keys: RequestKeys
    warnings: tuple[Problem, ...] = ()


def parse_sidecar(name: str, data: bytes, models: Collection[str] = ()) -> Sidecar:
    """Read a sidecar with its warnings; ``models`` are those that infotext may name.

    Raises:
        DocumentError: with every problem, each with line, key and what to do.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix == "txt":
        text = decode_text(name, data)
        if problem := _no_plain_text(name, text):
            raise DocumentError(name, [problem])
        return Sidecar(parse_infotext(text, name, models))
    if suffix not in ("yaml", "yml"):
        advice = "Name it NAME.yaml, NAME.yml or NAME.txt, after the picture NAME.png."
        raise DocumentError(name, [Problem("this is not the name of a sidecar.", advice=advice)])
    read = read_yaml(name, data)
    return Sidecar(validate(read, RequestKeys).read_from(read), read.warnings)


def _no_plain_text(name: str, text: str) -> Problem | None:
    """Keys or markup in a text, as Notepad and TextEdit save them; they would be painted."""
    if text.startswith("{\\rtf"):
        advice = "Save it as plain text, or as a .yaml file."
        return Problem("holds formatted text (RTF), not plain text.", advice=advice)
    keyed = _PROMPT_KEY.search(text)
    if keyed is None:
        return None
    return Problem(
        "in a .txt file all of the text is the prompt, keys too.",
        line=text.count("\n", 0, keyed.start()) + 1,
        key="prompt",
        advice=f"Rename it to {name[:-4].removesuffix('.yaml')}.yaml, "
        "or leave nothing in it but the prompt itself.",
    )


def read_sidecar(name: str, data: bytes, models: Collection[str] = ()) -> RequestKeys:
    """The keys of a sidecar; see :func:`parse_sidecar`."""
    return parse_sidecar(name, data, models).keys


def read_defaults(name: str, data: bytes) -> RequestKeys:
    """The keys of a ``_defaults.yaml``: those of a sidecar, without ``images``.

    Raises:
        DocumentError: with every problem, each with line, key and what to do.
    """
    read = read_yaml(name, data)
    return validate(read, DefaultKeys).read_from(read)


def json_schema() -> dict[str, Any]:
    """JSON Schema of the sidecar, for editors that complete and check YAML."""
    return document.json_schema(RequestKeys, "Sidecar")

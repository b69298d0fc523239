"""Generation parameters as AUTOMATIC1111's web UI writes them, in pictures and ``.txt`` files.

A text with such a parameter line says what was painted: its prompts are literal, choices in them
were drawn long ago.

PROMPT, a line ``Negative prompt: …``, and a last line ``Steps: 50, Sampler: Euler, CFG scale: 9,
Seed: 187, Size: 768x768, …``. Values with commas or colons are quoted as JSON strings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from img2imgd.document import Document, Path, validate
from img2imgd.document.scalars import read_scalar
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import literal
from img2imgd.request.emphasis import ADDED_NETWORK
from img2imgd.request.keys import RequestKeys
from img2imgd.request.schedulers import scheduler_named

NEGATIVE = "Negative prompt:"
MIN_PAIRS = 3
"""A last line with fewer pairs belongs to the prompt; "a: b" happens in prompts too."""

_UNDERSTOOD = {
    "Steps": "steps",
    "CFG scale": "guidance_scale",
    "Seed": "seed",
    "Size": "size",
    "Denoising strength": "strength",
}
_SAMPLER, _SCHEDULE_TYPE, _MODEL = "Sampler", "Schedule type", "Model"
_TELLING = frozenset({*_UNDERSTOOD, _SAMPLER, _MODEL, "Model hash"})
_PAIR = re.compile(r"(\w[\w \-/]{0,60}):(.*)", re.DOTALL)
_PARTS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"]|")+')


def parse_infotext(
    text: str, name: str = "parameters", models: Collection[str] = ()
) -> RequestKeys:
    """The keys that infotext asks for; a text without a parameter line is a prompt.

    ``models`` are the names in the config's table: a model that it has not is passed over, since
    that of somebody else's program may have any name. What has no meaning here is in the keys'
    ``passed_over``, among it the tags by which A1111 adds a LoRA.

    Raises:
        DocumentError: a parameter that is understood has a value that cannot be used.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    pairs = _pairs(lines[-1])
    is_parameters = len(pairs) >= MIN_PAIRS and not _TELLING.isdisjoint(pairs)
    data: dict[str, Any] = _prompts(lines[:-1] if is_parameters else lines)
    ignored: list[str] = []
    if is_parameters:
        ignored = [tag for text in data.values() for tag in ADDED_NETWORK.findall(text)]
        data = {key: literal(ADDED_NETWORK.sub("", text)) for key, text in data.items()}
    where: dict[Path, int] = {("prompt",): 1}
    where |= {(key,): len(lines) for key in _UNDERSTOOD.values()}
    pairs = pairs if is_parameters else {}
    data["scheduler"], told = _scheduler(pairs)
    data["model"] = _model(pairs, models)
    told += (_MODEL,) if data["model"] else ()
    for key, value in pairs.items():
        target = _UNDERSTOOD.get(key)
        if target is None:
            ignored += [key] if key not in told else []
        elif not (target == "seed" and value.strip() == "-1"):  # -1: a random one, please
            data[target] = _value(target, value, name, len(lines))
    document = Document(name, data, where)
    return validate(document, RequestKeys).read_from(document).passing_over(ignored)


def _prompts(lines: list[str]) -> dict[str, Any]:
    """The prompt and, from the line that begins ``Negative prompt:`` on, the negative prompt."""
    at = next((i for i, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    prompt = "\n".join(lines[:at]).strip()
    data: dict[str, Any] = {"prompt": prompt} if prompt else {}
    if at < len(lines):
        negative = [lines[at][len(NEGATIVE) :], *lines[at + 1 :]]
        data["negative_prompt"] = "\n".join(negative).strip()
    return data


def _scheduler(pairs: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """The scheduler that is asked for, and the keys that told it.

    Where there is none with such a schedule, it is the sampler alone: noise levels spread otherwise
    are nearer to what was meant than another sampler.
    """
    sampler, schedule_type = pairs.get(_SAMPLER, ""), pairs.get(_SCHEDULE_TYPE)
    if name := scheduler_named(sampler, schedule_type):
        return name, (_SAMPLER, _SCHEDULE_TYPE)
    name = scheduler_named(sampler)
    return name, (_SAMPLER,) if name else ()


def _model(pairs: Mapping[str, str], models: Collection[str]) -> str | None:
    """The model of the config that bears the name, if one does."""
    named = pairs.get(_MODEL, "").casefold()
    return next((model for model in models if model.casefold() == named), None)


def _pairs(line: str) -> dict[str, str]:
    """``key: value`` pairs between commas; a part that is no pair makes the line a text."""
    pairs: dict[str, str] = {}
    for part in _PARTS.findall(line):
        pair = _PAIR.fullmatch(part.strip())
        if not pair:
            return pairs
        pairs[pair[1]] = _unquoted(pair[2].strip())
    return pairs


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        text = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return value
    return text if isinstance(text, str) else value


def _value(target: str, text: str, name: str, line: int) -> object:
    sides = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text.strip())
    if target == "size" and sides:
        return [int(sides[1]), int(sides[2])]
    try:
        return read_scalar(text.strip())
    except ValueError as error:
        raise DocumentError(name, [Problem(str(error), line=line, key=target)]) from None

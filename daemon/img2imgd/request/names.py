"""Prompts from names, for people who have only a file manager: of pictures and of folders.

``a red barn__s0.7__seed12.png`` asks for “a red barn”, strength 0.7 and seed 12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from img2imgd.document import Document, nearest, shortened, validate
from img2imgd.document.scalars import read_scalar
from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import literal
from img2imgd.request.keys import RequestKeys

FOLDER = "{folder}"
"""Stands in prompts, negative prompts and styles for the name of the picture's folder."""

_BETWEEN = "__"
_SETTING = re.compile(r"([a-z_]+?) ?(?:= ?(.+)|([0-9]+(?:[.,][0-9]+)?))", re.IGNORECASE)
_KEYS: Mapping[str, str] = {
    "s": "strength", "g": "guidance_scale", "x": "n", "neg": "negative_prompt",
    **{key: key for key in ("strength", "guidance_scale", "steps", "seed", "n", "size", "fit",
                            "style", "negative_prompt", "model", "scheduler", "prepare")},
    **{word: key for word, key in RequestKeys.synonyms.items() if word in (
        "cfg", "guidance", "denoise", "denoising", "sampler", "negative")},
}  # fmt: skip
_PROMPTS = frozenset({"style", "negative_prompt"})

# What file managers append to the name of a copy, and we to that of a document for its pages.
_COPY = re.compile(r"(?:~\d+|_p\d+| ?\(\d+\)| - copy| copy(?: \d+)?)+$", re.IGNORECASE)
# What cameras, scanners and programs call a picture of which nobody has said anything.
_UNNAMED = re.compile(
    r"(?:img|dsc[a-z]?|dscn|pxl|mvimg|p|pict?|scan(?:ned)?|scn|doc(?:ument)?|page|image|photo|foto|"
    r"picture|file|screenshot(?: from)?|screen shot|bildschirmfoto(?: vom)?|"
    r"untitled|unbenannt|sans titre|new|whatsapp image|"
    r"(?=[a-f]*\d)[0-9a-f]{6,}(?:-[0-9a-f]+)*)?(?:[\W\d_]|\bat\b|\b[ap]m\b|\bwa\d)*",
    re.IGNORECASE,
)
# Signs with a meaning in prompts: choices, weights, the tags of LoRAs.
_SIGNS = re.compile(r"[\s_{|}()\[\]<>\\]+")


def words_of(name: str) -> str:
    """A name as words of a prompt: underscores, and signs that mean something there, are spaces."""
    return _SIGNS.sub(" ", name.encode("utf-8", "replace").decode()).strip()


def in_folder(text: str, folder: str) -> str:
    """A prompt's template with the name of its picture's folder in place of ``{folder}``."""
    return text.replace(FOLDER, words_of(folder)) if FOLDER in text else text


def read_name(stem: str, name: str) -> RequestKeys:
    """The keys that a picture's name asks for, without its suffix; ``name`` is for errors.

    A name that says nothing, such as ``IMG_2034``, asks for nothing.

    Raises:
        DocumentError: a part behind the first is no setting, or has a value that cannot be used.
    """
    text, *settings = _COPY.sub("", stem).split(_BETWEEN)
    prompt = words_of(text)
    data: dict[str, Any] = {} if _UNNAMED.fullmatch(prompt) else {"prompt": literal(prompt)}
    if not data:
        return RequestKeys()  # what follows is part of a camera's or a scanner's name as well
    problems: list[Problem] = []
    for setting in filter(str.strip, settings):
        try:
            key, value = _setting(setting.strip(" _"))
        except ValueError as error:
            problems.append(Problem(f"in its name, {error}", advice=_ADVICE))
        else:
            data[key] = value
    if problems:
        raise DocumentError(name, problems)
    document = Document(name, data, {})
    return validate(document, RequestKeys)


_ADVICE = (
    "Behind two underscores a name may say s0.7 (strength), seed12, g9 (guidance_scale), steps30, "
    "n4, size512, or such as style=ink."
)


def _setting(text: str) -> tuple[str, Any]:
    """A key and its value.

    Raises:
        ValueError: the text is none; says so.
    """
    match = _SETTING.fullmatch(text)
    word = match[1].casefold() if match else ""
    key = _KEYS.get(word)
    if match is None or key is None:
        near = nearest(word, _KEYS) if word else None
        meant = f" Did you mean `{near}`?" if near else ""
        raise ValueError(f"“{shortened(text)}” is no setting.{meant}")
    value = (match[2] or match[3]).strip()
    if key in _PROMPTS:
        return key, words_of(value)
    number = value.replace(",", ".")
    return key, read_scalar(number if number[:1].isdigit() else value)

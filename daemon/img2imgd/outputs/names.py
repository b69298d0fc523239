"""Names of outputs: readable, safe everywhere, at most 200 bytes, sorted in frame order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from img2imgd.job import Frame

MAX_BYTES = 200
_SUFFIX_ROOM = 16  # for ".webp", "~1234" and the GIF's ending
_LEAST_PROMPT = 8  # bytes that are left of it before the stem is shortened
_MOST_PROMPT = 80  # characters
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff<>:"/\\|?*]+')
_NOT_WORD = re.compile(r"[^\w]+", re.UNICODE)
_INDEX_FIELD = re.compile(r"[-_. ]?\{index[^}]*\}")
_DEVICE_NAMES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def safe_stem(stem: str) -> str:
    """A picture's stem as people know it, without what Windows, shells and shares cannot have."""
    text = _UNSAFE.sub("-", unicodedata.normalize("NFC", stem)).strip(". ").lstrip("-~")
    text = text or "picture"
    return f"_{text}" if _DEVICE_NAMES.match(text) else text


def slug(prompt: str) -> str:
    """A prompt as part of a name: words of any script, joined by dashes."""
    text = _UNSAFE.sub("-", unicodedata.normalize("NFC", prompt))
    return _NOT_WORD.sub("-", text).strip("-_")


def frame_names(
    template: str, suffix: str, job: str, stem: str, prompt: str, frames: Sequence[Frame]
) -> tuple[str, ...]:
    """One file name per frame, unique within the job, in frame order when sorted by name.

    ``template`` is the config's ``outputs.name``; its index is widened to the job's frame count.
    """
    width = len(str(max(len(frames) - 1, 0)))
    widened = re.sub(
        r"\{index(?::0?(\d+))?\}",
        lambda field: f"{{index:0{max(int(field.group(1) or 1), width)}}}",
        template,
    )
    taken: set[str] = set()
    names: list[str] = []
    for frame in frames:
        base = _render(widened, job, stem, prompt, frame)
        names.append(first_free(f"{base}{suffix}", lambda name: name.casefold() in taken))
        taken.add(names[-1].casefold())
    return tuple(names)


def folder_name(template: str, job: str, stem: str, prompt: str, frame: Frame) -> str:
    """The name of a job's own folder: the template without the index, of the first frame."""
    return _render(_INDEX_FIELD.sub("", template), job, stem, prompt, frame)


def first_free(name: str, is_taken: Callable[[str], bool]) -> str:
    """``name``, or the first of ``name~2``, ``name~3``… (before the suffix) that is not taken."""
    stem, dot, suffix = name.rpartition(".")
    base, ending = (stem, dot + suffix) if stem and len(suffix) <= 5 else (name, "")
    candidate, number = name, 1
    while is_taken(candidate):
        number += 1
        candidate = f"{base}~{number}{ending}"
    return candidate


def cut_bytes(text: str, room: int) -> str:
    """The longest beginning of ``text`` that has at most ``room`` bytes of UTF-8."""
    return text.encode("utf-8", "replace")[: max(room, 0)].decode("utf-8", "ignore")


def _render(template: str, job: str, stem: str, prompt: str, frame: Frame) -> str:
    """Fill the template; when it is too long, shorten the prompt first, then the stem."""
    words, kept = slug(prompt)[:_MOST_PROMPT], safe_stem(stem)

    def fill() -> str:
        filled = template.format(
            stem=kept,
            prompt=words,
            index=frame.index,
            seed=frame.seed,
            strength=frame.strength,
            style=slug(frame.style),
            guidance_scale=frame.guidance_scale,
            steps=frame.steps,
            job=job,
        )
        return safe_stem(_tidy(filled))

    name = fill()
    while (excess := len(name.encode()) - (MAX_BYTES - _SUFFIX_ROOM)) > 0:
        if (size := len(words.encode())) > _LEAST_PROMPT:
            words = cut_bytes(words, max(size - excess, _LEAST_PROMPT))
        elif (size := len(kept.encode())) > 1:
            kept = cut_bytes(kept, max(size - excess, 1))
        else:
            break
        name = fill()
    return cut_bytes(name, MAX_BYTES - _SUFFIX_ROOM)


def _tidy(name: str) -> str:
    """No doubled or dangling separators where a field was empty or cut at a dash."""
    return re.sub(r"-+(?=_|$)", "", re.sub(r"_{2,}", "_", name)).strip("_")

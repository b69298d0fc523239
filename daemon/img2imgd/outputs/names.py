"""Names of outputs: readable, safe everywhere, at most 200 bytes, sorted in frame order."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence

from img2imgd.job import Frame
from img2imgd.outputs.numbers import print_numbers

MAX_BYTES = 200
_SUFFIX_ROOM = 16  # for ".webp", "~1234" and the GIF's ending
_LEAST_PROMPT = 8  # bytes that are left of it before the stem is shortened
_MOST_PROMPT = 80  # characters
MOST_STYLE = 40  # bytes
_LONGEST_NAME = 255  # bytes that a file name may have on Linux's filesystems
# Control characters, lone surrogates, line separators, marks that turn the writing direction, and
# what Windows reserves.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r'<>:"/\\|?*]+'
)
_OWN_FIELDS = re.compile(r"[-_. ]?\{(index|point)[^}]*\}")  # which a job's folder has none of
_AXES = ("strength", "guidance_scale", "steps")  # the seed is in most names anyway
_PROMPT_TO_INDEX = re.compile(r"(\{prompt[^}]*\})(.*?)(\{index[^}]*\})")
_ASSEMBLY = re.compile(r"(.+)_(?:morph.*|sheet)(?:~\d+)?\.(?:gif|webp|png)")
_DEVICE_NAMES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def safe_stem(stem: str) -> str:
    """A picture's stem as people know it, without what Windows, shells and shares cannot have."""
    text = _UNSAFE.sub("-", unicodedata.normalize("NFC", stem)).lstrip("-~. ").rstrip(". ")
    text = text or "picture"
    return f"_{text}" if _DEVICE_NAMES.match(text) else text


def safe_name(name: str) -> str:
    """A file's name for a filesystem that does not take it as it is; its ending stays."""
    stem, dot, ending = name.rpartition(".")
    return cut_bytes(safe_stem(stem or name), MAX_BYTES) + (
        _UNSAFE.sub("-", dot + ending)[:_SUFFIX_ROOM] if stem else ""
    )


def slug(prompt: str) -> str:
    """A prompt as part of a name: words of any script, joined by dashes."""
    text = ""
    for sign in unicodedata.normalize("NFC", prompt):
        # The vowel signs of many scripts are marks, which belong to the letter before them.
        mark = unicodedata.category(sign)[0] == "M" and text[-1:] not in ("", "-")
        text += sign if sign.isalnum() or sign == "_" or mark else "-"
    return re.sub("-+", "-", text).strip("-_")


def frame_names(
    template: str, suffix: str, job: str, stem: str, prompt: str, frames: Sequence[Frame]
) -> tuple[str, ...]:
    """One file name per frame, unique within the job, in frame order when sorted by name.

    ``template`` is the config's ``outputs.name``; its index is widened to the job's frame count.
    ``prompt`` is that of all frames; where each has words of its own, it is named by them, behind
    the index, so that the order stays.
    """
    width = len(str(max(len(frames) - 1, 0)))
    widened = re.sub(
        r"\{index(?::0?(\d+))?\}",
        lambda field: f"{{index:0{max(int(field.group(1) or 1), width)}}}",
        template,
    )
    points = _points(frames)
    if len({frame.words for frame in frames}) > 1 and "{index" in widened:
        widened = _index_first(widened)
        each = [
            _fitting(widened, job, stem, frame.words, [frame], [point])
            for frame, point in zip(frames, points, strict=True)
        ]
        kept = min((stem for _, stem in each), key=len)
        filled = [words for words, _ in each]
    else:
        words, kept = _fitting(widened, job, stem, prompt, frames, points)
        filled = [words] * len(frames)
    taken: set[str] = set()
    names: list[str] = []
    for frame, words, point in zip(frames, filled, points, strict=True):
        base = _cut(_fill(widened, job, kept, words, frame, point))
        names.append(first_free(f"{base}{suffix}", lambda name: name.casefold() in taken))
        taken.add(names[-1].casefold())
    return tuple(names)


def _index_first(template: str) -> str:
    """The template with index and prompt exchanged, where the prompt stands before the index."""
    found = _PROMPT_TO_INDEX.search(template)
    if found is None:
        return template
    prompt, between, index = found.groups()
    return f"{template[: found.start()]}{index}{between}{prompt}{template[found.end() :]}"


def folder_name(template: str, job: str, stem: str, prompt: str, frame: Frame) -> str:
    """The name of a job's own folder: the template without what is a frame's, of the first."""
    bare = _OWN_FIELDS.sub("", template)
    words, kept = _fitting(bare, job, stem, prompt, [frame], [""])
    return _cut(_fill(bare, job, kept, words, frame, ""))


def is_assembly(name: str, folder: str) -> bool:
    """True for the animations and the sheet of the job whose folder was named ``folder``."""
    found = _ASSEMBLY.fullmatch(name)
    return found is not None and folder.startswith(found[1])


def is_sheet(name: str, folder: str) -> bool:
    """True for the sheet alone."""
    return name.endswith("_sheet.png") and is_assembly(name, folder)


def first_free(name: str, is_taken: Callable[[str], bool]) -> str:
    """``name``, or the first of ``name~2``, ``name~3``… (before the suffix) that is not taken."""
    stem, dot, suffix = name.rpartition(".")
    base, ending = (stem, dot + suffix) if stem and len(suffix) <= 5 else (name, "")
    candidate, number = name, 1
    while is_taken(candidate):
        number += 1
        candidate = f"{base}~{number}{ending}"
    return candidate


def numbered(names: Sequence[str], number: int) -> list[str]:
    """A drop's names with the same ``~N``, so that they still pair; as they are for number 1.

    ``cat.png``, ``cat.yaml``, ``cat.png.reason.txt`` → ``cat~2.png``, ``cat~2.yaml``,
    ``cat~2.png.reason.txt``. No name becomes longer than 255 bytes.
    """
    if number == 1:
        return list(names)
    return [_numbered(name, f"~{number}", names) for name in names]


def _numbered(name: str, mark: str, names: Sequence[str]) -> str:
    owner = next((n for n in names if name.startswith(f"{n}.")), None)
    base = owner or name  # cat.png.yaml is numbered as its picture is
    stem, dot, suffix = base.rpartition(".")
    stem, ending = (stem, dot + suffix) if stem else (base, "")
    ending += name[len(base) :]
    room = _LONGEST_NAME - len(os.fsencode(mark + ending))
    return f"{os.fsdecode(os.fsencode(stem)[:room])}{mark}{ending}"


def cut_bytes(text: str, room: int) -> str:
    """The longest beginning of ``text`` that has at most ``room`` bytes of UTF-8."""
    return text.encode("utf-8", "replace")[: max(room, 0)].decode("utf-8", "ignore")


def _fitting(
    template: str,
    job: str,
    stem: str,
    prompt: str,
    frames: Sequence[Frame],
    points: Sequence[str],
) -> tuple[str, str]:
    """Prompt and stem, shortened (the prompt first) until the names of all frames have room.

    They are the same for all frames: names that are cut at different places would not sort.
    """
    words, kept = slug(prompt)[:_MOST_PROMPT], safe_stem(stem)
    for frame, point in zip(frames, points, strict=True):
        while (excess := _excess(_fill(template, job, kept, words, frame, point))) > 0:
            if (size := len(words.encode())) > _LEAST_PROMPT:
                words = cut_bytes(words, max(size - excess, _LEAST_PROMPT))
            elif (size := len(kept.encode())) > _LEAST_PROMPT:
                kept = cut_bytes(kept, max(size - excess, _LEAST_PROMPT))
            else:
                break
    return words, kept


class _Words(str):
    """A slug; a precision in its format, as in ``{prompt:.40}``, cuts it between words."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        precision = re.search(r"\.(\d+)", spec)
        if precision and len(self) > (room := int(precision[1])):
            cut = self[:room]
            whole = cut if self[room] == "-" or "-" not in cut else cut.rpartition("-")[0]
            return format(str(whole), spec)
        return format(str(self), spec)


def _points(frames: Sequence[Frame]) -> list[str]:
    """What each frame has that others of the job have not: its style, and the values of axes."""
    columns: list[list[str]] = []
    if len({frame.style for frame in frames}) > 1:
        columns.append([cut_bytes(slug(frame.style), MOST_STYLE) for frame in frames])
    for axis in _AXES:
        values: list[float] = [getattr(frame, axis) for frame in frames]
        if len(set(values)) > 1:
            columns.append([f"{axis}-{value}" for value in print_numbers(values)])
    return ["_".join(parts) for parts in zip(*columns, strict=True)] or [""] * len(frames)


def _fill(template: str, job: str, stem: str, words: str, frame: Frame, point: str) -> str:
    filled = template.format(
        stem=stem,
        prompt=_Words(words),
        point=point,
        index=frame.index,
        seed=frame.seed,
        strength=frame.strength,
        style=cut_bytes(slug(frame.style), MOST_STYLE),
        guidance_scale=frame.guidance_scale,
        steps=frame.steps,
        job=job,
    )
    return safe_stem(_tidy(filled))


def _excess(name: str) -> int:
    return len(name.encode()) - (MAX_BYTES - _SUFFIX_ROOM)


def _cut(name: str) -> str:
    """The last resort against a template that is itself too long."""
    return safe_stem(cut_bytes(name, MAX_BYTES - _SUFFIX_ROOM)) if _excess(name) > 0 else name


def _tidy(name: str) -> str:
    """No doubled or dangling separators where a field was empty or cut at a dash."""
    return re.sub(r"-+(?=_|$)", "", re.sub(r"_{2,}", "_", name)).strip("_")

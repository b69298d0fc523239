"""One job in full: how it was made, each of its frames, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from img2imgd.config import Config
from img2imgd.job import CANCELLED_FRAME, Frame, FrameState, JobState, morphs, plan_frames
from img2imgd.ledger import FrameRow, JobRow, Ledger
from img2imgd.outputs.captions import captions
from img2imgd.page.history import correct_of, fate_of, names_of, ordered_jobs
from img2imgd.page.now import fields_of
from img2imgd.page.outputs import JobOutputs
from img2imgd.page.urls import LARGE, THUMB, file_url, frame_url, input_url
from img2imgd.page.wire import AnimationFile, Axis, FrameView, JobView, SheetFile, iso_or_none
from img2imgd.request import Request, RequestKeys, canonical_keys, plain_keys, sidecar_text
from img2imgd.status import ended_of

PictureSize = Callable[[str, int], tuple[int, int] | None]  # (job, frame) → its size in pixels

_FORMATS = {".gif": "gif", ".webp": "webp", ".png": "apng"}
_NO_FATE: dict[str, Any] = {
    "reason": "",
    "advice": "",
    "correct": "",
    "retry": False,
    "retry_why": "",
    "ordered": False,
}
_SHEET = "_sheet"
_ELSEWHERE = frozenset({"prompt", "sweep", "gif", "sheet", "images"})  # shown in another way


def job_view(ledger: Ledger, row: JobRow, config: Config, size_of: PictureSize) -> JobView:
    """All about a job.

    Raises:
        EnvironmentFault, LedgerDamaged: the ledger cannot be read.
    """
    request = row.spec.request
    outputs = JobOutputs(config.outbox, row)
    animations, sheet, gone = _assemblies(outputs)
    card = ended_of(row, names_of(config), row.id in ordered_jobs(ledger))
    fate = fate_of(card, correct_of(row, config.failed)) if row.state.ended else _NO_FATE
    return JobView(
        **fields_of(card),
        state=row.state.value,
        ended_at=iso_or_none(row.ended_at),
        started_at=iso_or_none(row.started_at),
        seconds=card.seconds if row.state.ended else None,
        attempts=row.attempts,
        notes=card.notes or row.spec.notes,
        published=card.published,
        gone=gone,
        **fate,
        input=input_url(row.id, LARGE),
        input_thumb=input_url(row.id, THUMB),
        size=size_of(row.id, 0) if request else None,
        sidecar=sidecar_text(canonical_keys(request)) if request else "",
        settings=settings_of(request) if request else (),
        axes=tuple(Axis(key, values) for key, values in request.sweep.items()) if request else (),
        frames_list=_frames(row, request, ledger.frames(row.id), outputs) if request else (),
        animations=animations,
        sheet=sheet,
    )


def settings_of(request: Request) -> tuple[tuple[str, str], ...]:
    """What was asked for, key by key in the order of the docs, in words."""
    plain = plain_keys(canonical_keys(request))
    if request.more_prompts:
        plain["prompts"] = len(request.prompts)
    keys = [key for key in RequestKeys.__struct_fields__ if key in plain and key not in _ELSEWHERE]
    return tuple((key, _in_words(key, plain[key], request)) for key in keys if plain[key] != [])


def _in_words(key: str, value: object, request: Request) -> str:
    swept = request.sweep.get(key, ())
    if len(swept) > 1:
        return f"{swept[0]:g} … {swept[-1]:g} ({len(swept)} values)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        if key == "size":
            return " × ".join(map(str, items))
        return ", ".join(_name(item) for item in items)
    return _name(value)


def _name(value: object) -> str:
    """A style may be a mapping with its name and what it adds."""
    if isinstance(value, dict):
        return str(cast("dict[str, Any]", value).get("name", value))
    return str(value)


def _frames(
    row: JobRow, request: Request, known: list[FrameRow], outputs: JobOutputs
) -> tuple[FrameView, ...]:
    frames = plan_frames(request)
    groups = {
        frame.index: number
        for number, group in enumerate(morphs(frames))
        for frame in group
    }  # fmt: skip
    states = {frame.index: frame for frame in known}
    return tuple(
        _frame(row, frame, label, groups[frame.index], states, outputs)
        for frame, label in zip(frames, captions(frames), strict=True)
    )


def _frame(
    row: JobRow,
    frame: Frame,
    label: str,
    group: int,
    states: Mapping[int, FrameRow],
    outputs: JobOutputs,
) -> FrameView:
    known = states.get(frame.index)
    path, staged = None, None
    with suppress(OSError):  # a disk that does not answer shows nothing
        path = outputs.published(frame.index)
        staged = None if path or row.published else outputs.staged(frame.index)
    seen = path is not None or staged is not None
    return FrameView(
        index=frame.index,
        state=_state(row, known),
        reason=known.reason if known else "",
        label=label,
        seed=frame.seed,
        strength=frame.strength,
        guidance_scale=frame.guidance_scale,
        steps=frame.steps,
        style=frame.style,
        prompt=frame.prompt,
        name=outputs.name(frame.index),
        url=file_url(path) if path else None,
        view=frame_url(row.id, frame.index, LARGE) if seen else None,
        thumb=frame_url(row.id, frame.index, THUMB) if seen else None,
        group=group,
    )


def _state(row: JobRow, known: FrameRow | None) -> str:
    if known is not None and known.reason == CANCELLED_FRAME:
        return JobState.CANCELLED.value
    if known is None:  # of a job that ended under a ledger that is no more
        return (FrameState.PUBLISHED if row.state is JobState.DONE else FrameState.WAITING).value
    return known.state.value


def _assemblies(outputs: JobOutputs) -> tuple[tuple[AnimationFile, ...], SheetFile | None, bool]:
    """The animations, the sheet, and whether what was published is gone."""
    animations: list[AnimationFile] = []
    sheet: SheetFile | None = None
    gone = False
    with suppress(OSError):  # a disk that does not answer shows nothing
        gone = outputs.gone
        for file in outputs.assemblies():
            stem, dot, ending = file.path.rpartition(".")
            if stem.partition("~")[0].endswith(_SHEET):
                sheet = SheetFile(file_url(file.path), file.size)
            else:
                kind = _FORMATS.get(dot + ending, ending)
                animations.append(AnimationFile(file_url(file.path), kind, file.size))
    return tuple(animations), sheet, gone

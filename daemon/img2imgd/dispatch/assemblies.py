"""What is made of a job's finished frames: animations, and a contact sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from img2imgd.dispatch.running import RunningJob
from img2imgd.job import Frame, morphs
from img2imgd.outputs.captions import captions
from img2imgd.outputs.names import MAX_BYTES, MOST_STYLE, cut_bytes, first_free, slug
from img2imgd.outputs.orders import Animation, AnimationFrame, Sheet
from img2imgd.outputs.sheet_plan import plan_sheet
from img2imgd.pool.messages import Assembly
from img2imgd.request import GifSettings, SheetSettings

_COUNTED = re.compile(r"~\d+$")  # of a folder whose name was taken; within it, nothing is


def next_assembly(job: RunningJob) -> Assembly | None:
    """The first that is neither there yet nor was given up; None when all are made."""
    taken = {name.casefold() for name in job.outputs.frames}
    # Without the seed, which stands where frames have their index: so they are listed behind those.
    base = _COUNTED.sub("", job.outputs.name).removesuffix(f"_{job.request.seed}")
    for ending, frames in _wanted(job):
        kept = cut_bytes(base, MAX_BYTES - len(ending.encode()))
        name = first_free(f"{kept}{ending}", lambda n: n.casefold() in taken)
        taken.add(name.casefold())
        target = job.staging.path(job.outputs.name, name)
        if target in job.given_up or target.exists():
            continue
        return _sheet(job, target) if frames is None else _animation(job, target, frames)
    return None


def _wanted(job: RunningJob) -> Iterator[tuple[str, Sequence[Frame] | None]]:
    """The end of each assembly's name, and the frames of an animation; None is the sheet."""
    if not job.has_folder:
        return
    groups = morphs(job.frames) if job.request.wants_gif else []
    for mark, frames in zip(_marks(groups), groups, strict=True):
        painted = [frame for frame in frames if frame.index not in job.refused]
        if len(painted) > 1:
            yield f"_morph{mark}{(job.request.gif or GifSettings()).suffix}", painted
    painted = len(job.frames) - len(job.refused)
    if job.request.wants_sheet and painted > int(job.left_out):  # one picture needs no sheet
        yield "_sheet.png", None


def _marks(groups: Sequence[Sequence[Frame]]) -> list[str]:
    """What tells several animations apart: a number, the style, the seed of a variation."""
    if len(groups) == 1:
        return [""]
    firsts = [frames[0] for frames in groups]
    several_styles = len({frame.style for frame in firsts}) > 1
    several_variations = len({frame.variation for frame in firsts}) > 1
    width = len(str(len(groups) - 1))
    return [
        f"_{number:0{width}}"
        + (f"_{cut_bytes(slug(frame.style), MOST_STYLE)}" if several_styles and frame.style else "")
        + (f"_{frame.seed}" if several_variations else "")
        for number, frame in enumerate(firsts)
    ]


def _animation(job: RunningJob, target: Path, frames: Sequence[Frame]) -> Animation:
    paths = [job.staged_path(frame.index) for frame in frames]
    return Animation(
        frames=tuple(map(AnimationFrame, paths, captions(frames))),
        target=target,
        settings=job.request.gif or GifSettings(),
        text=job.made_from.origin.job_tags(frames[0]).by_keyword,
    )


def _sheet(job: RunningJob, target: Path) -> Sheet:
    """A sheet of all frames; of a job that was cancelled it has no places for the others."""
    made, settings = job.made_from, job.request.sheet or SheetSettings()
    painted = [frame for frame in job.frames if frame.index not in job.refused]
    paths = {frame.index: job.staged_path(frame.index) for frame in painted}
    plan = plan_sheet(
        made.origin.request, painted if job.left_out else job.frames, paths,
        made.origin.picture.name,
        made.picture if settings.input else None, made.origin.ignored,
    )  # fmt: skip
    text = made.origin.job_tags(job.frames[0]).by_keyword
    return Sheet(plan, target, settings.max_side, text)

"""Jobs as the dispatcher holds them while they run, without a daemon around them."""

from __future__ import annotations

from pathlib import Path

from img2imgd.dispatch.running import Painting, RunningJob
from img2imgd.job import JobState, plan_frames
from img2imgd.ledger import FileEntry, JobRow, JobSpec, Outputs
from img2imgd.outputs.metadata import Origin
from img2imgd.outputs.names import folder_name, frame_names
from img2imgd.outputs.orders import Encoding
from img2imgd.outputs.recipe import ModelOrigin, PictureOrigin
from img2imgd.request import Request

TEMPLATE = "{stem}_{index:02}"


def job_of(outbox: Path, **changes: object) -> RunningJob:
    values: dict[str, object] = {
        "prompt": "a lake", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7.5,
        "steps": 10, "seed": 7, "model": "demo",
    }  # fmt: skip
    request = Request(**(values | changes))  # type: ignore[arg-type]
    frames = plan_frames(request)
    names = frame_names(TEMPLATE, request.suffix, "JOB", "cat", "a lake", frames)
    folder = folder_name(TEMPLATE, "JOB", "cat", "a lake", frames[0])
    spec = JobSpec(
        id="JOB", inbox="/in", rel="cat.png", mode="move",
        files=(FileEntry("picture", "cat.png", "/in/cat.png", "move", 1, 1, 1),),
        request=request, outputs=Outputs("", folder if names[1:] else names[0], names),
    )  # fmt: skip
    row = JobRow(spec, JobState.QUEUED, 0, None, None, 0, False, "", "", None, False)
    origin = Origin(
        request=request, picture=PictureOrigin("cat.png", "ab" * 32), model=ModelOrigin("demo"),
        painted_size=(64, 64), scheduler="euler",
    )  # fmt: skip
    encoding = Encoding(request.format, request.quality)
    return RunningJob.begin(row, outbox, Painting(Path("/in/prepared.png"), encoding, origin))


def stage(job: RunningJob, *indexes: int) -> None:
    for index in indexes:
        job.staged_path(index).write_bytes(f"frame {index}".encode())

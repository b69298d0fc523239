"""Parameters of other programs, pasted as text or carried by a picture, do what they meant."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import ExifTags, Image, PngImagePlugin
from served_root import ServedRoot

from img2imgd.request import Request

TEXT = """\
a cottage {by|at} a lake <lora:ink:0.8>
Negative prompt: blurry
Steps: 12, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 187, Size: 128x64, \
Model hash: 0123456789, Model: Demo, Denoising strength: 0.55, Clip skip: 2, Version: v1.10.1"""
PASSED_OVER = "<lora:ink:0.8>, Model hash, Clip skip, Version"


def check_request(request: Request) -> None:
    assert (request.prompt, request.negative_prompt) == (r"a cottage \{by\|at\} a lake", "blurry")
    assert (request.steps, request.seed, request.strength) == (12, 187, 0.55)
    assert (request.scheduler, request.guidance_scale) == ("dpm++_2m_karras", 7.5)
    assert (request.size, request.model) == ((128, 64), "demo")


def notes_of(root: ServedRoot) -> str:
    return json.dumps(root.status(), ensure_ascii=False)


def test_text_pasted_beside_a_picture(root: ServedRoot) -> None:
    Image.new("RGB", (90, 60), "teal").save(root.inbox / "cat.png")
    (root.inbox / "cat.txt").write_text(TEXT)
    assert root.once().returncode == 0
    (job,) = root.jobs()
    check_request(job.spec.asked)
    assert f"Of cat.txt, this has no meaning here: {PASSED_OVER}." in notes_of(root)


def test_a_picture_that_carries_them_needs_no_sidecar(root: ServedRoot) -> None:
    root.write_config(extra="    read_metadata: true\n")
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + TEXT.encode(
        "utf-16-be"
    )
    Image.new("RGB", (90, 60), "teal").save(root.inbox / "cat.jpg", exif=exif)
    assert root.once().returncode == 0
    (job,) = root.jobs()
    check_request(job.spec.asked)
    assert f"Of cat.jpg, this has no meaning here: {PASSED_OVER}." in notes_of(root)


def test_an_output_dropped_into_an_inbox_that_reads_metadata_is_painted_on(
    root: ServedRoot, tmp_path: Path
) -> None:
    root.write_config(extra="    read_metadata: true\n")
    Image.new("RGB", (64, 64), "teal").save(root.inbox / "cat.png")
    (root.inbox / "cat.yaml").write_text("prompt: a lake\nseed: 3\nscheduler: ddim_trailing\n")
    assert root.once().returncode == 0
    (output,) = root.outputs()
    output.rename(root.inbox / "again.png")
    assert root.once().returncode == 0
    first, again = (job.spec.asked for job in root.jobs())
    assert (again.prompt, again.seed, again.strength) == (first.prompt, 3, first.strength)
    assert again.scheduler == "ddim_trailing"


def test_parameters_that_cannot_be_used_are_the_reason_that_is_told(root: ServedRoot) -> None:
    root.write_config(extra="    read_metadata: true\n")
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "a cat\nSteps: abc, Sampler: Euler, CFG scale: 7, Seed: 3")
    Image.new("RGB", (64, 64), "teal").save(root.inbox / "cat.png", pnginfo=chunks)
    assert root.once().returncode == 3
    assert "steps: must be a whole number" in (root.failed / "cat.png.reason.txt").read_text()

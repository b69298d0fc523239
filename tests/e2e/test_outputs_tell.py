"""What comes out says how it was made, to img2imgd's own command and to everybody else's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from sd_parsers import ParserManager
from served_root import ServedRoot

SIDECAR = """\
prompt: a cottage by a lake, 夕焼け
negative_prompt: blurry
seed: 187
steps: 20
strength: 0.75
guidance_scale: 7.5
scheduler: dpm++_2m_karras
"""
SOURCE_TYPE = "compositeWithTrainedAlgorithmicMedia"
SECRETS = ("Leica", "ada lovelace", "GPS", "52 deg", "my garden")


def photograph(path: Path) -> None:
    """A JPEG that tells where, when, with what and by whom it was taken, in EXIF, XMP and IPTC."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Leica"
    exif[ExifTags.Base.Artist] = "ada lovelace"
    exif[ExifTags.Base.ImageDescription] = "my garden"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({
        ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 31.0, 0.0),
        ExifTags.GPS.GPSLongitudeRef: "E", ExifTags.GPS.GPSLongitude: (13.0, 24.0, 0.0),
    })  # fmt: skip
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>ada lovelace</dc:creator></x:xmpmeta>'
    picture = Image.radial_gradient("L").resize((130, 90)).convert("RGB")
    picture.save(path, exif=exif, xmp=xmp, comment=b"my garden")


def exiftool(path: Path) -> dict[str, Any]:
    said = subprocess.run(
        ["exiftool", "-json", "-G1", "-a", "-u", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (tags,) = json.loads(said.stdout)
    return tags


def serve(root: ServedRoot, sidecar: str) -> list[Path]:
    photograph(root.inbox / "cat.jpg")
    (root.inbox / "cat.yaml").write_text(sidecar)
    result = root.once()
    assert result.returncode == 0, result.stderr
    return root.outputs()


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_other_programs_read_how_it_was_made_and_nothing_of_the_input(
    root: ServedRoot, form: str
) -> None:
    (output,) = serve(root, f"{SIDECAR}format: {form}\n")

    read = ParserManager().parse(output)
    assert read is not None
    (sampler,) = read.samplers
    assert [prompt.value for prompt in sampler.prompts] == ["a cottage by a lake, 夕焼け"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["blurry"]
    assert sampler.name == "DPM++ 2M"
    assert sampler.parameters == {
        "steps": "20", "cfg_scale": "7.5", "seed": "187", "scheduler": "Karras",
    }  # fmt: skip
    assert sampler.model is not None
    assert sampler.model.name == "demo"
    assert len(sampler.model.hash or "") == 10
    assert read.metadata["Denoising strength"] == "0.75"
    assert read.metadata["Size"] == "64x48"

    tags = exiftool(output)
    assert tags["XMP-iptcExt:DigitalSourceType"].endswith(SOURCE_TYPE)
    assert tags["XMP-xmp:CreatorTool"].startswith("img2imgd ")
    told = json.dumps({key: value for key, value in tags.items() if not key.startswith("System")})
    assert not [secret for secret in SECRETS if secret in told]


@pytest.mark.parametrize("form", ["gif", "webp", "apng"])
def test_animations_and_sheets_are_marked_too(root: ServedRoot, form: str) -> None:
    sweep = f"sweep: {{strength: [0.3, 0.6, 0.9]}}\ngif: {{format: {form}}}\n"
    outputs = serve(root, f"{SIDECAR}{sweep}")
    assert len(outputs) == 5
    for output in outputs:
        tags = exiftool(output)
        assert tags["XMP-iptcExt:DigitalSourceType"].endswith(SOURCE_TYPE), output.name
        recipe = root.command("recipe", "--job", output)
        assert recipe.returncode == 0, recipe.stderr
        assert "strength:\n  - 0.3\n  - 0.6\n  - 0.9\n" in recipe.stdout, output.name


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_minimal_metadata_tells_that_a_model_made_it_and_no_word_more(
    root: ServedRoot, form: str
) -> None:
    (output,) = serve(root, f"{SIDECAR}format: {form}\nmetadata: minimal\n")
    assert exiftool(output)["XMP-iptcExt:DigitalSourceType"].endswith(SOURCE_TYPE)
    assert b"cottage" not in output.read_bytes()
    assert "cottage".encode("utf-16-be") not in output.read_bytes()
    asked = root.command("recipe", output)
    assert asked.returncode == 2
    assert "does not tell how it was made" in asked.stderr


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_no_metadata_leaves_only_the_colours(root: ServedRoot, form: str) -> None:
    (output,) = serve(root, f"{SIDECAR}format: {form}\nmetadata: none\n")
    groups = {key.partition(":")[0] for key in exiftool(output)}
    assert groups <= {
        "SourceFile", "ExifTool", "System", "File", "PNG", "PNG-pHYs", "JFIF", "RIFF",
        "ICC_Profile", "ICC-header", "ICC-view", "ICC-meas", "ICC-chrm", "Composite",
    }  # fmt: skip
    assert b"img2imgd" not in output.read_bytes()


def test_the_recipe_of_a_frame_or_a_job_is_a_sidecar(root: ServedRoot) -> None:
    outputs = serve(root, f"{SIDECAR}style: [ink, oil]\nsheet: false\n")
    alone = root.command("recipe", outputs[1])
    assert alone.returncode == 0, alone.stderr
    assert "prompt: a cottage by a lake, 夕焼け by oil\n" in alone.stdout
    assert "made this frame (1) from cat.jpg" in alone.stdout
    whole = root.command("recipe", "--job", outputs[1])
    assert "prompt: a cottage by a lake, 夕焼け\n" in whole.stdout
    checked = root.path / "again.yaml"
    checked.write_text(whole.stdout)
    assert "2 frames" in root.command("check", "-c", root.config, checked).stdout


def test_a_picture_of_another_program_has_a_recipe_as_far_as_it_tells(
    root: ServedRoot, tmp_path: Path
) -> None:
    exif = Image.Exif()
    text = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 3, Clip skip: 2"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + text.encode(
        "utf-16-be"
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "theirs.jpg", exif=exif)
    asked = root.command("recipe", tmp_path / "theirs.jpg")
    assert asked.returncode == 0, asked.stderr
    assert "# passed over: Clip skip\n" in asked.stdout
    assert "scheduler: euler_a\n" in asked.stdout


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_has_no_recipe_is_told_in_a_line(
    root: ServedRoot, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "cat.png"
    if content is not None:
        path.write_bytes(content)
    asked = root.command("recipe", path)
    assert asked.returncode == 2
    assert "cat.png" in asked.stderr
    assert len(asked.stderr.splitlines()) <= 2
    assert "Traceback" not in asked.stderr


def test_a_painting_can_have_the_size_of_what_was_dropped(root: ServedRoot) -> None:
    (output,) = serve(root, f"{SIDECAR}restore_size: true\n")
    with Image.open(output) as picture:
        assert picture.size == (130, 90)
    read = ParserManager().parse(output)
    assert read is not None
    assert read.metadata["Size"] == "64x48"

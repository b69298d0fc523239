"""``img2imgd once`` on an inbox with everything that people drop, good and bad, at once."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from accounting import (
    account,
    assert_explained,
    assert_nothing_left_over,
    assert_outputs_whole,
    fingerprints,
    gif_duration,
    reasons,
)
from PIL import Image, ImageStat
from sample_drops import animated_gif, drop, encoded
from served_root import ServedRoot

SIDECAR = "prompt: a lake\nsteps: 4\n"
INFOTEXT = """\
a fox
Negative prompt: blurry
Steps: 5, Sampler: Euler, CFG scale: 7, Seed: 42, Size: 64x64, Denoising strength: 0.6"""
GREY = (128, 128, 128)
LONG = "l" * 251  # with .png and .yml the longest name that a file can have
FAILED = {
    "alone.png": "alone.yaml",
    "broken.png": "line 2",
    "misspelt.png": "Did you mean `strength`?",
    "tags.png": "line 1, prompt: `!!python/object/apply:os.system` is a YAML tag",
    "truncated.png": "cut off",
    "pdf-inside.png": "PDF",
    "notes.txt": "notes.png",
    "paper.pdf": "a PDF document that is cut off",
    "paper.docx": "a text document",
    "unknown-model.png": "sdxl",
    "too-many.png": "1,000 frames",
    "zero.png": "empty",
    "x.png": "not a plain file",
    "y.png": "not a plain file",
}


@dataclass(frozen=True)
class Served:
    """What was dropped, and how the program said it went."""

    root: ServedRoot
    dropped: dict[bytes, bytes]
    result: subprocess.CompletedProcess[str]

    def outputs_of(self, stem: str) -> list[Path]:
        """The files in the outbox that a picture became."""
        return [p for p in self.root.outputs() if p.name.startswith(f"{stem}_")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    base = tmp_path_factory.mktemp("mixed")
    root = ServedRoot(base / "root", base / "config.yaml")
    root.write_config()
    _drop_good(root.inbox)
    _drop_bad(root.inbox)
    _drop_what_is_no_picture(root.inbox)
    dropped = fingerprints(root.inbox)
    return Served(root, dropped, root.once())


def _drop_good(inbox: Path) -> None:
    drop(inbox, "picture-first.png", SIDECAR)
    (inbox / "sidecar-first.yaml").write_text(SIDECAR)
    (inbox / "sidecar-first.png").write_bytes(encoded(seed=2))
    for name, form in (("trio.png", "PNG"), ("trio.jpg", "JPEG"), ("trio.webp", "WEBP")):
        (inbox / name).write_bytes(encoded(form, seed=3))
    (inbox / "trio.yaml").write_text(SIDECAR)
    drop(inbox, "infotext.png", None)
    (inbox / "infotext.txt").write_text(INFOTEXT)
    drop(
        inbox, "words.png", 'prompt: "../../etc/passwd 🦊 Ährenfeld\\n数字/second line"\nsteps: 4\n'
    )
    drop(inbox, f"{LONG}.png", None)
    (inbox / f"{LONG}.yml").write_text(SIDECAR)
    drop(inbox, "line\nbreak.png", SIDECAR)
    drop(inbox, "-rf.png", SIDECAR)
    for name, content in ((b"caf\xe9.png", encoded(seed=5)), (b"caf\xe9.yaml", SIDECAR.encode())):
        Path(os.fsdecode(os.fsencode(inbox) + b"/" + name)).write_bytes(content)
    drop(inbox, "animated.gif", SIDECAR, animated_gif())
    for name, seed in (("one.png", 6), ("two.png", 7)):
        (inbox / name).write_bytes(encoded(seed=seed))
    (inbox / "list.yaml").write_text("prompt: x\nsteps: 4\nimages: [one.png, two.png, three.png]\n")
    drop(inbox / "postcards", "card.png", None)
    (inbox / "postcards" / "_defaults.yaml").write_text(SIDECAR)
    drop(inbox, "sweep.png", "prompt: x\nsteps: 10\nsweep: {strength: [0.1, 0.2, 0.3, 0.4, 0.5]}\n")
    Image.new("RGB", (64, 64), GREY).save(inbox / "sweep.png")


def _drop_bad(inbox: Path) -> None:
    drop(inbox, "alone.png", None)
    drop(inbox, "broken.png", "prompt: [a lake\nsteps: 4\n")
    drop(inbox, "misspelt.png", "prompt: a lake\nstrenght: 0.5\n")
    owned = inbox.parent / "owned"
    drop(inbox, "tags.png", f"prompt: !!python/object/apply:os.system ['touch {owned}']\n")
    drop(inbox, "truncated.png", SIDECAR, encoded()[:3000])
    drop(inbox, "pdf-inside.png", SIDECAR, b"%PDF-1.4 and so on")
    drop(inbox, "unknown-model.png", "prompt: x\nmodel: sdxl\n")
    drop(inbox, "too-many.png", "prompt: x\nsweep: {strength: {from: 0.001, to: 1, count: 1000}}\n")
    (inbox / "zero.png").write_bytes(b"")


def _drop_what_is_no_picture(inbox: Path) -> None:
    (inbox / "notes.txt").write_text("milk and eggs")
    drop(inbox, "paper.pdf", SIDECAR, b"%PDF-1.4 and so on")
    (inbox / "paper.docx").write_bytes(b"PK and so on")
    (inbox / "x.png").symlink_to("/etc/passwd")
    (inbox / "x.yaml").write_text(SIDECAR)
    os.mkfifo(inbox / "y.png")
    (inbox / "z.png").mkdir()


def test_the_exit_code_says_that_some_failed(served: Served) -> None:
    assert served.result.returncode == 3, served.result.stderr


def test_every_dropped_file_is_in_one_place_with_its_bytes(served: Served) -> None:
    places = account(served.root, served.dropped, stays={b"postcards/_defaults.yaml"})
    in_failed = {os.fsdecode(name) for name, place in places.items() if place == "failed"}
    sidecars = {f"{Path(name).stem}.yaml" for name in FAILED} & set(map(os.fsdecode, places))
    assert in_failed == {*FAILED, *sidecars}


def test_every_failure_has_a_reason_that_a_person_understands(served: Served) -> None:
    assert_explained(served.root)
    said = reasons(served.root)
    assert set(said) == {*FAILED, "list.yaml"}
    for name, words in FAILED.items():
        assert words in said[name].replace("\n", " "), said[name]
        assert "To try again, put" in said[name]


def test_a_list_with_a_missing_picture_serves_the_others_and_says_which_is_missing(
    served: Served,
) -> None:
    assert len(served.outputs_of("one")) == len(served.outputs_of("two")) == 1
    text = reasons(served.root)["list.yaml"]
    assert "three.png" in text
    assert "one.png" not in text
    assert "Put" in text


def test_spool_and_staging_are_empty(served: Served) -> None:
    assert_nothing_left_over(served.root)
    assert (served.root.inbox / "z.png").is_dir()


def test_every_output_decodes_and_there_are_as_many_as_asked(served: Served) -> None:
    assert_outputs_whole(served.root)
    asked = {
        "picture-first": 1, "sidecar-first": 1, "trio": 3, "infotext": 1, "words": 1,
        "line-break": 1, "rf": 1, "caf": 1, "animated": 1, "one": 1, "two": 1, "card": 1,
    }  # fmt: skip
    assert {stem: len(served.outputs_of(stem)) for stem in asked} == asked
    frames = [p for p in served.outputs_of("sweep") if "strength" in p.name]
    long_ones = served.outputs_of("l" * 100) or [
        p for p in served.root.outputs() if p.name.startswith("l" * 100)
    ]
    assert len(frames) == 5
    assert len(long_ones) == 1
    pictures = [p for p in served.root.outputs() if p.suffix == ".png"]
    sheets = [p for p in pictures if p.stem.endswith("_sheet")]
    assert len(pictures) - len(sheets) == sum(asked.values()) + 5 + 1


def test_a_sweep_becomes_a_folder_of_frames_in_order_and_a_gif(served: Served) -> None:
    (gif,) = [p for p in served.outputs_of("sweep") if p.suffix == ".gif"]
    assert gif_duration(gif) == 5 * 400
    frames = sorted(gif.parent.glob("sweep_x_0*_*.png"))
    # The fake engine gives its colour more weight with more strength.
    distances = []
    for path in frames:
        with Image.open(path) as frame:
            means = ImageStat.Stat(frame).mean
        distances.append(sum(abs(mean - grey) for mean, grey in zip(means, GREY, strict=True)))
    assert distances == sorted(set(distances))


def test_subfolders_are_mirrored(served: Served) -> None:
    assert (served.root.done / "postcards" / "card.png").exists()
    assert len(list((served.root.outbox / "postcards").glob("card_*.png"))) == 1


def test_names_of_outputs_are_safe_everywhere(served: Served) -> None:
    for path in served.root.outputs():
        assert path.name.isprintable()
        assert not path.name.startswith(("-", "."))
        assert len(os.fsencode(path.name)) <= 200
        path.name.encode("utf-8")  # no surrogates: Samba and macOS refuse them


def test_infotext_parameters_are_followed(served: Served) -> None:
    (output,) = served.outputs_of("infotext")
    assert output.name.endswith("_42.png")
    with Image.open(output) as image:
        assert image.size == (64, 64)


def test_no_sidecar_ran_code_and_no_link_was_followed(served: Served) -> None:
    assert not (served.root.path / "owned").exists()
    assert (served.root.failed / "x.png").is_symlink()
    assert Path("/etc/passwd").exists()


def test_the_summary_names_every_picture_on_one_line_each(served: Served) -> None:
    lines = served.result.stdout.splitlines()
    rest = [line for line in lines if not line.startswith(("done ", "failed ", " " * 8))]
    assert not rest, "names and reasons may not break a line of the summary"
    for name in FAILED:
        assert any(line.startswith(f"failed  {name}: ") for line in lines), name
    assert any("line\\nbreak.png" in line for line in lines)
    assert any("caf\\xe9.png" in line for line in lines)


def test_stderr_holds_the_log_and_nothing_else(served: Served) -> None:
    for line in served.result.stderr.splitlines():
        assert line.startswith("20"), line
        assert "ERROR" not in line

"""What is made of finished frames: animations by prompt, style and variation, and one sheet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from running_jobs import job_of

from img2imgd.dispatch.assemblies import next_assembly
from img2imgd.dispatch.running import RunningJob
from img2imgd.outputs.orders import Animation, Sheet
from img2imgd.request import GifSettings, SheetSettings

SWEEP = {"strength": (0.2, 0.4)}


def assemblies(job: RunningJob) -> list[Animation | Sheet]:
    """All of them in turn, each made (as an empty file) before the next is asked for."""
    made: list[Animation | Sheet] = []
    while (assembly := next_assembly(job)) is not None:
        made.append(assembly)
        assembly.target.touch()
    return made


def animations(job: RunningJob) -> list[tuple[str, list[str]]]:
    """The animations' names and those of their frames."""
    return [
        (made.target.name, [frame.path.name for frame in made.frames])
        for made in assemblies(job)
        if isinstance(made, Animation)
    ]


def sheets(job: RunningJob) -> list[Sheet]:
    return [made for made in assemblies(job) if isinstance(made, Sheet)]


def test_a_sweep_has_an_animation_for_each_style_and_variation(tmp_path: Path) -> None:
    job = job_of(tmp_path, styles=("ink", "oil"), n=2, sweep=SWEEP)
    marks = ("0_ink_7", "1_ink_8", "2_oil_7", "3_oil_8")
    assert animations(job) == [
        (f"cat_morph_{mark}.gif", [f"cat_0{2 * at}.png", f"cat_0{2 * at + 1}.png"])
        for at, mark in enumerate(marks)
    ]


def test_a_sweep_of_several_prompts_has_one_for_each_though_they_draw_the_same(
    tmp_path: Path,
) -> None:
    job = job_of(tmp_path, more_prompts=("a lake", "{a|a} lake"), sweep=SWEEP)
    names = [frames for _, frames in animations(job)]
    assert names == [[f"cat_0{i}.png", f"cat_0{i + 1}.png"] for i in (0, 2, 4)]


@pytest.mark.parametrize("changes", [{"more_prompts": ("b", "c")}, {"n": 3}])
def test_one_asked_for_without_a_sweep_shows_prompts_or_variations(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    job = job_of(tmp_path, gif=GifSettings(), gif_asked=True, **changes)
    ((name, frames),) = animations(job)
    assert (name, len(frames)) == ("cat_morph.gif", 3)


@pytest.mark.parametrize(
    "changes",
    [{}, {"n": 3}, {"sweep": SWEEP, "gif": None},
     {"sweep": {"strength": (0.2, 0.4), "guidance_scale": (3, 9)}}],
)  # fmt: skip
def test_no_animation_where_none_is_wanted(tmp_path: Path, changes: dict[str, object]) -> None:
    assert animations(job_of(tmp_path, **changes)) == []


@pytest.mark.parametrize(("form", "suffix"), [("gif", ".gif"), ("webp", ".webp"), ("apng", ".png")])
def test_an_animation_is_named_by_its_format(tmp_path: Path, form: str, suffix: str) -> None:
    gif = GifSettings(format=form)  # type: ignore[arg-type]
    ((name, _),) = animations(job_of(tmp_path, sweep=SWEEP, gif=gif))
    assert name == f"cat_morph{suffix}"


def test_frames_are_captioned_by_what_varies(tmp_path: Path) -> None:
    animation = assemblies(job_of(tmp_path, sweep=SWEEP))[0]
    assert isinstance(animation, Animation)
    assert [frame.label for frame in animation.frames] == ["strength 0.2", "strength 0.4"]


def test_refused_frames_are_in_no_animation_and_empty_on_the_sheet(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep={"strength": (0.2, 0.4, 0.6)})
    job.refused[1] = "no room"
    assert animations(job) == [("cat_morph.gif", ["cat_00.png", "cat_02.png"])]
    (target,) = (job.staging.folder / "cat").glob("*_sheet.png")
    target.unlink()
    (sheet,) = sheets(job)
    assert [path and path.name for path in sheet.plan.tables[0].tiles[0]] == [
        "cat_00.png", None, "cat_02.png",
    ]  # fmt: skip


def test_animations_keep_their_number_whichever_frames_are_refused(tmp_path: Path) -> None:
    job = job_of(tmp_path, styles=("ink", "oil"), sweep=SWEEP)
    job.refused = {0: "no room", 1: "no room"}
    assert [name for name, _ in animations(job)] == ["cat_morph_1_oil.gif"]


def test_every_job_of_several_frames_has_a_sheet_after_its_animations(tmp_path: Path) -> None:
    *_, last = assemblies(job_of(tmp_path, styles=("ink", "oil"), sweep=SWEEP))
    assert isinstance(last, Sheet)
    assert last.target.name == "cat_sheet.png"
    assert not last.plan.input_first


def test_a_sheet_shows_the_input_and_is_as_large_as_asked(tmp_path: Path) -> None:
    settings = SheetSettings(input=True, max_side=900)
    (sheet,) = sheets(job_of(tmp_path, n=2, sheet=settings))
    assert sheet.plan.input_first
    assert sheet.plan.tables[0].tiles[0][0] == Path("/in/prepared.png")
    assert sheet.max_side == 900


def test_a_sheet_tells_nothing_that_the_model_ignores(tmp_path: Path) -> None:
    job = job_of(tmp_path, n=2)
    origin = replace(job.made_from.origin, ignored=("guidance_scale",))
    (told,) = sheets(job)
    assert "guidance scale 7.5" in told.plan.settings
    told.target.unlink()
    job.painting = replace(job.made_from, origin=origin)
    (sheet,) = sheets(job)
    assert "guidance" not in sheet.plan.settings


@pytest.mark.parametrize("changes", [{}, {"n": 2, "sheet": None}])
def test_no_sheet_where_none_is_wanted(tmp_path: Path, changes: dict[str, object]) -> None:
    assert sheets(job_of(tmp_path, **changes)) == []


def test_what_could_not_be_made_is_not_tried_again(tmp_path: Path) -> None:
    job = job_of(tmp_path, sweep=SWEEP)
    first = next_assembly(job)
    assert first is not None
    job.given_up.add(first.target)
    second = next_assembly(job)
    assert isinstance(second, Sheet)


def test_names_of_frames_are_never_taken(tmp_path: Path) -> None:
    job = job_of(tmp_path, n=2)
    taken = ("cat_sheet.png", "cat_01.png")
    job.outputs = type(job.outputs)(job.outputs.folder, job.outputs.name, taken)
    (sheet,) = sheets(job)
    assert sheet.target.name == "cat_sheet~2.png"


def test_animations_and_sheets_carry_the_recipe_of_the_whole_job(tmp_path: Path) -> None:
    for made in assemblies(job_of(tmp_path, sweep=SWEEP)):
        assert '"index":null' in made.text["XML:com.adobe.xmp"]
        assert made.text["parameters"].startswith("a lake\nSteps: 10")

"""The sheet of a job: what becomes a row, a column, a heading, and what is said once above."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from img2imgd.job import Frame, plan_frames
from img2imgd.outputs.sheet_plan import SheetPlan, plan_sheet
from img2imgd.request import Request, StyleTexts

STRENGTHS = (0.05, 0.1, 0.5)


def request(**keys: Any) -> Request:
    defaults: dict[str, Any] = {
        "prompt": "a cottage", "negative_prompt": "", "strength": 0.75, "guidance_scale": 9.0,
        "steps": 50, "seed": 187, "model": "sd21",
    }  # fmt: skip
    return Request(**{**defaults, **keys})


def files(frames: Sequence[Frame]) -> Mapping[int, Path]:
    return {frame.index: Path(f"{frame.index}.png") for frame in frames}


def planned(wanted: Request, frames: Sequence[Frame] = (), **more: Any) -> SheetPlan:
    frames = frames or plan_frames(wanted)
    return plan_sheet(wanted, frames, files(frames), "cat.png", **more)


def shown(plan: SheetPlan) -> list[int]:
    """The frames' indices in the order of the tiles."""
    tiles = [path for table in plan.tables for row in table.tiles for path in row]
    return [int(path.stem) for path in tiles if path]


def drawn(frames: Sequence[Frame], prompts: Sequence[str]) -> list[Frame]:
    """Frames whose prompts were drawn for each of them."""
    return [replace(frame, prompt=prompt) for frame, prompt in zip(frames, prompts, strict=True)]


def test_one_frame_is_a_tile_without_a_label() -> None:
    plan = planned(request())
    assert (plan.title, plan.columns.labels, plan.rows) == ("a cottage", ("",), None)
    assert plan.settings == (
        "strength 0.75 · guidance scale 9 · 50 steps · seed 187 · model sd21 · cat.png"
    )
    assert shown(plan) == [0]


def test_settings_that_had_no_effect_are_not_told() -> None:
    plan = planned(request(), ignored={"guidance_scale", "negative_prompt"})
    assert plan.settings == "strength 0.75 · 50 steps · seed 187 · model sd21 · cat.png"


def test_a_sweep_is_one_row_with_its_values_and_not_among_the_settings() -> None:
    plan = planned(request(sweep={"strength": STRENGTHS}))
    assert (plan.columns.name, plan.columns.labels) == ("strength", ("0.05", "0.10", "0.50"))
    assert plan.rows is None
    assert plan.settings == "guidance scale 9 · 50 steps · seed 187 · model sd21 · cat.png"


def test_variations_are_told_by_their_seeds() -> None:
    plan = planned(request(n=3, seed=2**32 - 2))
    assert plan.columns.name == "seed"
    assert plan.columns.labels == ("4294967294", "4294967295", "0")
    assert "seed" not in plan.settings


def test_styles_are_told_by_their_names_and_the_title_has_none_of_them() -> None:
    plan = planned(request(styles=("", "carl rungius")))
    assert (plan.columns.name, plan.columns.labels) == ("style", ("no style", "carl rungius"))
    assert plan.title == "a cottage"


def test_a_single_style_stands_in_the_title() -> None:
    assert planned(request(styles=("carl rungius",), n=2)).title == "a cottage by carl rungius"


def test_the_inner_axis_of_two_runs_along_the_columns() -> None:
    plan = planned(request(sweep={"guidance_scale": (7.0, 7.5), "strength": STRENGTHS}))
    assert plan.rows is not None
    assert (plan.rows.name, plan.rows.labels) == ("guidance scale", ("7.0", "7.5"))
    assert (plan.columns.name, plan.columns.labels) == ("strength", ("0.05", "0.10", "0.50"))
    (table,) = plan.tables
    assert [[path and path.stem for path in row] for row in table.tiles] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
    ]


def test_styles_are_the_rows_of_a_sweep() -> None:
    plan = planned(request(styles=("ink", "oil"), sweep={"strength": STRENGTHS}))
    assert plan.rows is not None
    assert (plan.rows.name, plan.rows.labels, plan.columns.name) == (
        "style", ("ink", "oil"), "strength",
    )  # fmt: skip


def test_further_axes_become_tables_with_headings() -> None:
    plan = planned(
        request(
            styles=("ink", "oil"), n=2, sweep={"guidance_scale": (3.0, 9.0), "strength": STRENGTHS}
        )
    )
    assert [table.heading for table in plan.tables] == [
        "ink · seed 187", "ink · seed 188", "oil · seed 187", "oil · seed 188",
    ]  # fmt: skip
    assert shown(plan) == list(range(24))


def test_an_axis_with_one_value_is_a_setting() -> None:
    plan = planned(request(steps=1, sweep={"strength": (1.0,), "guidance_scale": (3.0, 9.0)}))
    assert plan.columns.name == "guidance scale"
    assert plan.settings.startswith("strength 1 · 1 step · ")


def test_variations_of_swept_seeds_are_a_table() -> None:
    plan = planned(request(n=2, sweep={"seed": (10, 20)}))
    assert plan.rows is not None
    assert (plan.rows.name, plan.rows.labels) == ("variation", ("seed", "seed + 1"))
    assert (plan.columns.name, plan.columns.labels) == ("seed", ("10", "20"))
    assert "seed" not in plan.settings


def test_swept_seeds_whose_variations_meet_are_a_table_too() -> None:
    plan = planned(request(n=2, sweep={"seed": (10, 11)}))
    assert plan.rows is not None
    assert shown(plan) == [0, 1, 2, 3]


def test_a_value_twice_is_two_tiles_of_a_row() -> None:
    plan = planned(request(n=2, sweep={"strength": (0.5, 0.5)}))
    assert (plan.rows, plan.columns.name) == (None, "seed")
    assert plan.columns.labels == ("187", "187", "188", "188")
    assert shown(plan) == [0, 1, 2, 3]


def test_several_prompts_are_the_rows_and_the_picture_the_title() -> None:
    wanted = request(sweep={"strength": (0.3, 0.6)})
    both = [*plan_frames(wanted), *plan_frames(wanted)]
    frames = [replace(frame, index=index) for index, frame in enumerate(both)]
    plan = planned(wanted, drawn(frames, ["a cat", "a cat", "a dog", "a dog"]))
    assert plan.rows is not None
    assert (plan.title, plan.rows.name, plan.rows.labels) == (
        "cat.png", "prompt", ("a cat", "a dog"),
    )  # fmt: skip
    assert "cat.png" not in plan.settings


def test_prompts_and_styles_cross_whatever_a_style_does_to_the_words() -> None:
    wanted = request(
        prompt="a cat", more_prompts=("a dog",), styles=("ink", "oil"),
        style_texts={"oil": StyleTexts("oily, {prompt}, thick")},
    )  # fmt: skip
    plan = planned(wanted, plan_frames(wanted))
    assert plan.rows is not None
    assert (plan.rows.labels, plan.columns.labels) == (("a cat", "a dog"), ("ink", "oil"))
    assert shown(plan) == [0, 1, 2, 3]


def test_a_style_that_wraps_the_prompt_leaves_the_title_alone() -> None:
    wanted = request(styles=("ink", "oil"))
    frames = drawn(plan_frames(wanted), ["inky, a cottage", "oily, a cottage, thick"])
    plan = planned(wanted, frames)
    assert (plan.title, plan.columns.labels) == ("a cottage", ("ink", "oil"))


def test_prompts_drawn_for_each_variation_stand_with_its_seed() -> None:
    wanted = request(n=2, sweep={"strength": (0.3, 0.6)})
    frames = drawn(plan_frames(wanted), ["ink", "ink", "oil", "oil"])
    plan = planned(wanted, frames)
    assert plan.rows is not None
    assert plan.rows.labels == ("187 · ink", "188 · oil")


def test_prompts_drawn_frame_by_frame_stand_at_every_tile() -> None:
    wanted = request(n=2, sweep={"strength": (0.3, 0.6)})
    plan = planned(wanted, drawn(plan_frames(wanted), ["ink", "oil", "gouache", "ink"]))
    assert plan.rows is None
    assert plan.columns.labels == (
        "ink · 187 · 0.3", "oil · 187 · 0.6", "gouache · 188 · 0.3", "ink · 188 · 0.6",
    )  # fmt: skip


def test_a_frame_that_was_not_painted_has_a_place_without_a_file() -> None:
    wanted = request(n=3)
    frames = plan_frames(wanted)
    paths = {frame.index: Path(f"{frame.index}.png") for frame in frames if frame.index != 1}
    (table,) = plan_sheet(wanted, frames, paths, "cat.png").tables
    assert table.tiles == ((Path("0.png"), None, Path("2.png")),)


def test_the_input_is_the_first_of_a_row() -> None:
    plan = planned(request(n=2), input_path=Path("99.png"))
    assert (plan.columns.labels, plan.input_first) == (("input", "187", "188"), True)
    assert (shown(plan), plan.frame_count) == ([99, 0, 1], 2)


def test_the_input_stands_apart_from_a_table() -> None:
    plan = planned(request(n=2, styles=("ink", "oil")), input_path=Path("99.png"))
    assert (plan.input, plan.input_first) == (Path("99.png"), False)
    assert (shown(plan), plan.frame_count) == ([0, 1, 2, 3], 4)


def test_a_job_without_frames_has_no_sheet() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        plan_sheet(request(), (), {}, "cat.png")


def test_a_plan_goes_through_a_pipe() -> None:
    plan = planned(request(n=2, styles=("ink", "oil")), input_path=Path("99.png"))
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["", "ink", "oil", "gouache"]), max_size=3),
    st.integers(1, 4),
    st.dictionaries(
        st.sampled_from(["strength", "guidance_scale", "steps"]),
        st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=1, max_size=3).map(tuple),
        max_size=3,
    ),
)
def test_every_frame_has_exactly_one_tile(
    styles: list[str], n: int, sweep: dict[str, tuple[float, ...]]
) -> None:
    whole_steps = {
        axis: tuple(int(value * 4) for value in values) if axis == "steps" else values
        for axis, values in sweep.items()
    }
    plan = planned(request(styles=tuple(styles), n=n, sweep=whole_steps))
    assert shown(plan) == list(range(plan.frame_count))
    assert all(len(row) == len(plan.columns.labels) for table in plan.tables for row in table.tiles)

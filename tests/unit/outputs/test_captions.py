"""Frames of an animation are told by what varies."""

from __future__ import annotations

from img2imgd.job import Frame, plan_frames
from img2imgd.outputs.captions import captions
from img2imgd.request import Request


def frames(**changes: object) -> tuple[Frame, ...]:
    values: dict[str, object] = {
        "prompt": "a lake", "negative_prompt": "", "strength": 0.5, "guidance_scale": 7.5,
        "steps": 10, "seed": 187, "model": "demo",
    }  # fmt: skip
    return plan_frames(Request(**(values | changes)))  # type: ignore[arg-type]


def test_values_of_an_axis_have_the_same_decimals() -> None:
    assert captions(frames(sweep={"strength": (0.1, 0.15, 1.0)})) == (
        "strength 0.10", "strength 0.15", "strength 1.00",
    )  # fmt: skip


def test_styles_are_named_and_several_axes_joined() -> None:
    assert captions(frames(styles=("", "ink"), sweep={"guidance_scale": (3.0, 9.0)}))[2:] == (
        "ink · guidance scale 3", "ink · guidance scale 9",
    )  # fmt: skip


def test_variations_are_told_by_their_seeds() -> None:
    assert captions(frames(n=2)) == ("seed 187", "seed 188")


def test_nothing_is_written_where_nothing_varies() -> None:
    assert captions(frames()) == ("",)

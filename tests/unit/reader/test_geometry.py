"""Where a picture goes under a size rule."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img2imgd.reader.geometry import LEAST_KEPT_BY_ROUNDING, TooNarrowError, place
from img2imgd.reader.protocol import SizeRule


@pytest.mark.parametrize(
    ("picture", "rule", "size"),
    [
        ((1536, 1024), SizeRule(768), (768, 512)),
        ((1024, 1536), SizeRule(768), (512, 768)),
        ((100, 100), SizeRule(768), (768, 768)),  # smaller pictures grow
        ((4032, 3024), SizeRule(768), (768, 576)),
        ((4000, 2250), SizeRule(768), (768, 448)),  # 432 lies nearer to 448 than to 384
        ((120, 90), SizeRule(128, multiple=8), (128, 96)),
        ((1000, 700), SizeRule("keep", multiple=8), (1000, 704)),
        ((5, 5), SizeRule("keep", multiple=8), (8, 8)),
        ((640, 480), SizeRule((768, 768)), (768, 768)),
        ((640, 480), SizeRule((770, 500)), (768, 512)),
    ],
)
def test_sides_are_the_nearest_multiples(
    picture: tuple[int, int], rule: SizeRule, size: tuple[int, int]
) -> None:
    assert place(*picture, rule).size == size


def test_rounding_crops_evenly_and_does_not_stretch() -> None:
    placement = place(1000, 700, SizeRule(768))  # 768 × 537.6 becomes 768 × 512
    left, top, right, bottom = placement.box
    assert placement.size == (768, 512)
    assert (left, right) == (0, 1000)
    assert top == pytest.approx(700 - bottom)
    assert (right - left) / (bottom - top) == pytest.approx(768 / 512)


def test_a_pair_covers_contains_or_stretches() -> None:
    cover = place(800, 400, SizeRule((256, 256), "cover"))
    assert cover.box == (200, 0, 600, 400)
    assert cover.inner == (256, 256)
    contain = place(800, 400, SizeRule((256, 256), "contain"))
    assert contain.box == (0, 0, 800, 400)
    assert contain.inner == (256, 128)
    stretch = place(800, 400, SizeRule((256, 256), "stretch"))
    assert stretch.box == (0, 0, 800, 400)
    assert stretch.inner == (256, 256)


@pytest.mark.parametrize("rule", [SizeRule(768), SizeRule("keep"), SizeRule((768, 768))])
def test_a_line_of_pixels_is_refused(rule: SizeRule) -> None:
    with pytest.raises(TooNarrowError, match="would be left"):
        place(1, 20_000, rule)


def test_a_line_of_pixels_can_be_contained() -> None:
    assert place(1, 20_000, SizeRule((768, 768), "contain")).inner == (1, 768)


def test_a_panorama_is_served() -> None:
    assert place(10_000, 1_000, SizeRule(768)).size == (768, 64)


@given(
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.integers(8, 2048) | st.just("keep"),
    st.sampled_from([1, 8, 16, 64]),
)
def test_the_crop_keeps_the_aspect_and_lies_inside(
    width: int, height: int, size: int | Literal["keep"], multiple: int
) -> None:
    rule = SizeRule(size, multiple=multiple)
    try:
        placement = place(width, height, rule)
    except TooNarrowError:
        scale = 1.0 if size == "keep" else size / max(width, height)
        assert min(width, height) * scale < 2 * multiple  # 30×46 at 148: 128×128 would keep 65 %
        return
    left, top, right, bottom = placement.box
    assert all(side > 0 and side % multiple == 0 for side in placement.size)
    assert 0 <= left < right <= width + 1e-6
    assert 0 <= top < bottom <= height + 1e-6
    aspect = placement.size[0] / placement.size[1]
    assert (right - left) / (bottom - top) == pytest.approx(aspect, rel=1e-6)
    assert placement.kept >= LEAST_KEPT_BY_ROUNDING


def test_a_whole_picture_is_stretched_by_the_rounding_instead_of_cut() -> None:
    placement = place(1000, 700, SizeRule(768, whole=True))
    assert placement.size == (768, 512)
    assert placement.box == (0, 0, 1000, 700)
    assert placement.original == (1000, 700)
    assert placement.inside == (0, 0, 768, 512)


def test_what_a_prepared_picture_shows_can_be_given_its_size_again() -> None:
    cover = place(800, 400, SizeRule((256, 256), "cover", whole=True))
    assert (cover.inside, cover.original) == ((0, 0, 256, 256), (400, 400))
    contain = place(800, 400, SizeRule((256, 256), "contain", whole=True))
    assert (contain.inside, contain.original) == ((0, 64, 256, 128), (800, 400))


def test_a_whole_picture_that_is_too_narrow_is_refused_all_the_same() -> None:
    with pytest.raises(TooNarrowError):
        place(1, 20_000, SizeRule(768, whole=True))

"""An animation over its cap is made with fewer pixels, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image, ImageChops, ImageStat
from played import order, shown, sky, staged, walked

from img2imgd.outputs import animation
from img2imgd.outputs.animation import write_animation
from img2imgd.outputs.apng import ApngContainer
from img2imgd.outputs.container import Container, Head
from img2imgd.outputs.fitting import limited, shrunk, size_note


def noise(side: int) -> Image.Image:
    """A picture that no format makes small."""
    plane = Image.effect_noise((side, side), 90)
    return Image.merge("RGB", [plane, plane.rotate(90), plane.rotate(180)])


class CountingContainer(ApngContainer):
    """Counts the frames it packs and the files it begins."""

    packed = begun = 0

    def pack(self, picture: Image.Image) -> bytes:
        CountingContainer.packed += 1
        return super().pack(picture)

    def begin(self, file: BinaryIO, head: Head) -> None:
        CountingContainer.begun += 1
        super().begin(file, head)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingContainer]:
    def container(_: object) -> Container:
        return CountingContainer()

    monkeypatch.setattr(animation, "_container", container)
    monkeypatch.setattr(CountingContainer, "packed", 0)
    monkeypatch.setattr(CountingContainer, "begun", 0)
    return CountingContainer


@pytest.mark.parametrize(("kind", "cap"), [("gif", 0.1), ("webp", 0.1), ("apng", 0.25)])
def test_a_file_over_its_cap_is_made_smaller_until_it_fits(
    tmp_path: Path, kind: str, cap: float
) -> None:
    frames = staged(tmp_path, [noise(160)]) * 6
    target = tmp_path / f"a.{kind}"
    note = write_animation(order(frames, target, format=kind, max_mb=cap))
    width, height = walked(target).size
    assert width == height
    assert 64 < width < 160
    assert len(shown(target)) == 6
    assert 0.7 < target.stat().st_size / (cap * 1_000_000) <= 1  # it fits, and wastes little
    assert note.startswith(f"a.{kind}: It has {width}×{width} pixels, not 160×160: as large as ")
    assert note.endswith(f"MB, and gif.max_mb allows {cap} MB.")


def test_a_file_under_its_cap_is_packed_once(
    tmp_path: Path, counting: type[CountingContainer]
) -> None:
    assert write_animation(order(staged(tmp_path, [sky(64, 0)]) * 9, tmp_path / "a.gif")) == ""
    assert (counting.packed, counting.begun) == (9, 1)


def test_many_frames_over_the_cap_are_packed_once_after_a_look_at_a_few(
    tmp_path: Path, counting: type[CountingContainer]
) -> None:
    frames = staged(tmp_path, [noise(160)]) * 60
    assert "pixels, not 160×160" in write_animation(order(frames, tmp_path / "a.gif", max_mb=2.5))
    assert counting.begun == 1
    assert counting.packed <= 60 + 4 * 5


def test_frames_that_no_sample_foretold_cost_a_second_encoding(
    tmp_path: Path, counting: type[CountingContainer]
) -> None:
    plain, loud = staged(tmp_path, [Image.new("RGB", (128, 128)), noise(128)])
    frames = [loud if index % 5 else plain for index in range(21)]  # 0, 5, 10, 15, 20 are looked at
    note = write_animation(order(frames, tmp_path / "a.gif", max_mb=0.2))
    assert "pixels, not 128×128" in note
    assert (tmp_path / "a.gif").stat().st_size <= 200_000
    assert 2 <= counting.begun <= 3


def test_what_cannot_fit_is_made_as_small_as_it_gets_and_says_so(tmp_path: Path) -> None:
    frames = staged(tmp_path, [noise(128)]) * 60
    note = write_animation(order(frames, tmp_path / "a.png", format="apng", max_mb=0.1))
    assert walked(tmp_path / "a.png").size == (64, 64)
    assert len(shown(tmp_path / "a.png")) == 60
    assert "more than the 0.1 MB that gif.max_mb allows" in note


def test_frames_that_are_small_already_are_never_made_smaller(tmp_path: Path) -> None:
    frames = staged(tmp_path, [noise(48)]) * 60
    note = write_animation(order(frames, tmp_path / "a.png", format="apng", max_mb=0.1))
    assert walked(tmp_path / "a.png").size == (48, 48)
    assert "with 48×48 pixels" in note


@pytest.mark.parametrize(
    ("size", "asked", "given"),
    [((200, 100), 100, (100, 50)), ((100, 200), 64, (32, 64)), ((99, 33), 4000, (99, 33))],
)
def test_the_longest_side_is_as_asked_and_nothing_is_enlarged(
    tmp_path: Path, size: tuple[int, int], asked: int, given: tuple[int, int]
) -> None:
    picture = sky(256, 0.5).resize(size)
    write_animation(
        order(staged(tmp_path, [picture]), tmp_path / "a.png", format="apng", size=asked)
    )
    (frame,) = shown(tmp_path / "a.png")
    assert frame.size == given
    smaller = picture.resize(given, Image.Resampling.LANCZOS)
    assert max(ImageStat.Stat(ImageChops.difference(frame, smaller)).mean) < 2


def test_a_webp_has_no_side_that_webp_does_not_know(tmp_path: Path) -> None:
    frames = staged(tmp_path, [Image.new("RGB", (17_000, 20), "navy")])
    note = write_animation(order(frames, tmp_path / "a.webp", format="webp"))
    assert walked(tmp_path / "a.webp").size[0] <= 16_383
    assert "pixels, not 17000×20: its format has no larger ones" in note
    tall = staged(tmp_path, [Image.new("RGB", (300, 17_000), "navy")])
    write_animation(order(tall, tmp_path / "b.webp", ["a"], format="webp", labels=True))
    assert walked(tmp_path / "b.webp").size[1] <= 16_383


def test_sizes_keep_their_shape_and_at_least_a_pixel() -> None:
    assert limited((4000, 3000), 1000) == (1000, 750)
    assert limited((10_000, 3), 100) == (100, 1)
    assert limited((64, 64), 64) == (64, 64)


def test_each_attempt_is_smaller_than_the_one_before() -> None:
    assert shrunk((1000, 500), 0.25) < 500
    assert shrunk((1000, 500), 0.999999) < 1000
    assert shrunk((70, 70), 0.001) == 64


def test_the_note_names_sizes_in_words() -> None:
    assert size_note((64, 64), (64, 64), 0, 900, 1000) == ""
    note = size_note((1024, 768), (512, 384), 83_456_000, 49_000_000, 50_000_000)
    assert note == (
        "It has 512×384 pixels, not 1024×768: as large as that it would have about 83.5 MB, "
        "and gif.max_mb allows 50 MB."
    )

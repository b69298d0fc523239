"""Labels are readable, fit their width, and leave the picture as it is."""

from __future__ import annotations

import pytest
from PIL import Image, ImageStat

from img2imgd.outputs.labelling import TALLEST, LabelStrip


def strip_of(frame: Image.Image, picture: tuple[int, int]) -> Image.Image:
    return frame.crop((0, picture[1], *frame.size))


@pytest.mark.parametrize("side", [64, 256, 768, 1024, 4096])
@pytest.mark.parametrize("colour", ["white", "black"])
def test_the_letters_stand_out_whatever_the_picture_is(side: int, colour: str) -> None:
    size = (side, side)
    strip = LabelStrip(["0.35"], size)
    frame = strip.below(Image.new("RGB", size, colour), "0.35")
    assert frame.size == strip.size
    assert strip.height <= max(24, side / 16, TALLEST if side > 1024 else 0)
    low, high = ImageStat.Stat(strip_of(frame, size).convert("L")).extrema[0]
    assert high - low > 150


def test_every_frame_has_letters_of_the_size_that_the_longest_text_needs() -> None:
    short, long = "strength 0.05", "strength 0.05, guidance_scale 7.5, by carl rungius"
    size = (256, 256)
    alone, both = LabelStrip([short], size), LabelStrip([short, long], size)
    assert both.height < alone.height
    ends = strip_of(both.below(Image.new("RGB", size), long), size).convert("L")
    assert ends.crop((size[0] - 5, 0, *ends.size)).getextrema() == (24, 24)  # nothing is cut


def test_a_text_too_long_for_any_letters_keeps_its_ends() -> None:
    size = (96, 96)
    texts = [f"{start}{' and so on' * 20}{end}" for start in ("ink", "oil") for end in "12"]
    strip = LabelStrip(texts, size)
    frames = {strip.below(Image.new("RGB", size), text).tobytes() for text in texts}
    assert len(frames) == 4
    other = f"ink{' and so on' * 9} or anything{' and so on' * 9}1"
    assert strip.below(Image.new("RGB", size), other).tobytes() in frames


@pytest.mark.parametrize("text", ["猫 0.35", "سنة", "a\nb", "\0", "é" * 500])
def test_any_text_is_written_on_one_line(text: str) -> None:
    strip = LabelStrip([text], (256, 128))
    assert strip.below(Image.new("RGB", (256, 128)), text).size == strip.size


def test_signs_that_turn_the_direction_or_do_not_print_are_left_out() -> None:
    picture, plain = Image.new("RGB", (256, 128)), "a lake · seed 7"
    strip = LabelStrip([plain], picture.size)
    odd = "a\x1b lake\u202e · \u2066seed\t7"
    assert strip.below(picture, odd).tobytes() == strip.below(picture, plain).tobytes()


@pytest.mark.parametrize("size", [(1, 1), (40, 3000), (63, 63)])
def test_a_picture_too_narrow_for_words_has_no_strip(size: tuple[int, int]) -> None:
    strip, picture = LabelStrip(["strength 0.05"], size), Image.new("RGB", size)
    assert (strip.height, strip.size) == (0, size)
    assert strip.below(picture, "strength 0.05") is picture
    assert strip.note == f"It is {size[0]} pixels wide, too narrow for labels."


def test_without_texts_there_is_no_strip() -> None:
    for strip in (LabelStrip([], (512, 512)), LabelStrip(["", " "], (1, 1))):
        assert (strip.height, strip.note) == (0, "")

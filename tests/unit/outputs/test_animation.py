"""What is true of an animation in every format."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from played import greys, made, order, shown, shown_times, sky, staged, walked

from img2imgd.outputs.animation import write_animation

every_format = pytest.mark.parametrize("kind", ["gif", "webp", "apng"])
XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>ü</x:xmpmeta>"


@every_format
def test_31_equal_frames_are_31_frames_of_400_ms(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, [sky(48, 0.5)] * 31, format=kind)
    assert walked(path).times == [400] * 31
    assert shown_times(path) == [400] * 31


@every_format
def test_frames_are_in_order_and_look_like_their_pictures(tmp_path: Path, kind: str) -> None:
    pictures = [sky(64, index / 4) for index in range(5)]
    for picture, frame in zip(pictures, shown(made(tmp_path, pictures, format=kind)), strict=True):
        assert max(ImageStat.Stat(ImageChops.difference(picture, frame)).mean) < 2


@pytest.mark.parametrize("asked", [{"format": "apng"}, {"format": "webp", "quality": 100}])
def test_apng_and_lossless_webp_keep_every_pixel(tmp_path: Path, asked: dict[str, Any]) -> None:
    pictures = [sky(33, 0.2), Image.effect_noise((33, 33), 80).convert("RGB")]
    frames = shown(made(tmp_path, pictures, **asked))
    assert [frame.tobytes() for frame in frames] == [picture.tobytes() for picture in pictures]


@every_format
@pytest.mark.parametrize(("loop", "plays"), [(0, 0), (1, 2), (5, 6)])
def test_a_loop_of_n_repeats_n_times_after_the_first_play(
    tmp_path: Path, kind: str, loop: int, plays: int
) -> None:
    assert walked(made(tmp_path, greys(2), format=kind, loop=loop)).plays == plays


@every_format
def test_the_longest_loop_can_be_written(tmp_path: Path, kind: str) -> None:
    assert walked(made(tmp_path, greys(2), format=kind, loop=65_535)).plays in (65_535, 65_536)


@every_format
@pytest.mark.parametrize(
    ("count", "way"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2, 1]), (4, [0, 1, 2, 3, 2, 1])]
)
def test_pingpong_plays_back_without_showing_the_ends_twice(
    tmp_path: Path, kind: str, count: int, way: list[int]
) -> None:
    path = made(tmp_path, greys(count), format=kind, pingpong=True, quality=100, duration=50)
    colours = [frame.getpixel((8, 8)) for frame in shown(path)]
    assert colours == [greys(count)[index].getpixel((0, 0)) for index in way]
    assert walked(path).times == [50] * len(way)


@every_format
def test_ends_are_held_at_the_turning_points(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, greys(4), format=kind, duration=100, hold=(700, 1500), pingpong=True)
    assert walked(path).times == shown_times(path) == [700, 100, 100, 1500, 100, 100]


@every_format
def test_metadata_is_where_its_readers_look(tmp_path: Path, kind: str) -> None:
    infotext = "a lake, ü 猫\nSteps: 5, Seed: 7, CFG scale: 9" + ", Note: long" * 40
    text = {"XML:com.adobe.xmp": XMP, "parameters": infotext}
    path = made(tmp_path, greys(3), format=kind, text=text)
    assert walked(path).xmp.decode() == XMP
    with Image.open(path) as animation:
        animation.load()
        if kind == "apng":
            assert animation.info["parameters"] == infotext
        elif kind == "gif":
            assert animation.info["comment"].decode() == infotext
        else:
            comment = animation.getexif().get_ifd(0x8769)[0x9286]
            assert comment == b"UNICODE\0" + infotext.encode("utf-16-be")
            assert animation.info["xmp"].decode() == XMP


@every_format
def test_without_metadata_none_is_written(tmp_path: Path, kind: str) -> None:
    found = walked(made(tmp_path, greys(3), format=kind))
    assert (found.xmp, found.comments) == (b"", [])
    assert not {b"EXIF", b"XMP ", b"tEXt", b"iTXt"} & set(found.names)


@pytest.mark.parametrize("asked", [{"format": "apng"}, {"format": "webp", "quality": 100}])
def test_labels_stand_below_the_pictures_and_change_nothing_in_them(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    pictures = [sky(128, index / 2) for index in range(3)]
    texts = ["strength 0.05", "strength 0.50", "strength 0.95"]
    path = made(tmp_path, pictures, labels=True, texts=texts, **asked)
    frames = shown(path)
    (size,) = {frame.size for frame in frames}
    assert size == walked(path).size
    assert size[0] == 128
    assert 128 < size[1] < 160
    strips = [frame.crop((0, 128, *size)) for frame in frames]
    for frame, picture in zip(frames, pictures, strict=True):
        assert frame.crop((0, 0, 128, 128)).tobytes() == picture.tobytes()
    # "strength 0." stands still, what follows it changes.
    changed = ImageChops.difference(strips[0], strips[2]).getbbox()
    assert changed is not None
    assert changed[0] > 60


@every_format
def test_labels_are_written_only_when_asked_for(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, greys(2, (128, 128)), texts=["a", "b"], format=kind)
    assert walked(path).size == (128, 128)


def test_every_reason_to_differ_from_what_was_asked_is_in_the_note(tmp_path: Path) -> None:
    frames = staged(tmp_path, greys(5, (32, 32)))
    note = write_animation(order(frames, tmp_path / "a.gif", ["x"] * 5, labels=True, total=60))
    assert note.splitlines() == [
        "a.gif: One play of its 5 frames takes 0.1 s, not 0.06 s: a frame is shown for 20 ms at "
        "least, and the held ones as long as asked.",
        "a.gif: It is 32 pixels wide, too narrow for labels.",
    ]


@every_format
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (37, 23), (64, 3)])
def test_any_size_and_a_single_frame(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    for count in (1, 2):
        path = made(tmp_path, greys(count, size), format=kind, pingpong=True)
        assert walked(path).size == size
        assert [frame.size for frame in shown(path)] == [size] * count


@every_format
def test_jpeg_and_webp_frames_are_taken_too(tmp_path: Path, kind: str) -> None:
    pictures = [sky(32, 0), sky(32, 1)]
    frames = [
        *staged(tmp_path, pictures[:1], ".jpg"), *staged(tmp_path, pictures[1:], ".webp")
    ]  # fmt: skip
    assert write_animation(order(frames, tmp_path / "a", format=kind)) == ""
    assert len(shown(tmp_path / "a")) == 2


@every_format
def test_times_beyond_reason_are_the_longest_that_can_be_said(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, greys(2), format=kind, duration=10**9, hold=(10**9, 0))
    assert walked(path).times == [655_350, 655_350]


@every_format
def test_an_older_file_is_replaced_and_no_half_is_left(tmp_path: Path, kind: str) -> None:
    (out := tmp_path / "out").mkdir()
    (out / "a").write_bytes(b"older")
    write_animation(order(staged(tmp_path, greys(2)), out / "a", format=kind))
    assert [entry.name for entry in out.iterdir()] == ["a"]
    assert len(shown(out / "a")) == 2


@every_format
def test_what_cannot_be_made_leaves_the_older_file(tmp_path: Path, kind: str) -> None:
    (out := tmp_path / "out").mkdir()
    (out / "a").write_bytes(b"older")
    good, other = staged(tmp_path, [sky(16, 0), sky(24, 1)])
    (text := tmp_path / "text.png").write_text("no picture")
    (cut := tmp_path / "cut.png").write_bytes(good.read_bytes()[:120])
    for frames, error, words in (
        ([good, other], ValueError, "frame_01.png is 24×24"),
        ([good, text], ValueError, "text.png is no whole picture"),
        ([text, good], ValueError, "text.png is no whole picture"),
        ([good, cut], ValueError, "cut.png is no whole picture"),
        ([good, tmp_path / "absent.png"], FileNotFoundError, "absent.png"),
        ([], ValueError, "at least one frame"),
    ):
        with pytest.raises(error, match=words):
            write_animation(order(frames, out / "a", format=kind))
    assert [(entry.name, entry.read_bytes()) for entry in out.iterdir()] == [("a", b"older")]


def test_a_target_that_cannot_be_written_says_which(tmp_path: Path) -> None:
    frames = staged(tmp_path, greys(2))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_animation(order(frames, tmp_path / "nowhere" / "a.gif"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    with pytest.raises(OSError, match="taken"):
        write_animation(order(frames, tmp_path / "taken"))
    assert not list(tmp_path.glob(".*"))


def test_the_longest_of_file_names_is_taken(tmp_path: Path) -> None:
    target = tmp_path / ("ü" * 125 + ".gif")
    write_animation(order(staged(tmp_path, greys(2)), target))
    assert len(shown(target)) == 2


def test_an_order_goes_to_another_process_and_back(tmp_path: Path) -> None:
    asked = order([tmp_path / "a.png"], tmp_path / "a.gif", ["x"], {"parameters": "y"}, total=500)
    assert pickle.loads(pickle.dumps(asked)) == asked  # noqa: S301 - our own bytes

"""Pictures to animate, and animations read back: by Pillow, and chunk by chunk by the formats."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from img2imgd.outputs.animation import write_animation
from img2imgd.outputs.orders import Animation, AnimationFrame
from img2imgd.request import GifSettings


def sky(size: int, day: float) -> Image.Image:
    """A smooth sky of thousands of colours, from evening (0) to day (1)."""
    down = Image.linear_gradient("L").resize((size, size))
    across = down.transpose(Image.Transpose.ROTATE_90)
    glow = Image.blend(down, across, 0.3)
    return Image.merge(
        "RGB",
        [
            glow.point(lambda value: int(value * 0.8 + 40 * day)),
            down.point(lambda value: int(value * 0.5 + 90 * day)),
            across.point(lambda value: int(120 + value * 0.2 + 80 * day)),
        ],
    )


def greys(count: int, size: tuple[int, int] = (16, 16)) -> list[Image.Image]:
    """Flat pictures, each of another grey."""
    return [Image.new("RGB", size, (index * 20 + 10,) * 3) for index in range(count)]


def staged(folder: Path, pictures: Sequence[Image.Image], suffix: str = ".png") -> list[Path]:
    """The pictures as files."""
    paths = [folder / f"frame_{index:02}{suffix}" for index in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    return paths


def order(
    frames: Sequence[Path],
    target: Path,
    texts: Sequence[str] = (),
    text: dict[str, str] | None = None,
    **settings: Any,
) -> Animation:
    """An animation of these files, with the texts as labels; settings by name."""
    labels = texts or [""] * len(frames)
    shown = tuple(AnimationFrame(*frame) for frame in zip(frames, labels, strict=True))
    return Animation(shown, target, GifSettings(**settings), text or {})


def made(folder: Path, pictures: Sequence[Image.Image], name: str = "a", **asked: Any) -> Path:
    """An animation of these pictures, of which there is nothing to say."""
    target = folder / f"{name}.{asked.get('format', 'gif')}"
    assert write_animation(order(staged(folder, pictures), target, **asked)) == ""
    return target


def shown(path: Path) -> list[Image.Image]:
    """All frames as Pillow shows them."""
    with Image.open(path) as animation:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(animation)]


def shown_times(path: Path) -> list[float]:
    """How long each frame is, in milliseconds, as Pillow reads it."""
    with Image.open(path) as animation:
        times: list[float] = []
        for frame in ImageSequence.Iterator(animation):
            frame.load()
            times.append(frame.info["duration"])
        return times


@dataclass
class Walked:
    """What a file's own chunks say: times in milliseconds, ``plays`` altogether (0: for ever)."""

    size: tuple[int, int] = (0, 0)
    plays: int = -1
    xmp: bytes = b""
    times: list[float] = field(default_factory=lambda: list[float]())
    names: list[bytes] = field(default_factory=lambda: list[bytes]())
    comments: list[str] = field(default_factory=lambda: list[str]())


def walked(path: Path) -> Walked:
    """The file read chunk by chunk to its very end."""
    data = path.read_bytes()
    if data.startswith(b"GIF89a"):
        return _walk_gif(data)
    return _walk_webp(data) if data.startswith(b"RIFF") else _walk_apng(data)


def _walk_gif(data: bytes) -> Walked:
    found = Walked(struct.unpack_from("<HH", data, 6))
    assert data[10] & 0x80 == 0, "no palette is shared"
    at = 13
    while data[at : at + 1] != b";":
        kind, at = data[at : at + 2], at + 2
        if kind[:1] == b",":
            assert struct.unpack_from("<HHHH", data, at - 1) == (0, 0, *found.size)
            bits = data[at + 7] & 7
            at += 8 + 3 * 2 ** (bits + 1) + 1
            _, at = _sub_blocks(data, at)
            found.names.append(b"image")
            continue
        begun = at
        blocks, at = _sub_blocks(data, at)
        if kind == b"!\xf9":
            found.times.append(struct.unpack_from("<H", blocks[0], 1)[0] * 10)
        elif kind == b"!\xfe":
            found.comments.append(b"".join(blocks).decode())
        elif blocks[0] == b"NETSCAPE2.0":
            loop = struct.unpack_from("<H", blocks[1], 1)[0]
            found.plays = loop + 1 if loop else 0
        else:
            assert blocks[0] == b"XMP DataXMP"
            found.xmp = data[begun + 12 : at - 258]
            assert data[at - 258 : at] == bytes([1, *range(255, -1, -1), 0])
    assert at == len(data) - 1
    return found


def _sub_blocks(data: bytes, at: int) -> tuple[list[bytes], int]:
    blocks: list[bytes] = []
    while length := data[at]:
        blocks.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return blocks, at + 1


def _walk_webp(data: bytes) -> Walked:
    name, length, kind = struct.unpack_from("<4sI4s", data)
    assert (name, length, kind) == (b"RIFF", len(data) - 8, b"WEBP")
    found = Walked()
    flags = 0
    for name, content in _riff(data[12:]):
        found.names.append(name)
        if name == b"VP8X":
            flags, found.size = content[0], (_24(content, 4) + 1, _24(content, 7) + 1)
        elif name == b"ANIM":
            found.plays = struct.unpack_from("<H", content, 4)[0]
        elif name == b"ANMF":
            assert (_24(content, 0), _24(content, 3)) == (0, 0)
            assert (_24(content, 6) + 1, _24(content, 9) + 1) == found.size
            found.times.append(_24(content, 12))
            found.names += [inner for inner, _ in _riff(content[16:])]
        elif name == b"XMP ":
            found.xmp = content
    assert bool(flags & 4) == bool(found.xmp)
    assert bool(flags & 8) == (b"EXIF" in found.names)
    assert flags & ~0x0C == 2, "an animation without alpha or profile"
    return found


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        assert at + 8 + length + length % 2 <= len(data)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _walk_apng(data: bytes) -> Walked:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    found, frames, numbers, at = Walked(), 0, list[int](), 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(name + content)
        at += 12 + length
        found.names.append(name)
        if name == b"IHDR":
            found.size = struct.unpack_from(">II", content)
        elif name == b"acTL":
            frames, found.plays = struct.unpack(">II", content)
        elif name == b"fcTL":
            number, width, height, left, top, count, parts, _, _ = struct.unpack(
                ">IIIIIHHBB", content
            )
            assert (width, height, left, top) == (*found.size, 0, 0)
            numbers.append(number)
            found.times.append(count * 1000 / parts)
        elif name == b"fdAT":
            numbers.append(struct.unpack_from(">I", content)[0])
        elif name == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
            found.xmp = content.removeprefix(b"XML:com.adobe.xmp\0\0\0\0\0")
    assert found.names[-1] == b"IEND"
    assert numbers == list(range(len(numbers)))
    assert len(found.times) == frames
    return found

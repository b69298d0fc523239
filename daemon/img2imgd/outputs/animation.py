"""A sweep as an animation: every frame is there, for its time, in a file that is not too large.

GIF, WebP and APNG differ in their containers (``outputs/gif``, ``webp``, ``apng``); order, times,
labels and size are the same for all of them and decided here.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from img2imgd.durable import fsync_path
from img2imgd.outputs.apng import ApngContainer
from img2imgd.outputs.container import MOST_LOOPS, Container, Head
from img2imgd.outputs.fitting import SMALLEST, by, limited, shrunk, size_note
from img2imgd.outputs.gif import GifContainer
from img2imgd.outputs.labelling import TALLEST, LabelStrip
from img2imgd.outputs.orders import FRAME_FORMATS, Animation
from img2imgd.outputs.timing import shown_order, shown_times, timing_note
from img2imgd.outputs.webp import WebpContainer
from img2imgd.request import GifSettings

_SAMPLES = 5  # frames that are packed to estimate the whole
_ESTIMATES, _ENCODINGS = 3, 3  # at most; an estimate that held needs one encoding
_BYTES_PER_FRAME = 2000  # at most, beside those of its pixels
_MOST_THREADS = 4


def write_animation(animation: Animation) -> str:
    """Write an animation durably, replacing an older file; only a few frames are in memory at once.

    Times are rounded to what the format can say (10 ms in a GIF). ``loop`` 0 plays for ever, ``n``
    repeats n times after the first play, in every format. A file over ``max_mb`` is written again
    with fewer pixels. What came out otherwise than asked is said in the note that is returned.

    Raises:
        ValueError: no frames, frames of different sizes, or one that is no whole picture.
        OSError: a frame cannot be read or the target not be written; no half file is left.
    """
    if not animation.frames:
        raise ValueError("an animation needs at least one frame")
    making = _Making(animation)
    with _replaced_whole(animation.target) as file:
        return making.fitted(file)


@contextmanager
def _replaced_whole(target: Path) -> Generator[BinaryIO]:
    """A file under another name, which takes the target's once it is whole and on disk."""
    half = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with half.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    fsync_path(target.parent)


def _container(settings: GifSettings) -> Container:
    match settings.format:
        case "gif":
            return GifContainer()
        case "webp":
            return WebpContainer(settings.quality)
        case "apng":
            return ApngContainer()


class _Making:
    """One animation while it is made, at one size or several until it fits."""

    def __init__(self, animation: Animation) -> None:
        self._animation = animation
        self._settings = settings = animation.settings
        self._container = _container(settings)
        count = len(animation.frames)
        self._order = shown_order(count, pingpong=settings.pingpong)
        self._times = shown_times(count, settings, self._container.tick)
        with _opened(animation.frames[0].path) as picture:
            self._original = picture.size

    def fitted(self, file: BinaryIO) -> str:
        """Write the file, with fewer pixels if it must be; returns what there is to say of it."""
        cap = int(self._settings.max_mb * 1_000_000)
        wanted = limited(self._original, self._settings.size or max(self._original))
        tallest = TALLEST if self._settings.labels else 0
        strip = self._strip(min(max(wanted), self._container.longest_side - tallest))
        needed = whole = self._estimated(strip, cap)
        for _ in range(_ESTIMATES):
            if needed <= cap:
                break
            strip = self._strip(shrunk(strip.picture, cap / needed))
            needed = self._estimated(strip, cap)
        for encoding in range(_ENCODINGS):
            last = encoding == _ENCODINGS - 1 or max(strip.picture) <= SMALLEST
            needed = self._written(file, strip, None if last else cap)
            if needed <= cap or last:
                break
            whole = max(whole, needed)
            strip = self._strip(shrunk(strip.picture, cap / needed))
        notes = (
            timing_note(self._times, self._settings),
            size_note(wanted, strip.picture, whole, needed, cap),
            strip.note,
        )
        return "\n".join(f"{self._animation.target.name}: {note}" for note in notes if note)

    def _strip(self, longest: int) -> LabelStrip:
        """The labels of frames whose longest side is this; without labels, a strip of nothing."""
        texts = [frame.label for frame in self._animation.frames] if self._settings.labels else []
        return LabelStrip(texts, limited(self._original, longest))

    def _estimated(self, strip: LabelStrip, cap: int) -> int:
        """About how many bytes the file will have, told from a few frames; 0 if surely not many."""
        frames, shown = len(self._animation.frames), len(self._order)
        width, height = strip.size
        if shown * (width * height * self._container.bytes_per_pixel + _BYTES_PER_FRAME) < cap:
            return 0
        steps = max(1, min(_SAMPLES, frames) - 1)
        samples = {round(step * (frames - 1) / steps) for step in range(steps + 1)}
        packed = sum(len(self._container.pack(self._frame(index, strip))) for index in samples)
        return packed * shown // len(samples)

    def _written(self, file: BinaryIO, strip: LabelStrip, cap: int | None) -> int:
        """Write the whole file; returns its bytes, or once over the cap, about what it needs."""
        file.seek(0)
        file.truncate()
        loop = min(self._settings.loop, MOST_LOOPS)
        head = Head(strip.size, len(self._order), loop, self._animation.text)
        self._container.begin(file, head)
        packed: list[tuple[int, int]] = []
        with closing(self._blocks(strip)) as blocks:
            showing = zip(self._order, self._times, strict=True)
            for shown, (index, time) in enumerate(showing, start=1):
                if index < len(packed):  # on the way back
                    block = _read_again(file, *packed[index])
                    self._container.add(block, time)
                else:
                    block = next(blocks)
                    packed.append((self._container.add(block, time), len(block)))
                if cap is not None and file.tell() > cap:
                    return max(file.tell() * len(self._order) // shown, cap + 1)
        self._container.end()
        return file.tell()

    def _blocks(self, strip: LabelStrip) -> Generator[bytes]:
        """Every frame's block in turn; those that follow are packed meanwhile, on other cores."""
        threads = min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        ahead: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(threads, "packing") as pool:
            for index in range(len(self._animation.frames)):
                ahead.append(pool.submit(self._container.pack, self._frame(index, strip)))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _frame(self, index: int, strip: LabelStrip) -> Image.Image:
        """A frame as it is shown: in RGB, at its size, with its label."""
        frame = self._animation.frames[index]
        with _opened(frame.path) as picture:
            if picture.size != self._original:
                raise ValueError(
                    f"{frame.path.name} is {by(picture.size)}, the frames before it are "
                    f"{by(self._original)}"
                )
            shown = picture.convert("RGB")
        if shown.size != strip.picture:
            shown = shown.resize(strip.picture, Image.Resampling.LANCZOS, reducing_gap=3)
        return strip.below(shown, frame.label)


@contextmanager
def _opened(path: Path) -> Generator[Image.Image]:
    try:
        with Image.open(path, formats=FRAME_FORMATS) as picture:
            yield picture
    except (OSError, SyntaxError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{path.name} is no whole picture (PNG, JPEG or WebP)") from error


def _read_again(file: BinaryIO, begun: int, length: int) -> bytes:
    file.seek(begun)
    block = file.read(length)
    file.seek(0, os.SEEK_END)
    return block

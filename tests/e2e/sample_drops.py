"""Pictures and sidecars to drop."""

from __future__ import annotations

import io
import random
import zlib
from pathlib import Path

from PIL import Image


def noise(width: int = 96, height: int = 64, seed: int = 1) -> Image.Image:
    """A picture of its own for every seed, which does not compress to nothing."""
    data = random.Random(seed).randbytes(width * height * 3)  # noqa: S311 - a picture, no secret
    return Image.frombytes("RGB", (width, height), data)


def encoded(form: str = "PNG", seed: int = 1, width: int = 96, height: int = 64) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    noise(width, height, seed).save(file, form)
    return file.getvalue()


def animated_gif() -> bytes:
    """A GIF of three frames."""
    file = io.BytesIO()
    frames = [noise(48, 48, seed) for seed in (1, 2, 3)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def drop(folder: Path, name: str, sidecar: str | None, picture: bytes | None = None) -> None:
    """Put a picture and, with ``sidecar``, its YAML beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(
        encoded(seed=zlib.crc32(name.encode())) if picture is None else picture
    )
    if sidecar is not None:
        (folder / name).with_suffix(".yaml").write_text(sidecar, encoding="utf-8")

"""One hostile file and what is to become of it."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

Outcome = Literal["done", "failed", "inbox"]
SIDECAR = b"prompt: a lake\nsteps: 2\n"


@dataclass(frozen=True)
class Case:
    """A file to drop into the inbox and what is said of it.

    ``name`` is its path in the inbox. ``content`` is its bytes, or makes it there. A ``sidecar``
    lies beside it. ``words`` stand in the reason (of one that is served: in the notes). ``about``
    is the path that the reason is told for, where that is not the name.
    """

    name: str
    outcome: Outcome
    words: str
    content: bytes | Callable[[Path], object]
    sidecar: bytes | None = None
    about: str = ""

    @property
    def subject(self) -> str:
        """The path that the job is named after."""
        return self.about or self.name

    def make(self, inbox: Path) -> None:
        """Put it into the inbox."""
        path = inbox / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)
        if self.sidecar is not None:
            stem = path.name.rpartition(".")[0]
            path.with_name(f"{stem}.yaml").write_bytes(self.sidecar)


def noise(width: int = 64, height: int = 64, mode: str = "RGB", seed: int = 1) -> Image.Image:
    """A picture that does not compress to nothing."""
    size = width * height * len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(size))  # noqa: S311


def encoded(form: str = "PNG", picture: Image.Image | None = None, **options: object) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    (picture or noise()).save(file, form, **options)
    return file.getvalue()


def raw(name: bytes) -> str:
    """A name whose bytes are no UTF-8, as Python has it."""
    return os.fsdecode(name)

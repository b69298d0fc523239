"""A picture and its sidecar, put into an inbox as a person would: under free names, whole.

First under a hidden name, which scans pass over; then the sidecar gets its name, then the picture,
so that the picture is never there alone. Nothing is ever replaced.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from pathlib import Path
from typing import BinaryIO

from img2imgd import durable
from img2imgd.outputs.names import numbered, safe_name
from img2imgd.pairing.kinds import Kind, fold, kind_of, split_suffix
from img2imgd.upkeep.leftovers import dropped_part

_naming = threading.Lock()  # two drops of one name look for free ones one after the other
_TRIES = 100


class Upload:
    """A picture on its way into an inbox. All methods raise OSError as the disk does."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        mark = secrets.token_hex(8)
        self._picture = inbox / dropped_part(mark)
        self._sidecar = inbox / dropped_part(f"{mark}-sidecar")
        self._file: BinaryIO = self._picture.open("xb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write some more of it."""
        self._file.write(data)
        self.size += len(data)

    def finish(self, name: str, sidecar: str) -> tuple[str, str]:
        """Give picture and sidecar names that are free, like ``name``; returns them."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        with self._sidecar.open("xb") as file:
            file.write(sidecar.encode())
            file.flush()
            os.fsync(file.fileno())
        with _naming:
            names = self._place(name)
        durable.fsync_path(self._inbox)
        return names

    def abandon(self) -> None:
        """Leave nothing behind; after :meth:`finish` it does nothing."""
        self._file.close()
        for part in (self._picture, self._sidecar):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _place(self, name: str) -> tuple[str, str]:
        for _ in range(_TRIES):
            picture, sidecar = free_names(name, os.listdir(self._inbox))
            try:
                durable.rename_new(self._sidecar, self._inbox / sidecar)
            except FileExistsError:
                continue  # somebody was quicker
            try:
                durable.rename_new(self._picture, self._inbox / picture)
            except BaseException as error:
                (self._inbox / sidecar).rename(self._sidecar)
                if isinstance(error, FileExistsError):
                    continue
                raise
            return picture, sidecar
        raise FileExistsError(f"no name like {name} stays free")


def picture_name(given: bytes) -> str | None:
    """A safe name for a file that a browser calls so; None for what is no picture by its name.

    Browsers give a bare name; what looks like a folder before it is left out.
    """
    name = os.fsdecode(given).replace("\\", "/").rpartition("/")[2]
    name = safe_name(name)
    if kind_of(name) is not Kind.PICTURE:
        return None
    if kind_of(sidecar_of(name)) is not Kind.SIDECAR:  # _defaults.png would bring defaults
        name = f"picture-{name.lstrip('_')}"
    return name


def sidecar_of(picture: str) -> str:
    """The name of a picture's sidecar."""
    return f"{split_suffix(picture)[0]}.yaml"


def free_names(picture: str, taken: list[str]) -> tuple[str, str]:
    """Names for picture and sidecar such that they pair with each other and nothing else."""
    stems = {fold(split_suffix(name)[0]) for name in taken}
    number = 1
    while True:
        [name] = numbered([picture], number)
        stem = split_suffix(name)[0]
        # cat.png.yaml, whose stem is cat.png, would win over cat.yaml.
        if fold(stem) not in stems and fold(name) not in stems:
            return name, sidecar_of(name)
        number += 1

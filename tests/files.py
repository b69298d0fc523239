"""What lies in a folder, and whether its pictures are whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from PIL import Image

_ENDS = {"PNG": b"IEND\xaeB`\x82", "GIF": b";", "JPEG": b"\xff\xd9"}


def fingerprints(folder: Path) -> dict[bytes, bytes]:
    """Relative path → content of every file below; links by target, other kinds by type."""
    base = os.fsencode(folder)
    found: dict[bytes, bytes] = {}
    for where, folders, names in os.walk(base):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        for name in names:
            path = os.path.join(where, name)  # noqa: PTH118 - names that are no text
            found[os.path.relpath(path, base)] = _content(path)
    return found


def _content(path: bytes) -> bytes:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return b"link to " + os.readlink(path)  # noqa: PTH115 - names that are no text
    if not stat.S_ISREG(mode):
        return b"special %o" % stat.S_IFMT(mode)
    with open(path, "rb") as file:  # noqa: PTH123 - names that are no text
        return file.read()


def decode(image: Image.Image) -> None:
    """Decode every frame of an opened picture to its last row.

    Raises:
        OSError, SyntaxError, ValueError: it is not whole.
    """
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        image.load()


def ends_whole(content: bytes, form: str | None) -> bool:
    """False when a file stops before its format's last bytes, which decoders do without."""
    return content.endswith(_ENDS.get(form or "", b""))

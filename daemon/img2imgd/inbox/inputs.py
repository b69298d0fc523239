"""The files of an inbox as what a claim takes of them."""

from __future__ import annotations

import math
import os

from img2imgd.config import Config, InboxConfig
from img2imgd.errors import PictureError
from img2imgd.inbox.scan import Found
from img2imgd.inbox.taking import Input
from img2imgd.outputs.names import cut_bytes
from img2imgd.pairing.kinds import split_suffix
from img2imgd.reader.files import too_large
from img2imgd.request import RequestKeys, sidecar_text

_LONGEST_STEM = 250  # bytes: a name has 255, and ".yaml" comes behind it


class Inputs:
    """Makes inputs of the files that a scan of one inbox found: moved, or copied in keep mode."""

    def __init__(self, config: Config, inbox: InboxConfig) -> None:
        self._inbox = inbox
        self._most_mb = math.ceil(config.limits.max_file_mb)

    @property
    def most_bytes(self) -> int:
        """The largest file that is read."""
        return self._most_mb * 1_000_000

    def of(self, role: str, file: Found) -> Input:
        """A file as an input."""
        path = self._inbox.path / file.rel
        if self._inbox.mode == "move":
            return Input(role, path, file.signature, "move")
        content = b"" if self.too_large(file) else None
        return Input(role, path, file.signature, "copy", content=content)

    def own_copy(self, picture: str, sidecar: Found, keys: RequestKeys) -> Input:
        """The keys of a shared sidecar, as the sidecar of the picture of that name alone."""
        content = sidecar_text(keys).encode()
        path = self._inbox.path / sidecar.rel
        return Input(
            "sidecar", path, sidecar.signature, "copy", name=_own_name(picture), content=content
        )

    def too_large(self, file: Found) -> PictureError | None:
        """Why a file is not read at all, if its size says so."""
        return too_large(self._inbox.path / file.rel, file.signature.size, self._most_mb)


def _own_name(picture: str) -> str:
    """The name of a picture's own sidecar; by its stem, or cut, where the other is too long."""
    for name in (picture, split_suffix(picture)[0]):
        if len(os.fsencode(name)) <= _LONGEST_STEM:
            return f"{name}.yaml"
    return f"{cut_bytes(picture, _LONGEST_STEM)}.yaml"

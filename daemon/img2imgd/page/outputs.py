"""What a job has in the outbox, or in its staging folder, and what its frames are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from img2imgd.durable import look_at
from img2imgd.ledger import JobRow
from img2imgd.outputs.names import is_assembly
from img2imgd.outputs.staging import Staging


@dataclass(frozen=True)
class OutputFile:
    """A file below the outbox: its path there, and its size in bytes."""

    path: str
    size: int


class JobOutputs:
    """The files of one job. All methods raise OSError where a disk does not answer."""

    def __init__(self, outbox: Path, row: JobRow) -> None:
        self._outbox = outbox
        self._row = row
        self._names = row.spec.outputs.frames if row.spec.outputs else ()

    @property
    def has_folder(self) -> bool:
        """True for a job of several frames."""
        return len(self._names) > 1

    @property
    def gone(self) -> bool:
        """True when what was published is there no more."""
        return bool(self._row.published) and not _is_there(self._outbox / self._row.published)

    def name(self, index: int) -> str:
        """A frame's file name."""
        return self._names[index] if index < len(self._names) else ""

    def published(self, index: int) -> str | None:
        """The path below the outbox of a frame that was published; None where it is not there."""
        if not self._row.published or index >= len(self._names):
            return None
        path = self._row.published
        if self.has_folder:
            path = f"{path}/{self._names[index]}"
        return path if _is_there(self._outbox / path) else None

    def staged(self, index: int) -> Path | None:
        """Where a frame lies that is not published yet; None where it is not there."""
        outputs = self._row.spec.outputs
        if outputs is None or index >= len(self._names):
            return None
        name = self._names[index] if self.has_folder else None
        path = Staging(self._outbox, self._row.id).path(outputs.name, name)
        return path if _is_there(path) else None

    def assemblies(self) -> Iterator[OutputFile]:
        """The animations and the sheet, in the order of their names."""
        outputs = self._row.spec.outputs
        if outputs is None or not self._row.published or not self.has_folder:
            return
        folder = self._outbox / self._row.published
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if name in self._names or not is_assembly(name, outputs.name):
                continue
            if (found := look_at(folder / name)) is not None:
                yield OutputFile(f"{self._row.published}/{name}", found.st_size)


def _is_there(path: Path) -> bool:
    return look_at(path) is not None

"""Notes for people who see only the folders: why a folder's pictures are held."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from img2imgd import durable
from img2imgd.outputs.reasons import reason_name, write_reason


class DefaultsNotes:
    """Reason files about ``_defaults.yaml`` files that cannot be used; gone when mended."""

    def __init__(self, failed: Path) -> None:
        self._failed = failed
        self._written: dict[str, str] = {}
        self._fine: set[str] = set()  # files without a note

    def write(self, rel: str, why: str) -> None:
        """Say once why the pictures of a folder wait."""
        if self._written.get(rel) == why:
            return
        path = self._path(rel)
        durable.make_folders(path.parent)
        advice = "Mend the file where it is; the pictures of its folder wait and lose nothing."
        write_reason(path, rel, f"{why}\n\n{advice}", outcome="cannot be used")
        self._written[rel] = why
        self._fine.discard(rel)

    def keep_only(self, broken: Collection[str], seen: Collection[str]) -> None:
        """Remove the notes about files that were mended, those of an earlier process too."""
        for mended in (self._written.keys() | (set(seen) - self._fine)) - set(broken):
            self._path(mended).unlink(missing_ok=True)
            self._written.pop(mended, None)
            self._fine.add(mended)

    def _path(self, rel: str) -> Path:
        target = self._failed / rel
        return target.with_name(reason_name(target.name))

"""Which weights a model is made of, as hashes that other programs and later years understand."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from img2imgd.durable import write_file

log = logging.getLogger(__name__)

CACHE_NAME = "weights.json"
LIBRARIES = ("torch", "diffusers", "transformers")
_WEIGHTS = (".safetensors", ".bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
# Parts that paint nothing: a model is the same with and without them.
_NOT_PAINTING = ("safety_checker", "feature_extractor", "image_encoder")


class WeightHashes:
    """SHA-256 of weight files, kept between starts: gigabytes take seconds to read.

    A file counts as the one that was hashed while its size, time of change and inode stay. The
    cache is only that: where it is damaged or cannot be written, files are read again.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / CACHE_NAME if folder else None
        self._known = _read_cache(self._path) if self._path else {}

    def of_file(self, path: Path) -> str:
        """The file's SHA-256 in hex. The hub's cache names its large files by theirs."""
        real = path.resolve()
        if _SHA256.fullmatch(real.name):
            return real.name
        stat = real.stat()
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = self._known.get(str(real))
        if known and known[:3] == state:
            return str(known[3])
        with real.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[str(real)] = [*state, digest]
        self._write()
        return digest

    def of_model(
        self, source: str, variant: str | None, without: Collection[str] = frozenset()
    ) -> str:
        """The hash of a loaded model's weights: a file, or a diffusers folder.

        Parts ``without`` were not loaded from the folder; of a file the whole is hashed.
        """
        path = Path(source)
        if path.is_file():
            return self.of_file(path)
        return self._of_folder(path, weight_files(path, variant, without))

    def of_part(self, source: str, variant: str | None) -> str:
        """The hash of a part that is loaded by itself, such as an autoencoder."""
        path = Path(source)
        if path.is_file():
            return self.of_file(path)
        return self._of_folder(path, part_files(path, variant))

    def _of_folder(self, folder: Path, files: Iterable[Path]) -> str:
        """One hash for several files of a folder, whatever folder that is."""
        lines = sorted(f"{path.relative_to(folder)} {self.of_file(path)}\n" for path in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _write(self) -> None:
        if self._path is None:
            return
        there = {path: entry for path, entry in self._known.items() if Path(path).exists()}
        try:
            write_file(self._path, json.dumps(there, indent=1).encode())
        except OSError as error:
            log.debug("hashes of weights not kept path=%s: %s", self._path, error)


def _read_cache(path: Path) -> dict[str, list[Any]]:
    """What the cache holds, without whatever has not its form."""
    try:
        read = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    entries = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    return {name: entry for name, entry in entries.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    match entry:
        case [int(), int(), int(), str(digest)]:
            return _SHA256.fullmatch(digest) is not None
        case _:
            return False


def weight_files(
    folder: Path, variant: str | None, without: Collection[str] = frozenset()
) -> list[Path]:
    """The weight files of a diffusers folder that are loaded, in one form and one variant.

    Repositories hold more than their index names: other formats, an older autoencoder.
    """
    index = json.loads((folder / "model_index.json").read_bytes())
    parts = [name for name, value in index.items() if isinstance(value, list)]
    painting = [folder / part for part in parts if part not in {*_NOT_PAINTING, *without}]
    return [file for part in sorted(painting) for file in part_files(part, variant)]


def part_files(part: Path, variant: str | None) -> list[Path]:
    """The weight files of one part that are loaded, as diffusers chooses them."""
    for suffix in _WEIGHTS:
        found = sorted(part.glob(f"*{suffix}"))
        of_variant = [file for file in found if variant and f".{variant}" in file.name]
        plain = [file for file in found if "." not in _SHARD.sub("", file.stem)]
        if of_variant or plain:
            return of_variant or plain
    return []


def variant_of(part: Path, variant: str | None) -> str | None:
    """The variant in which a part is loaded: None where it has plain weights alone."""
    chosen = part_files(part, variant)
    return variant if any(f".{variant}" in file.name for file in chosen) else None


def library_versions() -> dict[str, str]:
    """The versions of the libraries that paint."""
    return {name: metadata.version(name) for name in LIBRARIES}

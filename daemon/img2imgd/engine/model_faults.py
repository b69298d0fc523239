"""Says for a person why a model could not be loaded, from what the libraries raised.

What the hub does not give is told by ``img2imgd.hub.faults``: here the files are on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from img2imgd.engine.devices import causes, first_line, is_device_lost, is_out_of_memory
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

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
            f"the device has failed while {source} was loaded: {first_line(lost)}",
            "See the system's log for the GPU (`dmesg`); the worker is started anew.",
        )
    if Path(source).is_dir():
        return _explain_folder(Path(source), error, folder_advice)
    if Path(source).is_file():
        return _explain_file(Path(source), error)
    return f"{source} could not be loaded: {first_line(error)}", "The log has the details."


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
    return f"{folder} could not be loaded: {first_line(error)}", advice


def _explain_file(file: Path, error: Exception) -> tuple[str, str]:
    damaged = list(_damaged([file]))
    if damaged:
        return f"damaged weights: {file} ({damaged[0][1]}).", "Copy or download this file again."
    if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
        return (  # torch's words for weights that were never filled in
            f"{file} lacks weights of its UNet or autoencoder.",
            "Use the whole checkpoint, or name a folder with its own configs as `config`.",
        )
    return (
        f"{file} could not be loaded: {first_line(error)}",
        "Name a diffusers folder or hub id with the configs of such models as `config`.",
    )


def _damaged(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The safetensors files whose header does not fit their length; reads the headers only."""
    for path in files:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            yield path, first_line(error)

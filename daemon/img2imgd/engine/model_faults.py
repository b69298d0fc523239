"""Says for a person why a model could not be loaded, from what the libraries raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from huggingface_hub import errors as hub
from safetensors import SafetensorError, safe_open

from img2imgd.engine.devices import first_line, is_out_of_memory
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable


def model_unavailable(model: ModelSpec, source: str, error: Exception) -> ModelUnavailable:
    """What to tell of ``error``, raised while ``source`` was loaded for ``model``."""
    what, advice = _explain(model, source, error)
    return ModelUnavailable(f"Model {model.name}: {what}", advice)


def _explain(model: ModelSpec, source: str, error: Exception) -> tuple[str, str]:
    causes = list(_causes(error))
    if any(is_out_of_memory(cause) for cause in causes):
        return (
            f"{source} does not fit into the memory of the device.",
            "Set `engine.offload` to model or sequential, use a smaller model, or free memory.",
        )
    if Path(source).is_dir():
        return _explain_folder(Path(source), error)
    if Path(source).is_file():
        return _explain_file(model, Path(source), error)
    for cause in causes:
        told = _explain_hub(model, source, cause)
        if told is not None:
            return told
    return f"{source} could not be loaded: {first_line(error)}", "The log has the details."


def _explain_folder(folder: Path, error: Exception) -> tuple[str, str]:
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
    return (
        f"{folder} could not be loaded: {first_line(error)}",
        "The folder must be a whole diffusers model, with every part its model_index.json names.",
    )


def _explain_file(model: ModelSpec, file: Path, error: Exception) -> tuple[str, str]:
    damaged = list(_damaged([file]))
    if damaged:
        return f"damaged weights: {file} ({damaged[0][1]}).", "Copy or download this file again."
    if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
        return (  # torch's words for weights that were never filled in
            f"{file} lacks weights of its UNet or autoencoder.",
            "Use the whole checkpoint, or name a folder with its own configs as `config`.",
        )
    for cause in _causes(error):  # the only thing that is fetched for a file is its config
        told = _explain_hub(model, model.config or "", cause)
        if told is not None:
            return told
    return (
        f"{file} could not be loaded: {first_line(error)}",
        "Name a diffusers folder or hub id with the configs of such models as `config`.",
    )


def _explain_hub(model: ModelSpec, source: str, cause: BaseException) -> tuple[str, str] | None:
    match cause:
        case hub.GatedRepoError():
            return (
                f"{source} is gated on the Hugging Face hub.",
                "Accept its terms on its page, then set HF_TOKEN for the daemon.",
            )
        case hub.RepositoryNotFoundError() | hub.HFValidationError():
            return (
                f"there is no {source}, neither as a folder here nor on the Hugging Face hub "
                "(or it is private).",
                "Correct `source` in the models table, or set HF_TOKEN for the daemon.",
            )
        case hub.RevisionNotFoundError():
            return (
                f"{source} has no revision {model.revision!r}.",
                "Correct `revision` in the models table.",
            )
        case hub.LocalEntryNotFoundError() | hub.OfflineModeIsEnabled() if model.offline:
            return (
                f"{source} is not, or not wholly, on this machine, and the daemon is offline.",
                "Set `offline: false` while there is a network: the next start downloads it.",
            )
        case hub.LocalEntryNotFoundError() | hub.OfflineModeIsEnabled():
            return (
                f"{source} is not on this machine, and the Hugging Face hub cannot be reached.",
                "See to the network, or set `source` to a local diffusers folder.",
            )
        case hub.EntryNotFoundError():
            return (
                f"{source} lacks a file: {first_line(cause)}",
                "Use a repository in diffusers' layout, with a model_index.json.",
            )
        case _:
            return None


def _damaged(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The safetensors files whose header does not fit their length; reads the headers only."""
    for path in files:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            yield path, first_line(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__

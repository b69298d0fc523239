"""Refuses models that are not whole: the libraries would fill what is missing with random weights.

diffusers leaves its own models' missing weights without values. transformers fills them in, and
tells only whoever loads a model with it: so the parts that are transformers' are opened here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from img2imgd.engine.identity import variant_of
from img2imgd.engine.model_faults import COPY_AGAIN, misfit
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

_diffusers: Any = diffusers  # it exports lazily: there are no types to name
_pretrained: Any = transformers.PreTrainedModel

Index = Mapping[str, Any]


def named_parts(index: Index) -> dict[str, tuple[str, str]]:
    """The parts that a ``model_index.json`` names, each with its library and class."""
    named: dict[str, tuple[str, str]] = {}
    for name, value in index.items():
        match value:
            case [str(library), str(kind)] if not name.startswith("_"):
                named[name] = library, kind
            case _:
                pass
    return named


def refuse_absent_parts(
    model: ModelSpec, folder: Path, index: Index, without: Iterable[str]
) -> None:
    """Refuse a folder that lacks a part's; a tokenizer would be made up from nothing.

    Raises:
        ModelUnavailable: which parts are not there, apart from those ``without``.
    """
    named = named_parts(index).keys() - set(without)
    absent = sorted(name for name in named if not (folder / name).is_dir())
    if absent:
        raise ModelUnavailable(
            f"Model {model.name}: {folder} lacks {', '.join(absent)}, which its model_index.json "
            "names.",
            COPY_AGAIN,
        )


def open_pretrained(
    model: ModelSpec, folder: Path, index: Index, dtype: torch.dtype, without: Iterable[str]
) -> dict[str, Any]:
    """The parts of a folder that are transformers' models: text encoders, the safety checker.

    Raises:
        ModelUnavailable: one is not whole.
    """
    classes = {name: _pretrained_class(*of) for name, of in named_parts(index).items()}
    return {
        name: open_checked(model, folder / name, kind, dtype)
        for name, kind in classes.items()
        if kind is not None and name not in without
    }


def open_checked(model: ModelSpec, folder: Path, kind: Any, dtype: torch.dtype) -> Any:
    """A part, of a class of transformers, with all of its weights from the folder.

    Raises:
        ModelUnavailable: weights are missing, or have other shapes than its config says.
    """
    part, told = kind.from_pretrained(
        folder,
        dtype=dtype,
        variant=variant_of(folder, model.variant),
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused here, in words
    )
    refuse_missing(model, str(folder), sorted(told["missing_keys"]))
    misfits = sorted(told["mismatched_keys"])
    if misfits:
        name, found, expected = misfits[0]
        raise ModelUnavailable(
            f"Model {model.name}: {folder}: {misfit(name, f'{[*found]}', f'{[*expected]}')}",
            COPY_AGAIN,
        )
    return part


def refuse_gaps(
    model: ModelSpec, source: str, parts: Mapping[str, Any], advice: str = COPY_AGAIN
) -> None:
    """Refuse what diffusers could not fill in wholly: it leaves the rest without values.

    Raises:
        ModelUnavailable: which weights are missing.
    """
    lacking = [
        f"{part}.{name}"
        for part, module in parts.items()
        if isinstance(module, torch.nn.Module)
        for name, weight in module.named_parameters()
        if weight.is_meta
    ]
    refuse_missing(model, source, lacking, advice)


def refuse_missing(
    model: ModelSpec, source: str, lacking: list[str], advice: str = COPY_AGAIN
) -> None:
    """Refuse a model that is said to lack weights."""
    if lacking:
        few = ", ".join(lacking[:3]) + (" …" if len(lacking) > 3 else "")
        weights = f"{len(lacking)} weights" if len(lacking) > 1 else "a weight"
        raise ModelUnavailable(
            f"Model {model.name}: {source} lacks {weights} of its config: {few}.", advice
        )


def _pretrained_class(library: str, name: str) -> Any | None:
    """The class, if it is one that transformers loads: its own, or a safety checker."""
    home = transformers if library == "transformers" else _pipeline_module(library)
    kind: Any = getattr(home, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, _pretrained) else None


def _pipeline_module(name: str) -> Any:
    return getattr(_diffusers.pipelines, name, None)

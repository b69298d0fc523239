"""The settings of a drop, checked as its inbox will check them, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from img2imgd import plainfiles
from img2imgd.config import Config, InboxConfig
from img2imgd.document import Document, validate
from img2imgd.errors import DocumentError, Problem
from img2imgd.inbox.drops import MAX_SIDECAR_BYTES
from img2imgd.inbox.lists import NotYet, lists_beside
from img2imgd.page.wire import Checked, ProblemView
from img2imgd.pairing.kinds import DEFAULTS_NAME
from img2imgd.request import RequestKeys, read_defaults, read_sidecar, resolve, sidecar_text

# Made while nobody else asks: msgspec (0.22) crashes where two threads meet a type the first time.
_MET = msgspec.json.Decoder(RequestKeys)
_NAME = "settings.yaml"
_NONE = "# dropped on the page without settings: those of the folder hold\n"


@dataclass(frozen=True)
class Layers:
    """What holds for pictures of an inbox's own folder, strongest first; or why nothing does."""

    keys: tuple[RequestKeys, ...]
    broken: DocumentError | None = None

    @property
    def has_prompt(self) -> bool:
        """True when pictures need none of their own."""
        return any(layer.has_prompt for layer in self.keys)

    @property
    def merged(self) -> RequestKeys:
        """All as one."""
        merged = RequestKeys()
        for layer in reversed(self.keys):
            merged = layer.over(merged)
        return merged


def layers_of(config: Config, inbox: InboxConfig) -> Layers:
    """The defaults of an inbox: its ``_defaults.yaml``, and those of the config."""
    own = (inbox.defaults, config.defaults, inbox.usual)
    path = _defaults_of(inbox.path)
    if path is None:
        return Layers(own)
    try:
        data = plainfiles.read_regular(path, MAX_SIDECAR_BYTES)
        return Layers((read_defaults(path.name, data), *own))
    except DocumentError as broken:
        return Layers(own, broken)
    except OSError as error:
        problem = Problem(f"it cannot be read: {error.strerror}.")
        return Layers(own, DocumentError(path.name, [problem]))


def check(config: Config, inbox: InboxConfig, settings: dict[str, Any]) -> Checked:
    """What is wrong with the settings, or what they make: frames, and the sidecar's text."""
    try:
        keys = validate(Document(_NAME, settings), RequestKeys)
        if keys.images is not None:
            advice = "Leave it out: each picture is dropped with its own settings."
            raise DocumentError(_NAME, [Problem("lists no pictures here.", 0, "images", advice)])
        text = sidecar_text(keys) if settings else _NONE
        read = read_sidecar(_NAME, text.encode(), config.models)
        layers = layers_of(config, inbox)
        if layers.broken is not None:
            return _refused(_of_folder(layers.broken))
        request = resolve(
            [read, *layers.keys],
            default_model=config.model,
            models=config.models,
            draw_seed=lambda: 0,
            max_frames=config.limits.max_frames,
            name=_NAME,
            outputs=config.outputs,
            lists=lists_beside(inbox.path / _NAME, [inbox.path]),
            folder=inbox.path.name,
        )
    except DocumentError as error:
        return _refused(error.problems)
    except NotYet as waits:
        return _refused([Problem(f"{waits.why}.", advice="Try again when it is there.")])
    except RecursionError:
        return _refused([Problem("is nested too deeply.")])
    return Checked((), request.frame_count, text)


def _defaults_of(folder: Path) -> Path | None:
    """The defaults of a folder; the usual name wins over others that only differ in case."""
    try:
        names = [name for name in os.listdir(folder) if name.casefold() == DEFAULTS_NAME]
    except OSError:
        return None
    names.sort(key=lambda name: (name != DEFAULTS_NAME, name))
    return folder / names[0] if names else None


def _of_folder(broken: DocumentError) -> Sequence[Problem]:
    advice = "Mend that file in the inbox first."
    return [Problem(f"{broken.name} cannot be used: {problem}", advice=advice)
            for problem in broken.problems]  # fmt: skip


def _refused(problems: Iterable[Problem]) -> Checked:
    told = (ProblemView(problem.key, problem.message, problem.advice) for problem in problems)
    return Checked(tuple(told), 0, "")

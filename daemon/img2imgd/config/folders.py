"""Paths in the config: made absolute, and kept apart from each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from img2imgd.config.sections import EmbeddingConfig, LoraConfig, ModelConfig, RefinerConfig
from img2imgd.config.settled import Config
from img2imgd.document import Document
from img2imgd.document import Path as KeyPath
from img2imgd.errors import Problem
from img2imgd.hub.known import is_hub_id

Part = TypeVar("Part", ModelConfig, LoraConfig, EmbeddingConfig, RefinerConfig)


def absolute(text: str, folder: Path, env: Mapping[str, str]) -> Path:
    """A path as written: ``~`` is the home of ``env``, a relative one starts at ``folder``."""
    if text == "~" or text.startswith("~/"):
        return Path(os.path.normpath(home(env) / text[2:]))
    return Path(os.path.normpath(folder / Path(text).expanduser()))


def home(env: Mapping[str, str]) -> Path:
    """The user's home folder."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def state_folder(
    root: Path, env: Mapping[str, str], is_local: Callable[[Path], bool]
) -> tuple[Path, str]:
    """Where the ledger lies if the config does not say, and a note if that is not under the root.

    SQLite's write-ahead log needs shared memory, which network filesystems do not have
    (https://sqlite.org/wal.html).
    """
    if is_local(root):
        return root / "state", ""
    if env.get("STATE_DIRECTORY"):
        state = Path(env["STATE_DIRECTORY"].partition(":")[0])
    else:
        base = env.get("XDG_STATE_HOME") or str(home(env) / ".local" / "state")
        import hashlib  # late: the usual root is on a local disk

        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
        state = Path(base) / "img2imgd" / digest
    return state, f"{root} is on a network filesystem, so the ledger is kept in {state}"


def absolute_model(model: ModelConfig, folder: Path, env: Mapping[str, str]) -> ModelConfig:
    """The model with local sources made absolute; hub ids stay as they are."""

    def place(source: str) -> str:
        return _source(source, folder, env)

    def placed(part: Part) -> Part:
        return structs.replace(part, source=place(part.source))

    refiner = model.refiner
    if refiner is not None:
        config = place(refiner.config) if refiner.config else None
        refiner = structs.replace(placed(refiner), config=config)
    return structs.replace(
        placed(model),
        config=place(model.config) if model.config else None,
        vae=place(model.vae) if model.vae else None,
        loras=tuple(map(placed, model.loras)),
        embeddings=tuple(map(placed, model.embeddings)),
        refiner=refiner,
    )


def _source(text: str, folder: Path, env: Mapping[str, str]) -> str:
    """``OWNER/NAME`` is a hub id unless such a folder lies beside the config; ``hf://…`` always."""
    if text.startswith("hf://"):
        return text
    path = absolute(text, folder, env)
    return text if is_hub_id(text) and not path.exists() else str(path)


def overlaps(config: Config, document: Document | None) -> list[Problem]:
    """Folders that are the same or lie in each other; a root around all of them is fine."""
    named: list[tuple[KeyPath, Path]] = [
        (("inboxes", at, "path"), inbox.path) for at, inbox in enumerate(config.inboxes)
    ]
    named += [((key,), getattr(config, key)) for key in ("outbox", "done", "failed", "state")]
    real = [(key, Path(os.path.realpath(path))) for key, path in named]
    problems = [
        problem
        for at, (key, path) in enumerate(real)
        for other, around in real[:at]
        if (problem := _overlap(key, path, other, around, document))
    ]
    root = Path(os.path.realpath(config.root))
    for key, path in real[: len(config.inboxes)]:
        if root.is_relative_to(path):
            problems.append(Problem(
                "an inbox cannot be the root or lie around it.",
                line=document.line(key) if document else 0, key=_dotted(key),
                advice=f"Take a folder inside, such as {root / 'inbox'}."))  # fmt: skip
    return problems


def _overlap(
    key: KeyPath, path: Path, other: KeyPath, around: Path, document: Document | None
) -> Problem | None:
    if path == around:
        message = f"is the same folder as {_dotted(other)}: {path}."
    elif path.is_relative_to(around):
        message = f"{path} lies inside {_dotted(other)}: {around}."
    elif around.is_relative_to(path):
        message = f"{path} lies around {_dotted(other)}: {around}."
    else:
        return None
    lines = [document.line(key), document.line(other)] if document else [0]
    line = lines[0] or lines[-1]
    return Problem(message, line=line, key=_dotted(key), advice="Give each a folder of its own.")


def _dotted(key: KeyPath) -> str:
    return ".".join(str(part) for part in key)

"""The files of each model of the config: whether they are here and whole."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from img2imgd.config import Config, command
from img2imgd.dispatch.models import model_spec
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.engine.protocol import ModelSpec, ModelUnavailable
from img2imgd.engine.sources import locate
from img2imgd.hub.faults import HubFault
from img2imgd.hub.source import Wanted

_LONGEST = 60.0  # seconds, for a cache on a slow disk
_LONGEST_HEADER = 100_000_000  # bytes; the format's own limit


def check_models(config: Config, user: User, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Each model, its files read as the user; ``environment`` is the service's (HF_HOME)."""
    if config.engine.backend == "fake":
        yield fine("models", "the engine is fake, which needs none")
        return
    for name in config.models:
        yield _model(config, name, user, environment)


def _model(config: Config, name: str, user: User, environment: Mapping[str, str]) -> Finding:
    spec = model_spec(config, name)
    check, say = f"model {name}", wrong if name == config.model else warning

    def look() -> list[str]:
        os.environ.update(environment)
        return _look(spec)

    try:
        kind, what, mend = as_user(user, look, _LONGEST)
    except NoAnswer:
        return say(check, "its files could not be looked at within a minute.", "Is the disk away?")
    except OSError as error:
        return say(
            check, f"{error.filename}: {user.name} cannot read it: {error.strerror}.",
            f"sudo chmod -R a+rX {error.filename}",
        )  # fmt: skip
    if kind == "absent":
        mend = command(config, "fetch", name)
    if kind == "fine":
        return fine(check, what + (" (the default)" if name == config.model else ""))
    if kind == "absent" and not config.offline:
        return warning(check, f"{what} It is downloaded when it is first needed.", mend)
    return say(check, what, mend)


def _look(spec: ModelSpec) -> list[str]:
    """[fine | absent | broken, what, what mends it]; carried out as the user."""
    from img2imgd.engine.downloading import sources_of

    sources = sources_of(spec)
    for key, path in sources.local().items():
        if fault := _local_fault(spec, key, path):
            return ["broken", *fault]
    if fault := _absent(sources.wanted()):
        return ["absent", fault, ""]
    return ["fine", f"complete: {spec.source}", ""]


def _absent(wanted: Mapping[str, Wanted]) -> str:
    """What of the hub is not in the cache."""
    if not wanted:
        return ""
    from img2imgd.hub.client import Hub
    from img2imgd.hub.fetching import followed, local_copy

    hub = Hub()
    for named in wanted.values():
        try:
            local_copy(hub, followed(hub, named))
        except HubFault as fault:
            return fault.message
    return ""


def _local_fault(spec: ModelSpec, key: str, path: Path) -> tuple[str, str] | None:
    """What is wrong with a file or folder of this machine, and what mends it."""
    os.stat(path.parent)  # noqa: PTH116 - says who may not look, instead of False
    if key == "source":
        try:
            locate(spec)
        except ModelUnavailable as fault:
            return fault.message, fault.advice
    elif not path.exists():
        return (
            f"Model {spec.name}: there is no {path}.",
            f"Put it there, or correct `{key}` in the models table.",
        )
    if path.is_dir():
        return _folder_fault(spec, path) if key == "source" else None
    return _file_fault(path) if path.suffix == ".safetensors" else None


def _folder_fault(spec: ModelSpec, folder: Path) -> tuple[str, str] | None:
    """A diffusers folder that lacks a part, or whose weights are cut off."""
    index: dict[str, Any] = json.loads((folder / "model_index.json").read_bytes())
    without = {"feature_extractor", *(() if spec.safety_checker else ("safety_checker",))}
    for name, value in index.items():
        named = not name.startswith("_") and isinstance(value, list) and value[0] is not None
        if named and name not in without and not (folder / name).is_dir():
            return (
                f"Model {spec.name}: {folder} lacks {name}, which its model_index.json names.",
                "Copy the whole folder again.",
            )
    for file in sorted(folder.glob("*/*.safetensors")):
        if fault := _file_fault(file):
            return fault
    return None


def _file_fault(path: Path) -> tuple[str, str] | None:
    """A .safetensors file that is shorter or longer than its own header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        try:
            if not 0 <= length <= min(size, _LONGEST_HEADER):
                raise ValueError("no header")
            header: dict[str, Any] = json.loads(file.read(length))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        except (ValueError, KeyError, TypeError, UnicodeDecodeError):
            return f"{path} is no .safetensors file, or was cut off.", "Download or copy it again."
    expected = 8 + length + max(ends, default=0)
    if expected != size:
        return (
            f"{path} has {size:,} bytes; its header asks for {expected:,}: it was cut off.",
            "Download or copy it again.",
        )
    return None

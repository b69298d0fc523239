"""``init``, ``check`` and ``schema``: commands about files, not about pictures."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.cli.configured import config_of
from img2imgd.config import CONFIG_NAME, Config, default_config_text, default_root, load_config
from img2imgd.errors import DocumentError, EnvironmentFault, Exit, Problem, UsageError
from img2imgd.job import equal_strengths_note
from img2imgd.request import (
    GifSettings,
    ListFiles,
    Request,
    RequestKeys,
    chooses_from_lists,
    describe_list,
    has_choices,
    is_list_name,
    may_name_lists,
    parse_sidecar,
    read_defaults,
    resolve,
    tags_left_out,
)

_ANIMATIONS = {"gif": "a GIF", "webp": "an animated WebP", "apng": "an APNG"}
_SHOWN = 6  # prompts or styles that are told by name
_CONFIG_KEYS = (
    "root:", "inboxes:", "models:", "outbox:", "engine:", "outputs:", "limits:", "retention:",
    "status:", "defaults:", "offline:",
)  # fmt: skip
_MOST_BYTES = 2_000_000  # more than any document may have, so that its own limit is told


def init(arguments: argparse.Namespace) -> Exit:
    """Write a commented config and make the folders it names."""
    root: Path = (arguments.folder or default_root(os.environ)).absolute()
    target = root / CONFIG_NAME
    if target.exists():
        raise UsageError(f"{target} is there already.", "Edit it, or name another folder.")
    for name in ("inbox", "outbox", "done", "failed", "state"):
        (root / name).mkdir(parents=True, exist_ok=True)
    target.write_text(default_config_text(root), encoding="utf-8")
    print(f"Wrote {target}.\nStart the daemon with:  img2imgd run -c {target}")
    return Exit.OK


def schema(arguments: argparse.Namespace) -> Exit:
    """Print a JSON Schema, for editors that check YAML while one types."""
    import json

    from img2imgd import config, request

    made = request.json_schema() if arguments.what == "sidecar" else config.json_schema()
    print(json.dumps(made, indent=2))
    return Exit.OK


def check(arguments: argparse.Namespace) -> Exit:
    """Check every file, print every problem, say what each sidecar would make."""
    settings = config_of(arguments)
    results = [_check_file(path, settings) for path in arguments.files]
    return Exit.OK if all(results) else Exit.USAGE


def _check_file(path: Path, config: Config) -> bool:
    try:
        data = plainfiles.read_regular(path.resolve(), _MOST_BYTES)
    except OSError as error:
        print(f"{path}: cannot be read: {error.strerror}")
        return False
    try:
        print(f"{path}: fine: {_describe(path, data, config)}")
    except DocumentError as error:
        for problem in error.problems:
            print(f"{path}: {problem}")
        return False
    return True


def _describe(path: Path, data: bytes, config: Config) -> str:
    if path.name.casefold() == "_defaults.yaml":
        read_defaults(path.name, data)
        return "defaults for the pictures of its folder and below"
    if is_list_name(path.name):
        return describe_list(path.name, data)
    if _is_config(path, data):
        found = load_config(path, None, env=os.environ)
        _check_page(path, data, found)
        inboxes = ", ".join(str(inbox.path) for inbox in found.inboxes)
        return f"a config: {inboxes} → {found.outbox}, models {', '.join(found.models)}"
    sidecar = parse_sidecar(path.name, data, config.models)
    for warning in sidecar.warnings:
        print(f"{path}: {warning}")
    if sidecar.keys.passed_over:
        print(f"{path}: passed over: {', '.join(sidecar.keys.passed_over)}")
    request = resolve(
        [sidecar.keys, config.defaults],
        default_model=config.model,
        models=config.models,
        draw_seed=lambda: 0,
        max_frames=config.limits.max_frames,
        name=path.name,
        outputs=config.outputs,
        lists=_lists(path, sidecar.keys, config),
        folder=path.resolve().parent.name,
    )
    if tags := tags_left_out(request):
        print(f"{path}: passed over: {', '.join(tags)}. LoRAs belong to a model of the config.")
    if note := equal_strengths_note(request):
        print(f"{path}: {note}")
    chosen = chooses_from_lists(sidecar.keys.over(config.defaults))
    return describe_request(request, is_example=request.seed_drawn and chosen)


def _check_page(path: Path, data: bytes, config: Config) -> None:
    """What `run` asks of the page's address and token before it starts.

    Raises:
        DocumentError: it would refuse to start.
    """
    from img2imgd.document import read_yaml
    from img2imgd.service.sockets import check_token  # late: most files are sidecars

    try:
        check_token(config.status, ())
    except EnvironmentFault as fault:  # the network of this moment, not the config
        print(f"{path}: {fault}")
    except UsageError as error:
        if isinstance(error.__cause__, PermissionError):
            return  # the daemon's user may read the token, which others should not
        key = "token_file" if config.status.token_file else "listen"
        document = read_yaml(path.name, data, max_bytes=_MOST_BYTES, example="root: ~/img2imgd")
        problem = Problem(
            error.message, line=document.line(("status", key)), key=f"status.{key}",
            advice=error.advice,
        )  # fmt: skip
        raise DocumentError(path.name, [problem]) from error


def _lists(path: Path, keys: RequestKeys, config: Config) -> ListFiles | None:
    if not may_name_lists(keys.over(config.defaults)):
        return None
    from img2imgd.inbox.lists import lists_beside  # late: most sidecars name no list

    return lists_beside(path, (inbox.path for inbox in config.inboxes))


def describe_request(request: Request, *, is_example: bool = False) -> str:
    """What a request would make, in a sentence; an example, where its seed is yet to be drawn."""
    count = request.frame_count
    parts = [_describe_prompts(request), f"{count} {'frame' if count == 1 else 'frames'}"]
    if any(request.styles):
        parts.append(f"style {_some(request.styles)}")
    for axis, values in request.sweep.items():
        parts.append(f"{axis} {values[0]:g} to {values[-1]:g} in {len(values)}")
    if request.wants_gif:
        parts.append(_ANIMATIONS[(request.gif or GifSettings()).format])
    if request.wants_sheet:
        parts.append("a contact sheet")
    if request.format != "png":
        parts.append(f"as {request.format}")
    parts.append(f"model {request.model}")
    if request.scheduler:
        parts.append(f"scheduler {request.scheduler}")
    parts.append("a fresh seed" if request.seed_drawn else f"seed {request.seed}")
    example = is_example or (request.seed_drawn and request.has_choices)
    return ("for example " if example else "") + ", ".join(parts)


def _describe_prompts(request: Request) -> str:
    """The prompts as the variations draw them, without their styles."""
    drawn = (
        f"“{request.drawn(prompt, '', variation).words}”"
        for prompt in request.prompts
        for variation in range(request.n if has_choices(prompt) else 1)
    )
    return _some(tuple(dict.fromkeys(drawn)))


def _some(words: Sequence[str]) -> str:
    """A few of many, so that a sentence stays one."""
    rest = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _is_config(path: Path, data: bytes) -> bool:
    """A config is told from a sidecar by its name, or by keys that only a config has."""
    if path.suffix.casefold() == ".txt":
        return False
    if path.stem.casefold() in ("config", "img2imgd"):
        return True
    lines = data.decode("utf-8", "replace").splitlines()
    return any(line.startswith(_CONFIG_KEYS) for line in lines)

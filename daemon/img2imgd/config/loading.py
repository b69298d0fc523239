"""From a config file, or from nothing but a root folder, to a settled config."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from msgspec import structs

from img2imgd.config.folders import absolute, absolute_model, home, overlaps, state_folder
from img2imgd.config.keys import ConfigKeys, InboxKeys
from img2imgd.config.sections import DEMO_MODEL
from img2imgd.config.settled import PROFILES, Config, InboxConfig, demo_table
from img2imgd.document import Document, nearest, read_yaml, shortened, validate
from img2imgd.document import Path as KeyPath
from img2imgd.errors import DocumentError, Problem, UsageError
from img2imgd.owners import denied
from img2imgd.request import BUILT_IN, RequestKeys

MAX_BYTES = 262_144
"""Largest config in bytes; room for a few thousand models."""


def _on_local_disk(path: Path) -> bool:
    from img2imgd.filesystems import kind_of  # late: needs ctypes

    return kind_of(path).local


def default_root(env: Mapping[str, str]) -> Path:
    """The root where none is named: ``~/img2imgd``."""
    return home(env) / "img2imgd"


def load_config(
    path: Path | None,
    root: Path | None,
    *,
    env: Mapping[str, str],
    is_local: Callable[[Path], bool] = _on_local_disk,
) -> Config:
    """The settled config; ``root`` wins over the file's, and is enough without a file.

    Creates nothing. ``env`` gives HOME, XDG_STATE_HOME and systemd's STATE_DIRECTORY.

    Raises:
        DocumentError: with every problem of the file, each with line and key.
        UsageError: the file cannot be read.
        EnvironmentFault: it belongs to another user.
    """
    document = _read(path) if path else None
    keys = validate(document, ConfigKeys) if document else ConfigKeys()
    config = _settle(keys, path, root, env, is_local)
    problems = [*_table_problems(keys, config, document), *overlaps(config, document)]
    if problems:
        name = document.name if document else "the default config"
        raise DocumentError(name, sorted(problems, key=lambda problem: problem.line))
    return config


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if isinstance(error, PermissionError) and (fault := denied(path, "The config", "read")):
            raise fault from None
        advice = "img2imgd init writes one; img2imgd run --root DIR needs none."
        raise UsageError(f"The config {path} cannot be read: {error.strerror}.", advice) from None
    return read_yaml(str(path), data, max_bytes=MAX_BYTES, example="root: ~/img2imgd")


def _settle(
    keys: ConfigKeys,
    path: Path | None,
    root: Path | None,
    env: Mapping[str, str],
    is_local: Callable[[Path], bool],
) -> Config:
    here = path.absolute().parent if path else Path.cwd()
    if root is not None:
        base = absolute(str(root), Path.cwd(), env)
    else:
        base = absolute(keys.root, here, env) if keys.root else default_root(env)

    def folder(written: str | None, name: str) -> Path:
        return absolute(written, here, env) if written else base / name

    state, note = state_folder(base, env, is_local)
    if keys.state:
        state, note = absolute(keys.state, here, env), ""
    written = keys.inboxes if keys.inboxes is not None else (InboxKeys(path=str(base / "inbox")),)
    token = keys.status.token_file
    token_file = str(absolute(token, here, env)) if token else None
    models = {name: absolute_model(model, here, env) for name, model in keys.models.items()}
    return Config(
        root=base,
        inboxes=tuple(_inbox(inbox, absolute(inbox.path, here, env)) for inbox in written),
        outbox=folder(keys.outbox, "outbox"),
        done=folder(keys.done, "done"),
        failed=folder(keys.failed, "failed"),
        state=state,
        defaults=keys.defaults.over(BUILT_IN),
        model=keys.model or DEMO_MODEL,
        models={**models, **demo_table()},
        engine=keys.engine,
        outputs=keys.outputs,
        limits=keys.limits,
        retention=keys.retention,
        status=structs.replace(keys.status, token_file=token_file),
        offline=keys.offline,
        notes=(note,) if note else (),
        path=path.absolute() if path else None,
        root_named=root is not None,
    )


def _inbox(keys: InboxKeys, path: Path) -> InboxConfig:
    """The inbox with its profile's value for each key that was left out."""
    written = {key: value for key, value in structs.asdict(keys).items() if value is not None}
    written |= {"path": path, "defaults": keys.defaults.over(RequestKeys())}
    merged = {**PROFILES[keys.profile], **written}
    if keys.pair_wait is not None:
        merged.pop("prompted_wait", None)
    if merged.get("mode", "move") == "move":
        merged.pop("live", None)  # of a profile that keeps pictures
    return InboxConfig(**merged)


def _table_problems(keys: ConfigKeys, config: Config, document: Document | None) -> list[Problem]:
    """Names of models that are not in the table, and tables that cannot be."""
    if document is None:
        return []
    problems: list[Problem] = []
    named: list[tuple[KeyPath, str | None]] = [
        (("model",), keys.model),
        (("defaults", "model"), keys.defaults.model),
    ]
    for at, inbox in enumerate(keys.inboxes or ()):
        named.append((("inboxes", at, "defaults", "model"), inbox.defaults.model))
    for key, name in named:
        if name is not None and name not in config.models:
            problems.append(_unknown_model(name, key, config.models, document.line(key)))
    if DEMO_MODEL in keys.models:
        key = ("models", DEMO_MODEL)
        problems.append(Problem("this name is taken by the embedded model.",
                                line=document.line(key), key=".".join(key),
                                advice="Choose another."))  # fmt: skip
    for at, inbox in enumerate(keys.inboxes or ()):
        mode = inbox.mode or PROFILES[inbox.profile].get("mode", "move")
        wrong = [name for name in ("live", "skip_similar") if getattr(inbox, name)]
        if mode == "move":
            problems += [_needs_keep(("inboxes", at, name), document) for name in wrong]
        elif inbox.pages == "each":
            problems.append(_needs_move(("inboxes", at, "pages"), document))
    if keys.inboxes == ():
        line = document.line(("inboxes",))
        problems.append(Problem("there must be at least one.", line=line, key="inboxes",
                                advice="Leave the key out for ROOT/inbox."))  # fmt: skip
    return problems


def _needs_keep(key: KeyPath, document: Document) -> Problem:
    return Problem(
        "this is for pictures that are saved again and again, and here they are moved away.",
        line=document.line(key), key=".".join(map(str, key)),
        advice="Write `mode: keep` too, or leave it out.",
    )  # fmt: skip


def _needs_move(key: KeyPath, document: Document) -> Problem:
    return Problem(
        "each page becomes a job only where documents are moved away, and here they are kept.",
        line=document.line(key), key=".".join(map(str, key)),
        advice="Write `mode: move` too, or leave it out for the first page.",
    )  # fmt: skip


def _unknown_model(name: str, key: KeyPath, models: Collection[str], line: int) -> Problem:
    near = nearest(name, models)
    advice = f"Did you mean `{near}`?" if near else f"It has: {', '.join(sorted(models))}."
    dotted = ".".join(str(part) for part in key)
    return Problem(
        f"the models table has no “{shortened(name)}”.", line=line, key=dotted, advice=advice
    )

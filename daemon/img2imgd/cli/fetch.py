"""``fetch``: download the models of the config ahead, so that the daemon finds them here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from img2imgd.cli.configured import config_of
from img2imgd.config import DEMO_MODEL, Config
from img2imgd.dispatch.models import model_spec
from img2imgd.document import nearest
from img2imgd.engine.downloading import sources_of
from img2imgd.engine.protocol import ModelSpec
from img2imgd.errors import Exit, UsageError
from img2imgd.hub.client import Hub
from img2imgd.hub.faults import HubFault
from img2imgd.hub.fetching import Plan, download, followed, plan, require_space
from img2imgd.hub.partial import Advance
from img2imgd.hub.sizes import in_words
from img2imgd.hub.source import ModelSources, Wanted, hub_source
from img2imgd.hub.telling import ProgressLines


@dataclass(frozen=True)
class _Fetch:
    """What one model needs of the hub; nothing where its files are here by their own path."""

    name: str
    plans: Sequence[Plan]

    @property
    def to_come(self) -> int:
        return sum(plan.to_come for plan in self.plans)


def fetch(arguments: argparse.Namespace) -> Exit:
    """Download what is missing of the named models, or of all; one that fails stops no other."""
    config = config_of(arguments)
    names: list[str] = arguments.models or [n for n in config.models if n != DEMO_MODEL]
    if not names:
        print("The models table names no model; demo is built in. Add one, or name a hub id.")
        return Exit.OK
    models = [_model(config, name) for name in names]
    hub = Hub()
    planned = [_plan(hub, model) for model in models]
    fetches = [found for found in planned if found is not None]
    free = require_space(
        hub,
        [plan for found in fetches for plan in found.plans],
        config.limits.min_free_gb * 1e9,
    )
    for found in fetches:
        _announce(hub, found, free)
    if arguments.dry_run:
        return Exit.OK if len(fetches) == len(models) else Exit.ENVIRONMENT
    done = [found.name for found in fetches if _download(hub, found)]
    _say_how_to_use(config, [found.name for found in fetches if found.plans and found.name in done])
    return Exit.OK if len(done) == len(models) else Exit.ENVIRONMENT


def _model(config: Config, name: str) -> ModelSpec:
    """The model of that name in the table, or a hub id as if it stood there.

    Raises:
        UsageError: it is neither.
    """
    if name in config.models:
        return model_spec(config, name)
    if hub_source(name) is not None:
        return ModelSpec(name, source=name)
    near = nearest(name, config.models)
    table = ", ".join(sorted(config.models))
    raise UsageError(
        f"The models table has no {name}.",
        f"Did you mean {near}?" if near else f"It has: {table}. An id of the hub is OWNER/NAME.",
    )


def _plan(hub: Hub, model: ModelSpec) -> _Fetch | None:
    """Ask the hub about a model; None where it cannot be had, which is said."""
    sources = sources_of(model)
    try:
        _require_local(sources)
        wanted = [_followed(hub, model.name, named) for named in sources.wanted().values()]
        return _Fetch(model.name, [plan(hub, files) for files in wanted if files is not None])
    except HubFault as fault:
        _complain(model.name, fault)
        return None


def _require_local(sources: ModelSources) -> None:
    """Refuse a model whose own files are not here: what the hub has of it is of no use alone."""
    for key, path in sources.local().items():
        if not path.exists():
            raise HubFault(
                f"there is no {path}.",
                f"Put it there, or correct `{key}` in the models table.",
            )


def _followed(hub: Hub, name: str, named: Wanted) -> Wanted | None:
    """Where to ask for it; None for a copy by an id that has moved, which nothing renews."""
    if named.moved is None:
        return named
    wanted = followed(hub, named)
    if wanted == named:
        print(f"{name}: {named.source} has moved; the copy of it that is here is used")
        return None
    print(f"{name}: {named.source} has moved to {wanted.source}")
    return wanted


def _announce(hub: Hub, found: _Fetch, free: int) -> None:
    if not found.plans:
        print(f"{found.name}: nothing to download, its files are here")
        return
    size = sum(plan.size for plan in found.plans)
    count = sum(len(plan.files) for plan in found.plans)
    files = f"{in_words(size)} in {count} {'file' if count == 1 else 'files'}"
    if not found.to_come:
        print(f"{found.name}: {files}, all in {hub.cache}")
        return
    begun = size - found.to_come
    here = f" ({in_words(begun)} of it here already)" if begun > size / 100 else ""
    print(f"{found.name}: {files}{here} to {hub.cache}, {in_words(free)} free", flush=True)


def _download(hub: Hub, found: _Fetch) -> bool:
    """Download a model, saying how far it is; False when it failed, which is said."""
    try:
        with _progress(found) as advance:
            folders = [download(hub, plan, advance) for plan in found.plans]
    except HubFault as fault:
        _complain(found.name, fault)
        return False
    except KeyboardInterrupt:
        print(f"{found.name}: stopped; the same command goes on from here", file=sys.stderr)
        raise
    for folder in folders:
        print(f"{found.name}: complete in {folder}")
    return True


@contextmanager
def _progress(found: _Fetch) -> Generator[Advance]:
    """A bar on a terminal, else lines."""
    if not sys.stdout.isatty():
        yield ProgressLines(found.to_come, lambda line: print(f"{found.name}: {line}", flush=True))
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"), progress.BarColumn(),
        progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, transient=True) as bars:
        bar = bars.add_task(found.name, total=found.to_come)
        yield lambda count: bars.advance(bar, count)


def _say_how_to_use(config: Config, names: Sequence[str]) -> None:
    for name in names:
        what = (
            f"model: {name}" if name in config.models else f"models: {{NAME: {{source: {name}}}}}"
        )
        print(f"{name}: to paint with it, write `{what}` in the config")
    if names and config.offline:
        print("The config says offline: true, so the daemon itself downloads nothing.")


def _complain(name: str, fault: HubFault) -> None:
    print(f"{name}: {fault}", file=sys.stderr)

"""The whole examination, in an order in which each finding explains those after it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from img2imgd.config import Config
from img2imgd.doctor.as_user import User
from img2imgd.doctor.device import check_device
from img2imgd.doctor.findings import Finding, fine
from img2imgd.doctor.folders import check_answers, check_folders, check_room
from img2imgd.doctor.keeping import as_keeper, check_keeper, keeper_of
from img2imgd.doctor.machine import (
    check_clock,
    check_pictures,
    check_program,
    check_sandbox,
    check_watches,
)
from img2imgd.doctor.models import check_models
from img2imgd.doctor.records import (
    check_holders,
    check_ledger,
    check_places,
    holder_of,
    is_hidden,
    look_at_ledger,
)
from img2imgd.doctor.serving import (
    Unit,
    check_page,
    check_unit,
    service_environment,
)
from img2imgd.errors import UsageError


def user_to_try(name: str | None, unit: Unit | None) -> User:
    """The user that the service runs as: as named, or the unit's if we are root, or ourselves.

    Raises:
        UsageError: there is no such user, or this process may not become that one.
    """
    me = User.current()
    if name is None:
        if unit is None or not unit.loaded or not unit.user or os.geteuid() != 0:
            return me
        name = unit.user
    try:
        user = User.named(name)
    except KeyError:
        raise UsageError(
            f"There is no user {name}.", f"sudo useradd --system {name} makes one."
        ) from None
    if not user.is_me and os.geteuid() != 0:
        raise UsageError(
            f"Only root can try things as {name}.", f"sudo img2imgd doctor --user {name}"
        )
    return user


def examine(config: Config, user: User, unit: Unit | None) -> Iterator[Finding]:
    """Every check, the quick ones first; the last asks torch, which takes seconds."""
    source = config.path or "none: everything has its default"
    yield fine("config", f"{source}, root {config.root}")
    keeper = keeper_of(config, user)
    yield from check_keeper(config, user, keeper)
    program = list(check_program(user))
    yield from program
    silent = list(check_answers(config, user))
    yield from silent
    if not silent:
        advice = "" if keeper is None else as_keeper(config, keeper)
        yield from _look_into_folders(config, user, advice)
    yield from check_sandbox(user)
    yield from check_pictures()
    yield from check_unit(unit, config)
    lock = config.state / "lock"
    runs = bool(silent) or is_hidden(lock) or holder_of(lock) is not None
    yield from check_page(config, user, runs=runs)
    can_run = all(finding.level == "fine" for finding in program)
    painter = user if can_run else User.current()
    yield from check_models(config, painter, service_environment(unit, user))
    yield from check_device(config, painter)


def _look_into_folders(config: Config, user: User, advice: str) -> Iterator[Finding]:
    """All that is to be found in them, where each answers."""
    yield from check_folders(config, user, advice)
    yield from check_room(config)
    yield from check_holders(config)
    ledger = look_at_ledger(config, user)
    yield from check_ledger(config, ledger)
    yield from check_places(config, ledger)
    yield from check_watches(config, user)
    yield from check_clock(ledger.newest)

"""The ledger as a daemon takes it over at its start: mended, moved along, introduced to."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from img2imgd import __version__
from img2imgd.app import folders, places
from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.job import JobState
from img2imgd.ledger import (
    NOT_RELOADED,
    Ledger,
    open_ledger,
    read_ledger,
    set_aside_damaged,
    spool_fact,
)

log = logging.getLogger(__name__)


def known_facts(path: Path) -> Mapping[str, str]:
    """What an earlier process noted; nothing of a ledger that is new or damaged."""
    with contextlib.suppress(EnvironmentFault, LedgerDamaged):
        ledger = read_ledger(path)
        if ledger is not None:
            with contextlib.closing(ledger):
                return ledger.facts()
    return {}


def open_ledger_of(config: Config, path: Path) -> Ledger:
    """Open the ledger at ``path``: anew where it is damaged, with its folders where they are now.

    Raises:
        EnvironmentFault: it cannot be opened, or is a copy whose original is still there.
    """
    damaged = set_aside_damaged(path)
    if damaged is not None:
        log.error(
            "the ledger is damaged (%s): set aside as %s, and rebuilt from the folders", *damaged
        )
    ledger = open_ledger(path)
    try:
        _follow_moves(config, ledger, path.name)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _follow_moves(config: Config, ledger: Ledger, name: str) -> None:
    moves = places.find_moves(config, ledger.facts(), name)
    if not moves:
        return
    with ledger.transaction():
        ledger.rebase(moves)
        spools = {spool_fact(spool): new for spool, new in moves.spools.items()}
        ledger.set_facts(**places.places(config), **spools)
    for old, new in {**moves.inboxes, **moves.others}.items():
        log.info("%s is %s now: its jobs go on there", old, new)


def queue_running(ledger: Ledger) -> None:
    """The last daemon stopped in order, though its ledger's disk did not take that any more.

    So nothing that is noted as running was to blame for its end.
    """
    for row in ledger.jobs_in(JobState.RUNNING):
        ledger.set_state(row.id, JobState.QUEUED)


def introduce(config: Config, ledger: Ledger) -> None:
    """Note who serves the ledger from now on, and where; tell it in the log."""
    known = ledger.facts().get("ledger_id") or secrets.token_hex(8)
    for inbox in ledger.unavailable():
        ledger.set_unavailable(inbox, "")
    ledger.set_facts(pid=str(os.getpid()), host=socket.gethostname(), ledger_id=known, waits_for="")
    ledger.set_facts(**{NOT_RELOADED: ""}, **folders.mounts(config), **places.places(config))
    log.info("img2imgd %s, pid %d, root %s", __version__, os.getpid(), config.root)
    for note in config.notes:
        log.info("%s", note)

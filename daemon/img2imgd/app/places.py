"""Where the ledger's folders were: a root that has moved is followed, a copy is not served.

The paths in the ledger are absolute. A copy that served by them would take the original's files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from img2imgd.config import Config
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.inbox.adopting import SpoolReader
from img2imgd.ledger import Moves, read_ledger, spool_fact
from img2imgd.ledger.marker import spool_id
from img2imgd.outputs.staging import STAGING

_KINDS = ("state", "outbox", "done", "failed")


def places(config: Config) -> dict[str, str]:
    """Where the folders are, as facts for the ledger. Inboxes note their own, by their spool."""
    return {_fact(kind): str(getattr(config, kind)) for kind in _KINDS}


def find_moves(config: Config, facts: Mapping[str, str], ledger: str) -> Moves:
    """Which folders have another path than the facts say; ``ledger`` is the name of its file.

    Raises:
        EnvironmentFault: the root, or an inbox, is a copy of one that is still there.
    """
    state = Path(facts.get(_fact("state"), config.state))
    has_moved = state != config.state
    if has_moved and not _is_same(state, config.state):
        _refuse_copy(config, facts, state / ledger)
    others: dict[str, str] = {}
    for kind in _KINDS[1:]:
        old, new = Path(facts.get(_fact(kind), getattr(config, kind))), getattr(config, kind)
        # Left where it is, and another named in the config: what is planned for it goes there.
        if old != new and (has_moved or not os.path.lexists(old) or _is_same(old, new)):
            others[str(old)] = str(new)
    inboxes: dict[str, str] = {}
    spools: dict[str, str] = {}
    for inbox in config.inboxes:
        spool = spool_id(inbox.path / STAGING)
        noted = facts.get(spool_fact(spool)) or SpoolReader(config, inbox.path).noted_inbox()
        old = Path(noted or inbox.path)
        if not spool or old == inbox.path:
            continue
        if _spool_at(old) == spool and not _is_same(old, inbox.path):
            raise EnvironmentFault(
                f"The inbox {inbox.path} is a copy of {old}, which is still there.",
                f"Remove {inbox.path / STAGING}, which holds copies of jobs of the original; or "
                "remove the original, and the copy takes its place.",
            )
        inboxes[str(old)] = spools[spool] = str(inbox.path)
    return Moves(inboxes, spools, others)


def _refuse_copy(config: Config, facts: Mapping[str, str], original: Path) -> None:
    try:
        ledger = read_ledger(original)
        if ledger is None:
            return
        try:
            if ledger.facts().get("ledger_id") != facts.get("ledger_id"):
                return
        finally:
            ledger.close()
    except PermissionError:
        return  # nothing could be taken from there
    except (EnvironmentFault, LedgerDamaged):
        pass  # it cannot be read: nobody can tell
    copies = [config.state, *_copied_jobs(config, facts)]
    raise EnvironmentFault(
        f"The ledger in {config.state} is a copy: that of {original.parent} is still there.",
        f"To make {config.root} a root of its own, remove {', '.join(map(str, copies))}: they hold "
        "copies of jobs that the original serves. Or remove the original, and the copy takes its "
        "place.",
    )


def _copied_jobs(config: Config, facts: Mapping[str, str]) -> list[Path]:
    """The spools and the staging folder that were copied too; others serve what is queued there."""
    spools = [inbox.path / STAGING for inbox in config.inboxes]
    copied = [
        spool
        for spool in spools
        if facts.get(spool_fact(spool_id(spool)), str(spool.parent)) != str(spool.parent)
    ]
    if facts.get(_fact("outbox"), str(config.outbox)) != str(config.outbox):
        copied.append(config.outbox / STAGING)
    return copied


def _spool_at(inbox: Path) -> str:
    """The id of the spool in an inbox of former times; nobody may have a folder there any more."""
    try:
        return spool_id(inbox / STAGING)
    except OSError:
        return ""


def _is_same(one: Path, other: Path) -> bool:
    """True for one folder under two names: a symlink or a bind mount."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _fact(kind: str) -> str:
    return f"folder {kind}"

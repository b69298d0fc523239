"""Somebody draws for a minute and saves thirty times: results follow, the last is the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from served_root import ServedRoot
from tools.drawing.account import Account, digest_of
from tools.drawing.replay import replay

from img2imgd.inbox.habits import RENAMED
from waiting import wait_until

if TYPE_CHECKING:
    from feeder_table import Fed

SAVES, SECONDS = 30, 60.0
CONFIG = """\
root: {root}
engine: {{backend: fake}}
limits: {{min_free_gb: 0}}
inboxes:
  - path: {root}/inbox
    profile: tablet
    defaults: {{prompt: a house in the hills, steps: 20, strength: 1}}
"""


@contextmanager
def tablet(root: Path) -> Iterator[ServedRoot]:
    served = ServedRoot(root / "root", root / "config.yaml")
    served.inbox.mkdir(parents=True)
    served.config.write_text(CONFIG.format(root=served.path))
    served.start(IMG2IMGD_FAKE_STEP_SECONDS="0.15")  # three seconds a picture
    try:
        yield served
    finally:
        served.daemons[-1].stop()


@pytest.mark.timeout(200)
def test_thirty_saves_in_a_minute(tmp_path: Path, fed_table: Fed) -> None:
    with tablet(tmp_path) as root:
        drawing = root.inbox / "drawing.png"
        saved: dict[str, float] = {}
        for at in replay(drawing, SAVES, SECONDS):
            saved[digest_of(drawing.read_bytes())] = at
        last = max(saved, key=lambda digest: saved[digest])
        wait_until(
            lambda: any(job.spec.digest == last and job.state.ended for job in root.jobs()),
            "the last save is painted",
        )
        jobs = root.jobs()
        account = Account.of(jobs, saved)
        latest = (root.outbox / "drawing.latest.png").read_bytes()
        history = {path.name for path in root.outbox.glob("*.png")}
    fed_table.tell(f"a drawing, {SAVES} saves in {SECONDS:g} s", account.table())
    assert account.saves == SAVES
    assert account.ends_newest
    assert account.stale_starts == account.failed == 0
    assert account.claimed == account.painted + account.replaced + account.given_up
    assert account.claimed >= SAVES / 2  # a save that has not settled gives way to the next
    assert account.painted >= SECONDS / 10  # somebody who draws on sees results
    assert account.given_up > 0
    assert latest == (root.outbox / jobs[-1].published).read_bytes()
    assert len(history) == account.painted + 1
    assert len({job.spec.asked.seed for job in jobs}) == 1
    assert min(account.to_claim) >= RENAMED  # the least, once its way of saving is known

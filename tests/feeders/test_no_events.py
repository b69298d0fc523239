"""A folder whose events do not arrive, as of a share that other machines write to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from arrival_times import Arrivals
from fed_root import RESCAN, FedRoot, pictures_with_sidecars
from household import Household

if TYPE_CHECKING:
    from feeder_table import Fed

# Only the daemon's own heartbeat is heard, which is written on this machine.
_DEAF = """
import sys, time
from img2imgd.__main__ import main
from img2imgd.inbox.watch import Watch

def heard(self, event):
    self._heard = time.monotonic()

Watch.on_any_event = heard
sys.exit(main())
"""


def test_without_events_files_are_claimed_within_one_rescan_after_settling(
    people: Household, fed_table: Fed
) -> None:
    root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
    root.program = (sys.executable, "-c", _DEAF)
    root.configure({"inbox": ""})
    root.start()
    files = pictures_with_sidecars("deaf", 4)
    source = root.source("inbox", files)
    with Arrivals(root.path / "inbox") as arrivals:
        people.run("anna", "cp", *files, root.path / "inbox", cwd=source)
        root.assert_served_once("inbox", files)
    late = root.late("inbox", arrivals)
    assert max(late) < RESCAN + 1
    fed_table.add("cp where no events arrive (rescan 5 s)", len(files), late)

"""Every feeder's files are served once, as they were sent, and as soon as they have settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from arrival_times import Arrivals
from fed_root import RESCAN, FedRoot, pictures_with_sidecars
from senders import FEEDERS, Feeder

if TYPE_CHECKING:
    from feeder_table import Fed

PICTURES = 8


@pytest.mark.parametrize("feeder", FEEDERS, ids=[feeder.inbox for feeder in FEEDERS])
def test_files_are_served_once_and_soon(feeder: Feeder, fed: FedRoot, fed_table: Fed) -> None:
    files = pictures_with_sidecars(feeder.inbox, PICTURES)
    inbox = fed.path / feeder.inbox
    source = fed.source(feeder.inbox, files)
    with Arrivals(inbox) as arrivals:
        feeder.send(fed, source, list(files), inbox)
        fed.assert_served_once(feeder.inbox, files)
    late = fed.late(feeder.inbox, arrivals)
    assert max(late) < RESCAN, "an event wakes the scan, or the next one finds it"
    fed_table.add(feeder.name, len(files), late)

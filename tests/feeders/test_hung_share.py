"""A share that does not answer for a while holds up its own drops, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fed_root import SIDECAR, picture
from hanging import can_hang, hanging
from served_root import ServedRoot, pause

from waiting import wait_until

HUNG = 8.0


@pytest.fixture
def root(tmp_path: Path) -> Iterator[ServedRoot]:
    """A root with two inboxes; the second is the share."""
    root = ServedRoot(tmp_path / "root", tmp_path / "config.yaml")
    share = root.path / "share"
    share.mkdir(parents=True)
    root.write_config(extra=f"  - {{path: {share}, settle: 0.3, rescan: 1, pair_wait: 0.5}}\n")
    yield root
    for daemon in root.daemons:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.process.wait(10)


@pytest.mark.skipif(not can_hang(), reason="mounts of FUSE need root and the kernel's module")
def test_a_share_that_hangs_keeps_no_other_inbox_from_being_served(root: ServedRoot) -> None:
    daemon = root.start()
    share = root.path / "share"
    with hanging(share):
        pause(HUNG)
        (root.inbox / "cat.yaml").write_bytes(SIDECAR)
        (root.inbox / "cat.png").write_bytes(picture(1))
        wait_until((root.done / "cat.png").exists, "the local inbox is served")
        back = time.monotonic()
    (share / "dog.yaml").write_bytes(SIDECAR)
    (share / "dog.png").write_bytes(picture(2))
    wait_until((root.done / "dog.png").exists, "the share is served")
    assert time.monotonic() - back < 1.5 * HUNG, "it rests no longer because it has hung"
    assert daemon.stop() == 0

"""Somebody tidies up hidden folders and the state folder while the daemon runs."""

from __future__ import annotations

from accounting import account, assert_nothing_left_over, assert_outputs_whole, fingerprints
from sample_drops import drop
from served_root import ServedRoot

from img2imgd import durable
from waiting import wait_until


def test_an_outbox_without_its_hidden_folder_is_served_without_a_restart(root: ServedRoot) -> None:
    daemon = root.start()
    durable.remove_tree(root.outbox / ".img2imgd")  # while the daemon writes there
    drop(root.inbox, "cat.png", "prompt: a lake\n")
    dropped = fingerprints(root.inbox)
    root.wait_served(1)
    assert "it is made anew" in daemon.log
    assert daemon.stop() == 0
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
    assert_outputs_whole(root)


def test_a_ledger_that_is_removed_is_told_and_the_next_start_goes_on_from_the_folders(
    root: ServedRoot,
) -> None:
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.3")
    drop(root.inbox, "cat.png", "prompt: a lake\nn: 4\n")
    dropped = fingerprints(root.inbox)
    wait_until(lambda: root.staged_frames() >= 1, "it paints")
    for path in (root.path / "state").glob("ledger.sqlite*"):
        path.unlink()
    wait_until(lambda: "was removed, or another file has its name" in daemon.log, "it is told")
    assert daemon.stop() == 0
    again = root.start()
    root.wait_served(1)
    assert "was served with another ledger: jobs are taken up from the folders" in again.log
    assert set(account(root, dropped).values()) == {"done"}
    assert_nothing_left_over(root)
    assert_outputs_whole(root)

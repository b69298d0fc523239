"""A stop does not wait for a thousand claims."""

from __future__ import annotations

from rig import Rig

from img2imgd.inbox import Inbox


def test_once_the_program_stops_nothing_more_is_claimed(rig: Rig) -> None:
    for number in range(5):
        rig.picture(f"{number}.png")
        rig.drop(f"{number}.yaml")

    def stopping() -> bool:
        return len(rig.jobs()) == 2

    inbox = Inbox(
        rig.config,
        rig.config.inboxes[0],
        rig.ledger,
        lambda _: None,
        lambda _: None,
        stopping=stopping,
    )
    inbox.step(0)
    inbox.step(10)
    assert len(rig.jobs()) == 2
    assert len(rig.tree(rig.folder)) == 6
    assert "next start" in rig.waits()["2.png"]
    rig.claim()
    assert len(rig.jobs()) == 5

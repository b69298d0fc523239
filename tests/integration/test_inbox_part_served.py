"""A list some of whose pictures did not come: the person is told, whatever the disk says."""

from __future__ import annotations

import pytest
from rig import Rig

from img2imgd.job import JobState


def test_the_missing_are_told_in_the_log_while_their_note_cannot_be_written(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = rig.config.failed / "sub"
    in_the_way.write_text("of a person\n")
    rig.picture("sub/a.png")
    rig.drop("sub/set.yaml", "prompt: a lake\nimages: [a.png, b.png]\n")
    rig.look(2.5, 601, 1, 1)
    assert [(job.spec.rel, job.state) for job in rig.jobs()] == [("sub/a.png", JobState.QUEUED)]
    (said,) = caplog.messages
    assert "sub/set.yaml was served without b.png, which did not come" in said
    assert "failed/sub: is no folder" in said
    assert rig.waits() == {}
    in_the_way.unlink()
    rig.look(1, 1)
    assert "b.png" in rig.reason("sub/set.yaml")
    assert rig.tree(rig.config.failed) == ["sub/set.yaml.reason.txt"]

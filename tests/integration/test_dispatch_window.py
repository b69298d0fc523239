"""How many frames the worker is given at a time: those that are being written do not count."""

from __future__ import annotations

from rig import Rig

from img2imgd.dispatch import Dispatch
from img2imgd.dispatch.turns import WINDOW
from img2imgd.job import JobState
from img2imgd.pool.messages import FrameStaged, WorkerEvent
from img2imgd.pool.supervision import WorkerPool

MANY = WINDOW + 4


class SlowDisk(WorkerPool):
    """Every frame is being written until the disk is quick again."""

    def __init__(self) -> None:
        super().__init__("fake")
        self.slow = True
        self.most_unpainted = 0
        self.held: list[WorkerEvent] = []

    def _take(self, events: list[WorkerEvent]) -> bool:
        self.most_unpainted = max(self.most_unpainted, len(self.unpainted))
        if self.slow:
            self.held += [event for event in events if isinstance(event, FrameStaged)]
            return super()._take([event for event in events if event not in self.held])
        events, self.held = [*self.held, *events], []
        return super()._take(events)


def slow_disk(rig: Rig) -> SlowDisk:
    pool = SlowDisk()
    rig._pools.append(pool)
    rig.pool = pool
    rig.dispatch = Dispatch(rig.config, rig.ledger, pool, rig.reader)
    return pool


def drop(rig: Rig, name: str, frames: int) -> None:
    rig.picture(f"{name}.png")
    rig.drop(f"{name}.yaml", f"prompt: a lake\nn: {frames}\nseed: 1\n")
    rig.claim()


def test_frames_are_painted_while_a_whole_window_of_them_is_written(rig: Rig) -> None:
    pool = slow_disk(rig)
    drop(rig, "cat", MANY)
    rig.until(lambda: len(pool.held) == MANY)
    assert pool.most_unpainted <= WINDOW
    pool.slow = False
    assert [job.state for job in rig.serve()] == [JobState.DONE]


def test_the_next_job_starts_while_the_frames_of_one_are_written(rig: Rig) -> None:
    pool = slow_disk(rig)
    drop(rig, "cat", WINDOW)
    drop(rig, "dog", 1)
    rig.until(lambda: len(pool.held) == WINDOW + 1)
    pool.slow = False
    assert [job.state for job in rig.serve()] == [JobState.DONE, JobState.DONE]

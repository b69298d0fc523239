"""The inbox's folder is swapped, unmounted or covered, its events are lost: all is served."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from daemons import config_at, end, serving, start_through
from disks import Mounts, needs_mounts
from invariants import Drop
from served_root import ServedRoot
from world import picture, put, single

from waiting import wait_until

if TYPE_CHECKING:
    from fault_table import Tally

pytestmark = needs_mounts

Mend = Callable[[], object]
MANY = 20  # frames, more than the worker gets at a time
OLD = tuple(
    Drop(
        {
            f"{stem}.png": picture(number),
            f"{stem}.yaml": b"prompt: a lake\nsize: 64\nsteps: 2\nn: %d\nsheet: false\n" % MANY,
        },
        frames=MANY,
    )
    for number, stem in enumerate(("first", "second", "third"), 20)
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[ServedRoot, Mounts]]:
    """A root and its mounts."""
    with serving(tmp_path) as both:
        yield both


def unmounted(root: ServedRoot, mounts: Mounts) -> Mend:
    mounts.unmount(root.inbox)
    return lambda: mounts.bind(root.path / "away", root.inbox)


def covered(root: ServedRoot, mounts: Mounts) -> Mend:
    mounts.tmpfs(root.inbox)
    return lambda: mounts.unmount(root.inbox)


def swapped(root: ServedRoot, mounts: Mounts) -> Mend:
    mounts.unmount(root.inbox)
    mounts.bind(root.path / "away", root.path / "aside")
    root.inbox.rename(root.path / "bare")
    root.inbox.mkdir()
    return lambda: mounts.bind(root.path / "away", root.inbox)


@pytest.mark.parametrize("fault", [unmounted, covered, swapped])
def test_jobs_of_an_inbox_that_is_another_folder_for_a_while_wait_for_it(
    served: tuple[ServedRoot, Mounts],
    fault: Callable[[ServedRoot, Mounts], Mend],
    tally: Tally,
) -> None:
    root, mounts = served
    mounts.tmpfs(root.path / "away")
    mounts.bind(root.path / "away", root.inbox)
    put(config_at(root), OLD)
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.05")
    wait_until(lambda: root.staged_frames() >= 1, "the first job paints, the others are queued")
    mend = fault(root, mounts)
    worker = daemon.worker
    assert worker is not None
    os.kill(worker, signal.SIGKILL)  # so that the jobs are started anew while it is away
    wait_until(lambda: str(root.inbox) in str(root.status()["waits_for"]), "the status says why")
    assert root.outputs() == []
    mend()
    root.wait_served(len(OLD))
    assert {row.state.value for row in root.jobs()} == {"done"}
    put(config_at(root), [single("new", 30)])
    root.wait_served(len(OLD) + 1)
    end(root, daemon, (*OLD, single("new", 30)), tally)


def test_drops_whose_events_were_lost_in_a_flood_are_served(
    served: tuple[ServedRoot, Mounts], tally: Tally
) -> None:
    root, _ = served
    root.write_config(rescan=3600)  # only the flood itself can wake a scan
    daemon = root.start()
    daemon.process.send_signal(signal.SIGSTOP)
    for number in range(8000):  # three events each; the queue holds 16,384
        junk = root.inbox / f"{number}.tmp"
        junk.write_bytes(b"")
        junk.unlink()
    drops = tuple(single(f"sub-{n % 3}/drop-{n}", 40 + n) for n in range(20))
    put(config_at(root), drops)
    daemon.process.send_signal(signal.SIGCONT)
    root.wait_served(len(drops))
    end(root, daemon, drops, tally)


@pytest.mark.parametrize(
    ("limit", "count"), [("max_inotify_instances", 0), ("max_inotify_watches", 1),
                         ("max_inotify_watches", 4)],
)  # fmt: skip
def test_an_inbox_that_cannot_be_watched_is_polled(
    served: tuple[ServedRoot, Mounts], limit: str, count: int, tally: Tally
) -> None:
    root, _ = served
    limited = f'echo {count} > /proc/sys/user/{limit}; exec "$@"'
    daemon = start_through(root, "unshare", "--user", "--map-root-user", "sh", "-ec", limited, "sh")
    drops = tuple(single(f"sub-{n}/drop", 60 + n) for n in range(6))
    put(config_at(root), drops)
    root.wait_served(len(drops))
    end(root, daemon, drops, tally)

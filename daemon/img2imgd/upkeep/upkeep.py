"""One round of upkeep: files by age, then the ledger, then its file, then leftovers.

The order matters: the ledger alone knows which files are img2imgd's, so it forgets a job only when
no file of it is left that ``retention`` will remove.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from img2imgd import filesystems
from img2imgd.config import Config
from img2imgd.ledger import Ledger
from img2imgd.upkeep.forgetting import forget_jobs, forget_served
from img2imgd.upkeep.leftovers import OLD, remove_leftovers
from img2imgd.upkeep.retention import Retention
from img2imgd.upkeep.views import prune_views

log = logging.getLogger(__name__)

_SET = 3600.0  # seconds; when the clock moves more by itself, somebody has set it


def _uptime() -> float:
    """Seconds since the machine booted, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Upkeep:
    """Keeps folders and ledger within their bounds. ``stopping()`` cuts a round short.

    ``uptime()`` tells the seconds that went by between rounds, whatever the clock says.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        stopping: Callable[[], bool] = lambda: False,
        uptime: Callable[[], float] = _uptime,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._stopping = stopping
        self._uptime = uptime
        self._last_round: tuple[float, float] | None = None
        self._retention = Retention(config, ledger)
        self._leftovers_at = float("-inf")

    def reconfigure(self, config: Config) -> None:
        """Go by another config from the next round on."""
        self._config = config
        self._retention = Retention(config, self._ledger)

    def step(self, now: float) -> None:
        """Do what is due at ``now`` (seconds since 1970).

        Raises:
            EnvironmentFault, OSError: a folder or the ledger cannot be written; the rest waits.
        """
        self._keep_ages(now)
        self._ledger.note_archived(now)
        files, size = self._retention.sweep(now, self._stopping)
        jobs = self._forget(now)
        most = self._config.limits.max_views_mb * 1_000_000
        prune_views(self._config.state, self._ledger.known_jobs, most, self._stopping)
        leftovers = 0
        if abs(now - self._leftovers_at) >= OLD:
            leftovers = remove_leftovers(self._config, self._ledger, now, self._stopping)
            self._leftovers_at = now
        if files or jobs or leftovers:
            log.info(
                "upkeep: removed %d old files (%.1f MB), %d leftovers of crashes; forgot %d jobs",
                files, size / 1e6, leftovers, jobs,
            )  # fmt: skip
        if self._retention.refused:
            log.warning("upkeep: old files stay: %s", self._retention.refused)
        if not self._stopping():
            self._ledger.compact(filesystems.free_bytes(self._config.state))

    def _keep_ages(self, now: float) -> None:
        """Leave everything as old as it was if the clock was set since the last round.

        Whether it was wrong before or is so now cannot be told: either way nothing became old.
        """
        uptime = self._uptime()
        if self._last_round is not None:
            then, uptime_then = self._last_round
            jump = (now - then) - (uptime - uptime_then)
            if abs(jump) > _SET:
                log.warning(
                    "upkeep: the clock was set by %+.1f hours; files are no older for it",
                    jump / 3600,
                )
                self._ledger.shift_ages(jump)
                self._retention = Retention(self._config, self._ledger)
                self._leftovers_at = now
        self._last_round = now, uptime

    def _forget(self, now: float) -> int:
        keep = self._config.retention.ledger
        if keep is None:
            return 0
        before = min(now - max(keep, self._retention.late), self._retention.swept)
        jobs = forget_jobs(self._config, self._ledger, before, self._stopping)
        forget_served(self._config, self._ledger)
        return jobs

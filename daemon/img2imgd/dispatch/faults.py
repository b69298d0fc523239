"""Faults of the environment: work pauses, says what it waits for, and resumes by itself."""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from dataclasses import dataclass

from img2imgd.durable import is_environment
from img2imgd.errors import EnvironmentFault
from img2imgd.ledger import Ledger
from img2imgd.log import Lasting

log = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0  # seconds; doubled with every failure in a row
_LONGEST_PAUSE = 60.0


def fault_in_words(error: Exception) -> str:
    """What the environment does not allow; empty for any other error."""
    if is_environment(error) or isinstance(error, NotADirectoryError):  # a file is in the way
        return f"{error.filename or 'disk'}: {error.strerror}."
    if isinstance(error, EnvironmentFault):
        return " ".join(filter(None, [error.message, error.advice]))  # for a log: one line
    return ""


@dataclass
class _Pause:
    """A wait of ``length`` seconds for ``what``, which is over at ``until``."""

    what: str = ""
    until: float = 0.0
    length: float = 0.0

    def lengthen(self, what: str, now: float) -> None:
        """Wait twice as long as before; what fails during a wait had been begun before it."""
        self.what = what
        if not self.holds(now):
            self.length = min(max(self.length * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self.until = now + self.length

    def holds(self, now: float) -> bool:
        return now < self.until


@dataclass(frozen=True)
class Reasons:
    """What models, inboxes (by their spools) and jobs wait for."""

    models: dict[str, str]
    inboxes: dict[str, str]
    jobs: dict[str, str]


class Faults:
    """What the dispatcher waits for: disk or device, the worker, models, inboxes, single jobs."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._general = _Pause()
        self._deaths = _Pause()
        self._models: defaultdict[str, _Pause] = defaultdict(_Pause)
        self._inboxes: defaultdict[str, _Pause] = defaultdict(_Pause)
        self._jobs: defaultdict[str, _Pause] = defaultdict(_Pause)
        self._met_last = ""  # the job that met a fault, if none has got on since
        self._lasting = Lasting(log)
        self._told = ""
        self.since: float | None = None

    def report(self, what: str, now: float) -> None:
        """Everything pauses: a full disk, a lost device."""
        if not self.holding(now):  # the frames under way all meet the same fault: that is one
            self._general.lengthen(what, now)
        self._say(what, self._general.length, now)

    def report_death(self, what: str, now: float) -> None:
        """The worker died with work in it: everything pauses, ever longer until it paints again."""
        self._deaths.lengthen(what, now)
        self._say(what, self._deaths.length, now)

    def report_model(self, name: str, what: str, now: float) -> None:
        """Jobs of one model pause; those of others go on."""
        prefix = f"Model {name}: "
        what = prefix + what.removeprefix(prefix)
        self._models[name].lengthen(what, now)
        self._say(what, self._models[name].length, now)

    def report_inbox(self, inbox: str, what: str, now: float) -> None:
        """Jobs of one inbox, told by their spool, pause; those of others go on."""
        what = what.replace("\n", " ")  # with its advice, on one line
        self._inboxes[inbox].lengthen(what, now)
        self._say(what, self._inboxes[inbox].length, now)

    def report_job(self, job: str, what: str, now: float) -> None:
        """One job pauses; others go on."""
        self._jobs[job].lengthen(what, now)
        self._say(what, self._jobs[job].length, now)

    def report_work(self, job: str, what: str, now: float) -> None:
        """One job pauses, and everything if another job has just met a fault too.

        A picture on a bad sector holds nobody up, and a disk that is full is not tried job by job.
        After it, jobs that have met no fault come first.
        """
        self.report_job(job, what, now)
        if self._met_last not in ("", job):
            self.report(what, now)
            for pause in self._jobs.values():
                pause.until = max(pause.until, self._general.until + _FIRST_PAUSE)
        self._met_last = job

    @property
    def general(self) -> bool:
        """True while nothing has succeeded since everything paused."""
        return self._general.length > 0

    def holding(self, now: float) -> bool:
        """True while everything pauses; what fails again after that pauses longer."""
        return self._general.holds(now) or self._deaths.holds(now)

    def held_models(self, now: float) -> list[str]:
        """Models that are not to be tried again yet."""
        return [name for name, pause in self._models.items() if pause.holds(now)]

    def held_inboxes(self, now: float) -> list[str]:
        """Inboxes, by their spools, whose jobs are not to be tried again yet."""
        return [inbox for inbox, pause in self._inboxes.items() if pause.holds(now)]

    def held_jobs(self, now: float) -> list[str]:
        """Jobs that are not to be tried again yet."""
        return [job for job, pause in self._jobs.items() if pause.holds(now)]

    def holds_job(self, job: str, now: float) -> bool:
        """True while a job is not to be tried again yet."""
        return job in self._jobs and self._jobs[job].holds(now)

    def has_met(self, job: str) -> bool:
        """True while a job has not got on since it met a fault."""
        return job in self._jobs

    def why(self, job: str) -> str:
        """What a running job waits for, if it is not its turn; empty while it gets on."""
        if job in self._jobs:
            return self._jobs[job].what
        if self.general:
            return self._general.what
        return self._deaths.what if self._deaths.length else ""

    def reasons(self) -> Reasons:
        """Why queued jobs are not started, while that lasts."""
        return Reasons(
            {name: pause.what for name, pause in self._models.items()},
            {inbox: pause.what for inbox, pause in self._inboxes.items()},
            {job: pause.what for job, pause in self._jobs.items()},
        )

    def clear_model(self, name: str, now: float) -> None:
        """A model was loaded: what was wrong with it, and in general, is over.

        The others' pauses begin again, or a model that fails would come before one that takes
        longer to load than the pause lasts, and never let its jobs be painted.
        """
        self._models.pop(name, None)
        for pause in self._models.values():
            pause.until = now + pause.length
        self._general.length = 0.0
        self._clear()

    def clear_inbox(self, inbox: str) -> None:
        """A job's files were there: the inbox is back."""
        if self._inboxes.pop(inbox, None) is not None:
            self._clear()

    def clear_job(self, job: str) -> None:
        """A job got on, or has ended."""
        self._met_last = ""
        if self._jobs.pop(job, None) is not None:
            self._clear()

    def succeeded(self) -> None:
        """Something was written: a general fault is over."""
        self._general.length = 0.0
        self._met_last = ""
        self._clear()

    def painted(self) -> None:
        """The worker has staged something: so it works, and the disk as well."""
        self._deaths.length = 0.0
        self.succeeded()

    def _clear(self) -> None:
        if self.since is None:
            return
        left = [*self._models.values(), *self._inboxes.values(), *self._jobs.values()]
        texts = [pause.what for pause in (*left, *([self._general] if self.general else []))]
        if texts:
            if self._told not in texts:
                self._tell(texts[-1])
            return
        self._lasting.over("fault", "what was waited for is there; work goes on")
        self._ledger.set_facts(waits_for="")
        self._told = ""
        self.since = None

    def _say(self, what: str, pause: float, now: float) -> None:
        self._lasting.say("fault", f"{what} Trying again in {pause:.0f} s.")
        if self.since is None:
            self.since = now
        self._tell(what)

    def _tell(self, what: str) -> None:
        if what != self._told:
            with contextlib.suppress(EnvironmentFault):  # the ledger's own disk may be what is full
                self._ledger.set_facts(waits_for=what)
                self._told = what

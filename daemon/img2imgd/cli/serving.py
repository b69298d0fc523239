"""``run`` and ``once``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
from functools import partial

from img2imgd import log
from img2imgd.app import Daemon, Outcome, serve_once
from img2imgd.cli.configured import config_again, config_of
from img2imgd.cli.progress import ProgressBars
from img2imgd.errors import Exit, Img2imgdError, shown
from img2imgd.job import JobState
from img2imgd.service.notify import Notifier
from img2imgd.service.sockets import inherited_sockets

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> Exit:
    """The daemon, until SIGTERM or SIGINT; SIGHUP has it read its config again."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to read again
    log.configure(arguments.log_level, arguments.log_format)
    try:
        Daemon(
            config_of(arguments),
            read_again=partial(config_again, arguments),
            notifier=Notifier.from_environment(os.environ),
            inherited=inherited_sockets(os.environ),
        ).serve()
    except Img2imgdError as error:
        if log.form_in_use() == "text":
            raise  # it is told as other commands tell theirs
        for line in str(error).splitlines():
            logger.error("%s", line)
        return error.exit_code
    return Exit.OK


def once(arguments: argparse.Namespace) -> Exit:
    """Serve what is there, with progress on a terminal, and sum up."""
    config = config_of(arguments)
    log.configure(arguments.log_level, arguments.log_format)
    with ProgressBars() as bars:
        outcome = serve_once(config, arguments.timeout, bars.update)
    print_outcome(outcome)
    return outcome.exit_code


def print_outcome(outcome: Outcome) -> None:
    """One line per job that ended and per file that stays."""
    for row in outcome.jobs:
        what = shown(row.spec.rel)
        if row.state is JobState.DONE:
            print(f"done    {what} → {row.published}")
            for note in row.reason.splitlines():
                print(f"        {shown(note)}")
        elif row.state.ended:
            print(f"{row.state.value:7} {what}: {shown((row.reason.splitlines() or [''])[0])}")
        else:
            print(f"open    {what}: goes on at the next start")
    for inbox, rel, why in outcome.waiting:
        print(f"waits   {shown(os.path.join(inbox, rel))}: {why}")  # noqa: PTH118 - may be no UTF-8
    if outcome.blocked:
        print(f"gave up: {outcome.blocked}")

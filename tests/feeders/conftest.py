"""One daemon with many inboxes for each process that runs these tests, and its people."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fed_root import FedRoot
from household import Household, household
from senders import FEEDERS

PROGRAMS = ("smbd", "smbclient", "sshd", "sftp", "rsync", "scanimage", "syncthing", "curl")
_PATH = f"{os.environ['PATH']}:/usr/sbin"
# Of tests that look at one thing.
_SCANNED = "profile: scanner, pair_wait: 1, defaults: {prompt: a lake, steps: 2}"
OTHER_INBOXES = {
    "habits": "pair_wait: 1",
    "locked": "",
    "documented": "",
    "sane": _SCANNED,
    "devices": _SCANNED,
    "reused": f"{_SCANNED}, settle: 1.5",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the docs."""
    parser.addoption(
        "--write-feeders", action="store_true",
        help="put the table of feeders into docs/feeders/README.md",
    )  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Accounts and mounts of a test's own need root."""
    if os.geteuid() == 0:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="only root may make accounts and mounts"))


@pytest.fixture
def people() -> Iterator[Household]:
    """People of a test's own."""
    with household() as people:
        yield people


@pytest.fixture(scope="session")
def fed() -> Iterator[FedRoot]:
    """A running daemon with an inbox for each feeder, by the rules of ``profile: share``."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=_PATH)]
    assert not absent, f"install {', '.join(absent)}: .ci/run names the Debian packages"
    with household() as people:
        root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
        root.configure({feeder.inbox: "" for feeder in FEEDERS} | OTHER_INBOXES)
        root.start()
        yield root

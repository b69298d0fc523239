"""A machine with the service, booted once for each process that runs tests.

Machines share nothing, so two processes of pytest-xdist have one each: it boots in a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from installing import install
from machine import Machine, booted, what_is_missing
from served_machine import Service


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the docs."""
    parser.addoption(
        "--write-attempts", action="store_true",
        help="put the table of what the sandbox refuses into docs/operations.md",
    )  # fmt: skip


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with img2imgd, as systemd/README.md installs it."""
    missing = what_is_missing()
    if missing:
        if os.environ.get("SYSTEMD_TESTS") == "required":
            pytest.fail(f"no systemd can be booted here: {missing}")
        pytest.skip(f"THE SERVICE IS NOT TESTED: no systemd can be booted here: {missing}")
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        install(machine)
        yield machine


@pytest.fixture
def service(machine: Machine) -> Service:
    """The service, stopped, with the fake engine and empty folders."""
    service = Service(machine)
    service.reset()
    return service

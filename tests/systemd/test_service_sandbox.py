"""What the service cannot do while it serves: tried from within its sandbox."""

from __future__ import annotations

import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass

import pytest
from fetched import MODELS, fetch
from machine import REPOSITORY, Machine
from probing import probe_while_painting
from served_machine import UNIT, Service

DOCS = REPOSITORY / "docs" / "operations.md"
_BEGIN, _END = "<!-- attempts: make test-systemd WRITE=--write-attempts -->\n", "<!-- end -->"

SWEEP = """\
prompt: an oil painting of a house in the hills at sunset
steps: 40
size: 128
sweep: {strength: [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0]}
"""
FRAMES = 8
# The service's folders, as its sandbox shows them; tmp and shm are its own and gone with it.
FOLDERS = {"/var/lib/img2imgd", "/var/cache/img2imgd", "/run/img2imgd"}
OWN = {"/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"}  # noqa: S108 - their names alone


@dataclass(frozen=True)
class Probed:
    """What the probe has found while the embedded model painted a sweep."""

    attempts: dict[str, str]
    writable: list[str]
    status: str
    staged: list[int]
    reader: str
    log: str


@pytest.fixture(scope="module")
def probed(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Probed:
    """What the probe has found: once, also where several processes run these tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    result = shared / "probed.json"
    with (shared / "probed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            result.write_text(json.dumps(asdict(_probe(machine))))
    return Probed(**json.loads(result.read_text()))


def _probe(machine: Machine) -> Probed:
    """A sweep painted by the real pipeline, and everything tried meanwhile."""
    service = Service(machine)
    service.reset()
    service.write_config(backend="diffusers", extra=MODELS)
    fetch(service)
    found = probe_while_painting(service, SWEEP)
    reader = service.child("reader.process")
    status = machine.shell(f"cat /proc/{reader}/status")
    service.wait_done("house.png", seconds=120)
    assert len(service.outputs()) == FRAMES
    service.systemctl("stop", UNIT)
    return Probed(**found, reader=status, log=service.log)


def test_everything_was_tried_while_a_job_was_painted(probed: Probed) -> None:
    before, after = probed.staged
    assert 1 <= before <= after < FRAMES


def test_every_attempt_is_refused(probed: Probed, request: pytest.FixtureRequest) -> None:
    table = _table(probed.attempts)
    print(table)
    assert [what for what, told in probed.attempts.items() if told == "DONE"] == []
    if request.config.getoption("--write-attempts", default=False):
        before, after = DOCS.read_text(encoding="utf-8").split(_BEGIN)
        DOCS.write_text(before + _BEGIN + table + after[after.index(_END) :], encoding="utf-8")


def test_the_docs_list_what_is_tried(probed: Probed) -> None:
    [listed] = re.findall(f"{_BEGIN}(.*?){_END}", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    rows = [line.split(" | ")[0].removeprefix("| ") for line in listed.splitlines()[2:]]
    assert rows == list(probed.attempts)


def test_nothing_can_be_written_but_its_own_folders(probed: Probed) -> None:
    assert set(probed.writable) >= FOLDERS, "the walk went wrong"
    elsewhere = set(probed.writable) - FOLDERS - OWN
    assert elsewhere == set()


def test_the_reader_is_in_its_own_sandbox_within(probed: Probed) -> None:
    assert "less of a sandbox" not in probed.log
    of_reader, of_unit = (
        int(re.findall(r"^Seccomp_filters:\s*(\d+)", status, re.MULTILINE)[0])
        for status in (probed.reader, probed.status)
    )
    assert of_reader == of_unit + 1


def _table(attempts: dict[str, str]) -> str:
    rows = [f"| {what} | {told} |\n" for what, told in attempts.items()]
    return "".join(["| attempt | refused with |\n", "| --- | --- |\n", *rows])


def test_what_the_sandbox_refuses_is_possible_outside_of_it(machine: Machine) -> None:
    """The probe can fail: as root of the machine, without the sandbox, much of it succeeds."""
    script = """
import sys
sys.path.insert(0, "/opt/source/tests/systemd")
import probe
tried = probe.attempts(1, 1, "127.0.0.1", 9)
for what in ("write to /etc", "open an internet socket", "see another user's process",
             "signal another user's process", "make a network namespace", "come before others"):
    assert probe.told(tried[what]) == "DONE", what
"""
    machine.run("/opt/img2imgd/bin/python", "-c", script)

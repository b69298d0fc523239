"""docs/feeders/shared-folder.md, followed in the machine: a group shares the service's folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from documented import block
from served_machine import UNIT, Service

from waiting import wait_until

PAGE = "shared-folder.md"
SIDECAR = "prompt: a lake\nsteps: 2\nstrength: 1\nseed: 1\nn: 2\n"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/share.conf"


@pytest.fixture
def shared(service: Service) -> Iterator[Service]:
    """The service as the page sets it up; anna and ben are artists, carl is none."""
    machine = service.machine
    machine.shell("for name in ben carl; do id $name || useradd --create-home $name; done")
    machine.shell(block(PAGE, "The people", "sh"))
    machine.shell("usermod --append --groups artists ben")
    _write(service, "/etc/tmpfiles.d/img2imgd-share.conf", block(PAGE, "The folders", "ini"))
    machine.shell(block(PAGE, "The folders", "sh"))
    config = block(PAGE, "The service", "yaml")
    quick = "    settle: 0.3\n    rescan: 1\n    pair_wait: 1\n    orphan_after: 1\n"
    rest = "engine: {backend: fake}\nlimits: {min_free_gb: 0}\n"
    _write(service, "/etc/img2imgd/config.yaml", config + quick + rest)
    _write(service, DROP_IN, block(PAGE, "The service", "ini"))
    machine.shell(block(PAGE, "The service", "sh"))
    yield service
    machine.shell(
        f"systemctl stop {UNIT}; rm {DROP_IN} /etc/tmpfiles.d/img2imgd-share.conf; "
        "systemctl daemon-reload; rm -r /srv/img2imgd"
    )


def test_artists_share_what_the_service_makes(shared: Service) -> None:
    machine = shared.machine
    assert "watching /srv/img2imgd/inbox" in shared.log
    machine.run("runuser", "-u", "anna", "--", "mkdir", "/srv/img2imgd/inbox/mill")
    shared.drop("cow.png", SIDECAR, inbox="/srv/img2imgd/inbox/mill", umask="077")
    listing = (
        "find",
        "/srv/img2imgd",
        "-name",
        ".img2imgd",
        "-prune",
        "-o",
        "-type",
        "f",
        "-print",
    )

    def seen() -> list[str]:
        return machine.run("runuser", "-u", "ben", "--", *listing).stdout.split()

    wait_until(lambda: "/srv/img2imgd/done/mill/cow.png" in seen(), "it is served")
    results = [path for path in seen() if path.startswith("/srv/img2imgd/outbox/mill/")]
    assert len(results) == 3  # two frames and their sheet
    strangers = machine.run("runuser", "-u", "carl", "--", "ls", "/srv/img2imgd", check=False)
    assert strangers.returncode != 0
    machine.run("runuser", "-u", "ben", "--", "sha256sum", *results)
    made = "/srv/img2imgd/outbox/mill", "/srv/img2imgd/done/mill"
    machine.run("runuser", "-u", "ben", "--", "rm", "-r", *made)


def _write(service: Service, path: str, text: str) -> None:
    service.machine.shell(f"mkdir -p $(dirname {path})\ncat > {path} <<'EOF'\n{text}EOF")

"""What the service's sandbox refuses (``probe.py``), tried while a job is painted."""

from __future__ import annotations

import json
from typing import Any

from served_machine import UNIT, Service

from waiting import wait_until

_OTHERS = """
for home in /root /home/anna; do echo secret > $home/secret; chmod 644 $home/secret; done
chmod 755 /home/anna
install -m 4755 /usr/bin/id /usr/local/bin/setuid-id
printf '#!/bin/sh\\n' > /var/lib/img2imgd/inbox/.program.sh
chown anna: /var/lib/img2imgd/inbox/.program.sh
chmod 755 /var/lib/img2imgd/inbox/.program.sh
systemd-run --quiet --unit=annas --uid=anna sleep infinity
systemd-run --quiet --unit=server /opt/img2imgd/bin/python -m http.server --bind 127.0.0.1 8099
"""


def probe_while_painting(service: Service, sidecar: str) -> dict[str, Any]:
    """Start the service, drop house.png; what the probe has found. The job may not be done yet."""
    service.machine.shell(_OTHERS)
    other = service.systemctl("show", "--value", "--property=MainPID", "annas.service").strip()
    service.drop_in(
        "probe",
        "ExecStartPost=/opt/img2imgd/bin/python /opt/source/tests/systemd/probe.py"
        f" $MAINPID {other} 127.0.0.1 8099",
        "TimeoutStartSec=200",
    )
    service.systemctl("start", "--no-block", UNIT)
    service.drop("house.png", sidecar)
    result = service.path("state/probe.json")
    wait_until(
        lambda: result.exists() or service.show("ActiveState") == "failed",
        "the probe is through",
        150,
    )
    assert result.exists(), service.log
    service.systemctl("stop", "annas.service", "server.service")
    found: dict[str, Any] = json.loads(result.read_text())
    return found

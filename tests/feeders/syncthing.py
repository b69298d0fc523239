"""Two Syncthings on loopback that share a folder: an artist's device, and the daemon's machine."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from documented import block
from household import Household
from tools.ports import free_port

from waiting import wait_until

_KEY = "a-key-of-the-test"
# Nothing but the other one is spoken to. fsWatcherDelayS is 10 unless somebody changes it.
_CONFIG = """
<configuration version="36">
  <folder id="pictures" path="{folder}" type="{kind}" ignorePerms="true"
          rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="1">
    <device id="{own}"></device><device id="{other}"></device>
  </folder>
  <device id="{own}"></device>
  <device id="{other}"><address>tcp://127.0.0.1:{other_port}</address></device>
  <gui enabled="true"><address>127.0.0.1:{gui}</address><apikey>{key}</apikey></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:{port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <urAccepted>-1</urAccepted>
    <crashReportingEnabled>false</crashReportingEnabled>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <startBrowser>false</startBrowser>
  </options>
</configuration>
"""


@dataclass(frozen=True)
class Device:
    """One of the two: whose it is, what it shares, where it is configured and listens."""

    people: Household
    user: str
    folder: Path
    kind: str
    home: Path
    port: int
    gui: int
    id: str

    @classmethod
    def make(cls, people: Household, user: str, folder: Path, kind: str) -> Device:
        """A device with keys of its own; it does not run yet."""
        home = people.of(user) / f"syncthing-{folder.name}"
        people.run(user, "syncthing", "generate", f"--home={home}", "--no-default-folder")
        told = people.run(user, "syncthing", f"--home={home}", "--device-id").stdout
        return cls(
            people, user, folder, kind, home, free_port(), free_port(), told.decode().strip()
        )

    def start(self, other: Device) -> None:
        """Run it, as the friend of another one."""
        (self.home / "config.xml").write_text(
            _CONFIG.format(
                folder=self.folder, kind=self.kind, own=self.id, other=other.id, port=self.port,
                other_port=other.port, gui=self.gui, key=_KEY,
            )
        )  # fmt: skip
        self.people.start(
            self.user, "syncthing", "serve", f"--home={self.home}", "--no-browser",
            log=self.people.home / f"syncthing-{self.user}-{self.folder.name}.log", umask="0002",
            STNOUPGRADE="1", STMONITORED="yes",  # one process, no second that watches it
        )  # fmt: skip

    def asked(self, path: str) -> dict[str, object]:
        """What its REST API answers; empty while it does not."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.gui}/rest/{path}", headers={"X-API-Key": _KEY}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                told: dict[str, object] = json.load(answer)
                return told
        except OSError:
            return {}

    def knows(self, other: Device) -> bool:
        """True while the two are connected and the folder is scanned."""
        connections = self.asked("system/connections").get("connections", {})
        assert isinstance(connections, dict)
        there = connections.get(other.id, {}).get("connected")
        return bool(there) and self.asked("db/status?folder=pictures").get("state") == "idle"


def paired(people: Household, inbox: Path, kind: str) -> tuple[Device, Device]:
    """anna's device and the daemon's, connected; what the docs leave out is left out."""
    folder = people.of("anna") / f"device-{inbox.name}"
    people.run("anna", "mkdir", folder)
    (inbox / ".stignore").write_text(block("syncthing.md", "What to leave out", "text"))
    hers = Device.make(people, "anna", folder, "sendreceive")
    its = Device.make(people, "img2imgd", inbox, kind)
    hers.start(its)
    its.start(hers)
    wait_until(lambda: hers.knows(its) and its.knows(hers), "the two devices are connected")
    return hers, its

"""img2imgd as a service of a machine: what systemd says of it, its folders, its people."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from machine import Machine
from sample_drops import encoded

from waiting import wait_until

UNIT = "img2imgd.service"
SOCKET = "img2imgd.socket"

_CONFIG = """\
root: /var/lib/img2imgd
offline: true
engine: {{backend: {backend}, device: {device}}}
limits: {{min_free_gb: 0, max_frames: 1000}}
inboxes:
  - {{path: /var/lib/img2imgd/inbox, settle: 0.3, rescan: 1, pair_wait: 1}}
{extra}"""


@dataclass
class Service:
    """The service, and the machine that it runs in."""

    machine: Machine
    cursor: str = ""

    def reset(self) -> None:
        """As after the installation: stopped, no drop-ins, empty folders; the log begins here."""
        self.machine.shell(
            f"""
systemctl stop {SOCKET} {UNIT}
systemctl disable --quiet {SOCKET}
systemctl reset-failed
rm -rf /etc/systemd/system/{UNIT}.d /etc/systemd/system/{SOCKET}.d /var/lib/img2imgd /srv/scans
systemctl daemon-reload
systemd-tmpfiles --create img2imgd.conf
"""
        )
        self.write_config()
        said = self.machine.shell("journalctl --lines 0 --show-cursor --quiet")
        self.cursor = said.partition("cursor: ")[2].strip()

    def write_config(self, *, backend: str = "fake", device: str = "cpu", extra: str = "") -> None:
        """Write the config; ``extra`` is further YAML."""
        text = _CONFIG.format(backend=backend, device=device, extra=extra)
        (self.machine.root / "etc/img2imgd/config.yaml").write_text(text)

    def drop_in(self, name: str, *lines: str, unit: str = UNIT) -> None:
        """Add a drop-in to the service, with the lines of its [Service] section."""
        section = "[Socket]" if unit == SOCKET else "[Service]"
        folder = self.machine.root / f"etc/systemd/system/{unit}.d"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.conf").write_text("\n".join([section, *lines, ""]))
        self.systemctl("daemon-reload")

    def slow(self, seconds: float = 0.05) -> None:
        """Let the fake engine take so long for each step."""
        self.drop_in("slow", f"Environment=IMG2IMGD_FAKE_STEP_SECONDS={seconds}")

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        """What systemctl prints."""
        return self.machine.run("systemctl", *arguments, check=check).stdout

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.systemctl("start", UNIT)

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.systemctl("show", "--value", "--property", name, UNIT).strip()

    @property
    def pid(self) -> int:
        """The daemon's pid in the machine; 0 if there is none."""
        return int(self.show("MainPID"))

    def child(self, marker: str) -> int | None:
        """The pid of the worker (``pool.process``) or the reader (``reader.process``), if any."""
        found = self.machine.run(
            "pgrep", "--full", "--newest", f" -m img2imgd.{marker}", check=False
        )
        return int(found.stdout) if found.stdout else None

    @property
    def log(self) -> str:
        """What the journal says of the unit since the last reset."""
        return self.journal()

    def journal(self, most: int = 7) -> str:
        """As ``log``, of priorities up to ``most``; also what journald has not written yet.

        The choice is made here: after a cursor whose entry is not chosen itself, journalctl 252
        leaves out the first one that is.
        """
        since = "--after-cursor", self.cursor, "--output", "json", "--quiet"
        self.machine.run("journalctl", "--sync")
        entries = map(json.loads, self.machine.run("journalctl", *since).stdout.splitlines())
        return "".join(
            f"{entry['MESSAGE']}\n"
            for entry in entries
            if UNIT in (entry.get("UNIT"), entry.get("_SYSTEMD_UNIT"))
            and int(entry.get("PRIORITY", 6)) <= most
        )

    def path(self, inside: str) -> Path:
        """A path of the machine, seen from outside; below the service's folder if relative."""
        return self.machine.root / Path("/var/lib/img2imgd", inside).relative_to("/")

    def drop(
        self,
        name: str,
        sidecar: str | None,
        *,
        umask: str = "022",
        inbox: str = "/var/lib/img2imgd/inbox",
    ) -> None:
        """anna, of the group, puts a picture and its sidecar into the inbox, as a copy does."""
        (self.machine.root / "tmp/picture").write_bytes(encoded(seed=zlib.crc32(name.encode())))
        script = f"umask {umask}; cd {inbox}; mkdir -p $(dirname {name}); cat /tmp/picture > {name}"
        if sidecar is not None:
            (self.machine.root / "tmp/sidecar").write_text(sidecar)
            script += f"; cat /tmp/sidecar > {Path(name).with_suffix('.yaml')}"
        self.machine.shell(script, user="anna")

    def done(self) -> list[str]:
        """The pictures that are served, by their paths below done."""
        return sorted(
            str(path.relative_to(self.path("done"))) for path in self.path("done").rglob("*.png")
        )

    def outputs(self) -> list[Path]:
        """Every picture that is published."""
        outbox = self.path("outbox")
        return sorted(
            path for path in outbox.rglob("*.png")
            if ".img2imgd" not in path.parts and "sheet" not in path.name
        )  # fmt: skip

    def published(self) -> set[tuple[int, int]]:
        """(inode, mtime) of every picture that is published."""
        return {(path.stat().st_ino, path.stat().st_mtime_ns) for path in self.outputs()}

    def staged(self) -> dict[str, tuple[int, int]]:
        """Name → (inode, mtime) of every whole frame that waits to be published."""
        found = self.path("outbox/.img2imgd").rglob("*.png")
        return {
            path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in found
            if not path.name.startswith(".")
        }

    def wait_done(self, *names: str, seconds: float = 40.0) -> None:
        """Until these pictures, and no others, are served."""
        expected = sorted(names)

        def is_served() -> bool:
            assert not list(self.path("failed").rglob("*.reason.txt")), self.log
            return self.done() == expected

        try:
            wait_until(is_served, f"{names} are served", seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.done()}\n{self.log}") from None

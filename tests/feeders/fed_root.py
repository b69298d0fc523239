"""A root that artists share, served by a daemon that runs as a user of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path

from arrival_times import Arrivals
from documented import block, moved
from household import DAEMON, Household
from PIL import Image
from served_root import RunningDaemon, ServedRoot, visible_files
from servers import Samba, Ssh, WebDav
from syncthing import Device, paired

from img2imgd.job import JobState
from img2imgd.ledger import JobRow
from waiting import wait_until

SETTLE, RESCAN = 2.0, 5.0  # of profile: share
SIDECAR = b"prompt: a lake\nsteps: 2\nstrength: 1\nseed: 1\n"


def picture(number: int, size: tuple[int, int] = (40, 30), form: str = "PNG") -> bytes:
    """A small picture that no other number gives."""
    made = BytesIO()
    colour = (number * 37 % 256, number * 11 % 256, number // 256 % 256)
    Image.new("RGB", size, colour).save(made, form)
    return made.getvalue()


def pictures_with_sidecars(stem: str, count: int) -> dict[str, bytes]:
    """Files by name: so many pictures, each with its sidecar."""
    files: dict[str, bytes] = {}
    for number in range(count):
        files[f"{stem}-{number}.png"] = picture(sum(stem.encode()) * 100 + number)
        files[f"{stem}-{number}.yaml"] = SIDECAR
    return files


@dataclass
class FedRoot(ServedRoot):
    """The root, its inboxes by name, and the servers that people reach it by."""

    people: Household = field(kw_only=True)
    umask: str = "0007"  # the daemon's, as in its unit
    program: tuple[str, ...] = (sys.executable, "-m", "img2imgd")

    def configure(self, inboxes: Mapping[str, str]) -> None:
        """Make the folders as the docs do, and write a config: inboxes by name, with more keys."""
        documented = block("shared-folder.md", "The folders", "ini")
        conf = self.people.home / "tmpfiles.conf"
        others = "".join(
            line.replace("/srv/img2imgd/inbox", f"/srv/img2imgd/{name}") + "\n"
            for name in inboxes
            for line in documented.splitlines()
            if "/inbox" in line
        )
        conf.write_text(moved(documented + others, {"/srv/img2imgd": self.path}))
        self.people.run("root", "systemd-tmpfiles", "--create", conf)
        self.people.folder(self.path / "state", 0o2700)
        entries = "".join(
            f"  - {{path: {self.path / name}{', ' if keys else ''}{keys}}}\n"
            for name, keys in inboxes.items()
        )
        self.config.write_text(
            f"root: {self.path}\nengine: {{backend: fake}}\nlimits: {{min_free_gb: 0}}\n"
            f"inboxes:\n{entries}"
        )

    def launch(self, **environment: str) -> RunningDaemon:
        """Start the daemon as its user."""
        log_file = self.people.home / f"daemon-{len(self.daemons)}.log"
        process = self.people.start(
            DAEMON, *self.program, "run", "-c", self.config,
            log=log_file, umask=self.umask, **environment,
        )  # fmt: skip
        self.daemons.append(RunningDaemon(process, log_file))
        return self.daemons[-1]

    def status_text(self) -> str:
        """What ``img2imgd status`` tells the daemon's user."""
        command = (sys.executable, "-m", "img2imgd", "status", "-c", self.config)
        return self.people.run(DAEMON, *command).stdout.decode()

    @cached_property
    def samba(self) -> Samba:
        """The smbd, started when it is first needed."""
        return Samba.start(self.people, self.path)

    @cached_property
    def ssh(self) -> Ssh:
        """The sshd, started when it is first needed."""
        return Ssh.start(self.people)

    @cached_property
    def webdav(self) -> WebDav:
        """The WebDAV server of the inbox of that name, started when it is first needed."""
        return WebDav.start(self.people, self.path / "webdav")

    @cached_property
    def syncthing(self) -> tuple[Device, Device]:
        """anna's device and the daemon's, which takes files and gives none back."""
        return paired(self.people, self.path / "syncthing", "receiveonly")

    def jobs_of(self, inbox: str) -> list[JobRow]:
        """The jobs of one inbox."""
        return [row for row in self.jobs() if row.spec.inbox == str(self.path / inbox)]

    def wait_for(self, inbox: str, count: int, seconds: float = 60.0) -> list[JobRow]:
        """Wait until so many jobs of an inbox have ended; they."""

        def ended() -> bool:
            return sum(row.state.ended and row.archived for row in self.jobs_of(inbox)) >= count

        wait_until(ended, f"{count} jobs of {inbox} ended", seconds)
        return self.jobs_of(inbox)

    def source(self, inbox: str, files: Mapping[str, bytes], user: str = "anna") -> Path:
        """Put files into a folder of somebody's home, from where they are sent."""
        folder = self.people.of(user) / inbox
        self.people.run(user, "mkdir", "-p", folder)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.people.run("root", "chown", "-R", f"{user}:{user}", folder)
        return folder

    def assert_served_once(self, inbox: str, files: Mapping[str, bytes]) -> None:
        """Every picture became one job and one output, every file lies in done as it was sent."""
        pictures = {name for name in files if not name.endswith(".yaml")}
        rows = self.wait_for(inbox, len(pictures))
        assert sorted(row.spec.rel for row in rows) == sorted(pictures)
        assert {row.state for row in rows} == {JobState.DONE}, [row.reason for row in rows]
        left = {path.name for path in visible_files(self.path / inbox)}
        assert not left & files.keys()
        for name in pictures:
            stem = name.rpartition(".")[0]
            assert len(list(self.outbox.rglob(f"{stem}_*"))) == 1, name
        for name, content in files.items():
            assert (self.done / name).read_bytes() == content, name

    def late(self, inbox: str, arrivals: Arrivals, wait: float = SETTLE) -> list[float]:
        """By how many seconds each job was claimed after its files had settled.

        Nothing is claimed sooner: that is asserted, but for the grain of the kernel's clock.
        """
        late: list[float] = []
        for row in self.jobs_of(inbox):
            came = max(arrivals.last[Path(entry.source).name] for entry in row.spec.files)
            late.append(row.claimed_at - came - wait)
        assert min(late) > -0.05, late
        return late

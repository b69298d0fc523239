"""systemd/README.md: what it says to type works. Install is what makes the machine."""

from __future__ import annotations

import re

from installing import README, commands, follow
from served_machine import UNIT, Service

from waiting import wait_until

ONE = "prompt: a lake\nsteps: 2\nstrength: 1\nseed: 1\n"
SWEEP = "prompt: a lake\nsteps: 10\nseed: 5\nsweep: {strength: [0.2, 0.4, 0.6, 0.8, 1]}\n"
# Sections whose commands are run here, or by the fixture; a new one must come here too.
TRIED = {"Install", "Look", "Change the config", "A real model", "A GPU", "The page",
         "An inbox elsewhere", "Update", "Remove"}  # fmt: skip


def test_every_section_with_commands_is_tried() -> None:
    text = README.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert {heading for heading in headings if commands(heading)} == TRIED


def test_every_file_of_the_folder_is_named(service: Service) -> None:
    text = README.read_text(encoding="utf-8")
    for path in README.parent.iterdir():
        assert path == README or f"`{path.name}`" in text, path.name


def test_looking_at_it(service: Service) -> None:
    service.start()
    said = follow(service.machine, "Look")
    assert "Active: active (running)" in said
    assert "watching /var/lib/img2imgd/inbox" in said
    assert "Overall exposure level for img2imgd.service: 0." in said


def test_its_user_sees_the_status(service: Service) -> None:
    service.start()
    service.drop("lake.png", ONE)
    service.wait_done("lake.png")
    [line] = [one for one in commands("Look").splitlines() if "img2imgd status" in one]
    assert "lake.png" in service.machine.shell(line)


def test_a_gpus_drop_in_hides_the_rest_of_dev(service: Service) -> None:
    """No GPU here: it starts, serves, and may open no device but the few that all may."""
    service.start()
    follow(service.machine, "A GPU")
    assert service.show("DevicePolicy") == "closed"
    assert "char-nvidia* rw" in service.show("DeviceAllow")
    service.drop("lake.png", ONE)
    service.wait_done("lake.png")
    disk = service.machine.shell("ls /sys/block").split()[0]
    look = f"ExecStartPost=!!/bin/sh -c 'head -c 1 /dev/{disk}; head -c 1 /dev/zero > /dev/null'"
    service.drop_in("look", look)
    service.systemctl("restart", UNIT)
    assert f"cannot open '/dev/{disk}'" in service.log


def test_an_inbox_elsewhere(service: Service) -> None:
    service.machine.shell("install -d -m 2770 -o anna -g img2imgd /srv/scans")
    service.write_config(extra="  - {path: /srv/scans, settle: 0.3, rescan: 1, pair_wait: 1}\n")
    service.systemctl("start", UNIT, check=False)
    assert service.show("ExecMainStatus") == "5"
    assert "/srv/scans" in service.log, "the log names the folder that is out of reach"
    assert "inbox-elsewhere.conf" in service.log
    follow(service.machine, "An inbox elsewhere")
    service.drop("scan.png", ONE, inbox="/srv/scans", umask="002")
    service.wait_done("scan.png")


def test_an_inbox_in_a_home_folder(service: Service) -> None:
    service.machine.shell(
        """
install -d -m 711 -o anna -g anna /home/anna
install -d -m 2770 -o anna -g img2imgd /home/anna/sketches
install -m 600 -o anna /dev/null /home/anna/letter
"""
    )
    lines = (README.parent / "inbox-elsewhere.conf").read_text(encoding="utf-8")
    [home] = re.findall(r"^#(ProtectHome=.*)$", lines, re.MULTILINE)
    [bind] = re.findall(r"^#(BindPaths=.*)$", lines, re.MULTILINE)
    service.drop_in("home", home, bind)
    service.write_config(extra="  - {path: /home/anna/sketches, settle: 0.3, rescan: 1}\n")
    service.start()
    service.drop("sketch.png", ONE, inbox="/home/anna/sketches", umask="002")
    service.wait_done("sketch.png")
    seen = service.machine.run(
        "nsenter", "--target", str(service.pid), "--mount", "ls", "/home/anna"
    )
    assert seen.stdout.split() == ["sketches"]


def test_an_update_amid_a_sweep_keeps_its_frames(service: Service) -> None:
    service.slow()
    service.start()
    before = service.pid
    service.drop("hills.png", SWEEP)
    wait_until(lambda: len(service.staged()) >= 2, "two frames are painted")
    follow(service.machine, "Update")
    staged = service.staged()
    service.wait_done("hills.png")
    assert service.pid not in (0, before)
    assert service.published() >= set(staged.values())


def test_removing_it_leaves_the_pictures(service: Service) -> None:
    """And puts it back, for the tests that come after."""
    service.start()
    service.drop("lake.png", ONE)
    service.wait_done("lake.png")
    service.machine.shell("cp -a /opt/img2imgd /opt/kept")
    follow(service.machine, "Remove")
    assert service.systemctl("show", "--value", "--property=LoadState", UNIT).strip() == "not-found"
    assert service.done() == ["lake.png"]
    service.machine.shell("mv /opt/kept /opt/img2imgd")
    follow(service.machine, "Install")

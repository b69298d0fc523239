"""docs/feeders: what it says to type or copy works. Much of it is what other tests run with."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from documented import DOCS, block, blocks, moved
from fed_root import SIDECAR, FedRoot, picture
from household import Household
from senders import FEEDERS
from servers import Samba, WebDav

from feeder_table import BEGIN
from img2imgd.config import load_config

# Every block is run or parsed: here, by what starts the servers of these tests, or in the machine
# of tests/systemd/test_shared_folder.py. A new one must come here too.
TRIED = {
    ("shared-folder.md", "The people", "sh"),  # the machine
    ("shared-folder.md", "The folders", "ini"),  # every root of these tests; the machine
    ("shared-folder.md", "The folders", "sh"),  # the machine
    ("shared-folder.md", "The service", "yaml"),  # the machine
    ("shared-folder.md", "The service", "ini"),  # the machine
    ("shared-folder.md", "The service", "sh"),  # the machine
    ("shared-folder.md", "Samba", "ini"),  # every smbd of these tests
    ("shared-folder.md", "Samba", "sh"),
    ("shared-folder.md", "Over ssh", "sh"),
    ("shared-folder.md", "WebDAV", "sh"),
    ("syncthing.md", "What to leave out", "text"),  # every Syncthing of these tests
    ("scanner.md", "The inbox", "yaml"),
    ("scanner.md", "A scanner at this machine", "sh"),  # test_scanners
}
_BUT_FOR_X = 0o2667  # DOS's archive bit becomes an x, which no picture minds
OF_OTHERS = {"sketches.md", "tablet.md", "prompts.md"}  # pages that are not about feeding


def test_every_block_of_the_pages_is_tried() -> None:
    pages = {path.name for path in DOCS.glob("*.md")} - OF_OTHERS
    found = {(one.page, one.heading, one.language) for page in pages for one in blocks(page)}
    assert found == TRIED


def test_the_table_names_every_feeder() -> None:
    rows = (DOCS / "README.md").read_text(encoding="utf-8").split(BEGIN)[1].splitlines()
    assert {feeder.name for feeder in FEEDERS} <= {row.split(" | ")[0][2:] for row in rows}


def test_samba_finds_nothing_wrong_with_the_config(tmp_path: Path) -> None:
    conf = tmp_path / "smb.conf"
    conf.write_text(block("shared-folder.md", "Samba", "ini"))
    look, password, restart = block("shared-folder.md", "Samba", "sh").splitlines()
    told = subprocess.run([*look.split(), conf], capture_output=True, text=True, check=True)
    assert "Loaded services file OK" in told.stderr
    for trouble in ("Unknown parameter", "Ignoring", "WARNING", "ERROR"):
        assert trouble not in told.stderr
    # The servers of these tests do the same without a terminal and without a service manager.
    assert (password, restart) == ("smbpasswd -a anna", "systemctl restart smbd")


@pytest.mark.parametrize("inherits", [False, True], ids=["masks", "inherit permissions"])
def test_what_comes_through_samba_belongs_to_the_group(people: Household, inherits: bool) -> None:
    root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
    root.configure({"inbox": ""})
    more = "   inherit permissions = yes\n" if inherits else ""
    samba = Samba.start(people, root.path, more=more)
    samba.do("cd inbox", "mkdir mill", "cd mill", "put - cow.png", stdin=picture(1))
    for name, mode in (("mill", 0o2770), ("mill/cow.png", 0o660)):
        status, wanted = (root.path / "inbox" / name).stat(), root.path.stat()
        assert stat.S_IMODE(status.st_mode) & _BUT_FOR_X == mode & _BUT_FOR_X, name
        assert (status.st_uid, status.st_gid) == (wanted.st_uid, wanted.st_gid)


def test_what_is_said_of_ssh_and_webdav_brings_pictures(fed: FedRoot) -> None:
    inbox = fed.path / "documented"
    shell = " ".join(fed.ssh.options)
    where = {"/srv/img2imgd/inbox": inbox, "SERVER": "127.0.0.1", "scp ": f"scp {shell} ",
             "rsync ": f"rsync -e 'ssh {shell}' ", "sftp ": f"sftp {shell} "}  # fmt: skip
    ssh = moved(block("shared-folder.md", "Over ssh", "sh"), where).splitlines()
    served = WebDav.start(fed.people, inbox).url
    _, put = block("shared-folder.md", "WebDAV", "sh").splitlines()
    lines = [*ssh, moved(put, {"http://127.0.0.1:8080": served})]
    assert len(lines) == 4
    for number, line in enumerate(lines):
        files = {f"said-{number}.png": picture(70 + number), f"said-{number}.yaml": SIDECAR}
        source = fed.source(f"said-{number}", files)
        fed.people.run("anna", "sh", "-ec", line.replace("cat.", f"said-{number}."), cwd=source)
    alone = inbox / "said-2.yaml"  # sftp's line brings the picture alone
    alone.write_bytes(SIDECAR)
    rows = fed.wait_for("documented", len(lines))
    assert sorted(row.spec.rel for row in rows) == [f"said-{n}.png" for n in range(len(lines))]
    for number in range(len(lines)):
        assert (fed.done / f"said-{number}.png").read_bytes() == picture(70 + number)


def test_the_scanners_config_is_one(tmp_path: Path) -> None:
    conf = tmp_path / "config.yaml"
    for folder in ("inbox", "scans"):
        (tmp_path / folder).mkdir()
    text = block("scanner.md", "The inbox", "yaml")
    state = tmp_path / "state"
    conf.write_text(moved(text, {"/srv/img2imgd": tmp_path, "/var/lib/img2imgd/state": state}))
    plain, scans = load_config(conf, None, env={}).inboxes
    assert (plain.profile, plain.settle) == ("share", 2)
    assert (scans.profile, scans.settle, scans.prompted_wait) == ("scanner", 5, 5)
    assert scans.defaults.prompt is not None

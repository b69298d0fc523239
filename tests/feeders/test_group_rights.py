"""What one artist drops, another may read, and may take its results and reasons away."""

from __future__ import annotations

from pathlib import Path

import pytest
from fed_root import SIDECAR, FedRoot, picture
from household import Household
from served_root import visible_files

from waiting import wait_until

QUICK = "settle: 0.3, rescan: 0.5, pair_wait: 0.5"


@pytest.fixture
def root(people: Household) -> FedRoot:
    """A root whose folders are made as the docs say; no daemon yet."""
    root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
    root.configure({"inbox": QUICK})
    return root


@pytest.mark.parametrize(
    ("acl", "of_daemon", "of_people"),
    [
        pytest.param(True, "0007", "022", id="with the folders' ACL, whatever umask people have"),
        pytest.param(True, "0022", "077", id="nor does the daemon's matter"),
        pytest.param(False, "0007", "002", id="without ACLs: umask 002"),
    ],
)
def test_what_one_drops_another_reads_and_removes(
    root: FedRoot, acl: bool, of_daemon: str, of_people: str
) -> None:
    people = root.people
    if not acl:
        for name in ("inbox", "outbox", "done", "failed"):
            _without_acl(people, root.path / name)
    root.umask = of_daemon
    root.start()
    files = {"ox.png": picture(1), "ox.yaml": SIDECAR + b"n: 2\n", "elk.png": b"no picture"}
    source = root.source("mill", files | {"elk.yaml": SIDECAR})
    people.run("anna", "mkdir", root.path / "inbox" / "mill", umask=of_people)
    people.run(
        "anna", "sh", "-c", f"cp * {root.path}/inbox/mill/", cwd=source, umask=of_people
    )  # fmt: skip
    root.wait_for("inbox", 2)
    folders = root.outbox, root.done, root.failed
    shared = [path for folder in folders for path in visible_files(folder)]
    told = {path.name for path in shared}
    assert {"ox.png", "ox.yaml", "elk.png", "elk.yaml", "elk.png.reason.txt"} <= told
    assert len(shared) == 5 + 3  # two frames and their sheet
    assert people.run("carl", "ls", root.outbox, check=False).returncode != 0, "he is no artist"
    people.run("ben", "cat", *shared)
    people.run("ben", "rm", *shared)
    people.run("ben", "rm", "-r", *(folder / "mill" for folder in folders))
    assert root.daemons[0].stop() == 0


def test_what_the_daemon_may_not_read_or_move_is_explained_and_served_once_it_may(
    root: FedRoot,
) -> None:
    people, inbox = root.people, root.path / "inbox"
    root.start()
    _without_acl(people, inbox)
    secret = root.source("private", {"secret.png": picture(2), "secret.yaml": SIDECAR})
    people.run("anna", "chmod", "600", secret / "secret.png")
    people.run("anna", "mv", secret / "secret.png", secret / "secret.yaml", inbox)
    people.run("anna", "mkdir", "-m", "755", inbox / "hers")
    own = root.source("hers", {"fox.png": picture(3), "fox.yaml": SIDECAR})
    people.run("anna", "cp", own / "fox.png", own / "fox.yaml", inbox / "hers")

    root.wait_for("inbox", 1)
    reason = (root.failed / "secret.png.reason.txt").read_text()
    assert "secret.png may not be read: permission denied" in reason
    assert "chmod" in reason
    wait_until(lambda: "hers/fox.png" in root.status_text(), "the status names what waits")
    told = " ".join(root.status_text().split())
    assert "hers/fox.png: lies in a folder that img2imgd is not allowed to change" in told
    assert "secret.png may not be read" in told

    people.run("anna", "chmod", "g+w", inbox / "hers")
    people.run("anna", "chmod", "a+r", root.failed / "secret.png")
    again = (root.failed / "secret.png", root.failed / "secret.yaml")
    people.run("anna", "mv", *again, inbox)
    root.wait_for("inbox", 3)
    assert {path.name for path in visible_files(root.done)} == {
        "fox.png", "fox.yaml", "secret.png", "secret.yaml",
    }  # fmt: skip


def _without_acl(people: Household, folder: Path) -> None:
    """As on a filesystem without ACLs."""
    people.run("root", "python3", "-c", f"import os; os.removexattr({str(folder)!r}, "
               "'system.posix_acl_default')")  # fmt: skip

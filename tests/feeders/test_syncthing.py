"""Syncthing's habits: its own files, what becomes of the sender's files, a file that is changed."""

from __future__ import annotations

from fed_root import SIDECAR, FedRoot, picture, pictures_with_sidecars
from household import Household
from syncthing import paired

from waiting import wait_until


def test_the_senders_files_stay_only_where_the_folder_receives_only(people: Household) -> None:
    root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
    root.configure({"both": "settle: 0.7", "only": "settle: 0.7"})
    root.start()
    devices = {"both": paired(people, root.path / "both", "sendreceive"),
               "only": paired(people, root.path / "only", "receiveonly")}  # fmt: skip
    files = {kind: pictures_with_sidecars(kind, 2) for kind in devices}
    for kind, (hers, _) in devices.items():
        source = root.source(kind, files[kind])
        people.run("anna", "cp", *files[kind], hers.folder, cwd=source)
    for kind in devices:
        root.assert_served_once(kind, files[kind])
    both, only = (hers.folder for hers, _ in devices.values())
    wait_until(
        lambda: not files["both"].keys() & {path.name for path in both.iterdir()},
        "what was taken has gone from the device too",
    )
    assert files["only"].keys() <= {path.name for path in only.iterdir()}
    for folder in (both, only):
        assert not (folder / ".img2imgd").exists()
        assert (root.path / folder.name.removeprefix("device-") / ".stfolder").is_dir()

    # Painted over on the device, the picture comes again, and so does what describes it.
    for name, content in {"only-0.png": picture(9), "only-0.yaml": SIDECAR + b"n: 2\n"}.items():
        (root.people.of("anna") / name).write_bytes(content)
        people.run("anna", "cp", people.of("anna") / name, only / name)
    rows = root.wait_for("only", 3)
    assert [row.spec.rel for row in rows][2] == "only-0.png"
    assert (root.done / "only-0~2.png").read_bytes() == picture(9)


def test_a_conflict_copy_is_a_picture_of_its_own(people: Household) -> None:
    """Nothing says which of the two somebody wants; without a prompt it goes to failed."""
    root = FedRoot(people.home / "srv", people.home / "config.yaml", people=people)
    root.configure({"inbox": "settle: 0.3, rescan: 0.5, pair_wait: 0.5, orphan_after: 1"})
    root.start()
    conflict = "cat.sync-conflict-20261127-081500-ABCDEFG.png"
    files = {"cat.png": picture(1), "cat.yaml": SIDECAR, conflict: picture(2)}
    source = root.source("inbox", files)
    people.run("anna", "cp", *files, root.path / "inbox", cwd=source)
    root.wait_for("inbox", 2)
    assert (root.done / "cat.png").read_bytes() == picture(1)
    assert (root.failed / conflict).read_bytes() == picture(2)
    assert "prompt" in (root.failed / f"{conflict}.reason.txt").read_text()

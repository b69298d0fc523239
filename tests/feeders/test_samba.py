"""What clients of a share do: large and slow copies, litter, names without case, two at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fed_root import SIDECAR, FedRoot, picture
from served_root import pause, visible_files

from img2imgd.job import JobState
from waiting import wait_until

LITTER = ("Thumbs.db", "desktop.ini", ".DS_Store", "._cat.png", "~$cat.png", ".~lock.cat.png#")


def _served(root: FedRoot, *names: str) -> None:
    """Wait until pictures in the inbox ``habits`` have been served; none failed, none twice."""

    def ended() -> bool:
        rows = root.jobs_of("habits")
        return set(names) <= {row.spec.rel for row in rows if row.state.ended and row.archived}

    wait_until(ended, f"served: {names}")
    for name in names:
        states = [row.state for row in root.jobs_of("habits") if row.spec.rel == name]
        assert states == [JobState.DONE], name


def test_a_copy_of_30_megabytes_is_served_whole(fed: FedRoot) -> None:
    content = picture(1, (3300, 3100), "BMP")
    assert len(content) > 30_000_000
    source = fed.source("large", {"large.bmp": content, "large.yaml": SIDECAR})
    fed.samba.do("cd habits", "put large.bmp", "put large.yaml", cwd=source)
    _served(fed, "large.bmp")
    assert (fed.done / "large.bmp").read_bytes() == content


def test_a_copy_that_stalls_for_longer_than_the_settle_time_is_not_taken_half(
    fed: FedRoot,
) -> None:
    """smbd writes as the daemon's user, who may ask the kernel whether somebody still writes."""
    content = picture(2, (300, 150), "BMP")
    block = 65_536  # what this dialect writes at once
    fed.samba.do("cd habits", "put - slow.yaml", stdin=SIDECAR)
    client = fed.people.open(
        "anna", *fed.samba.client("anna", "-m", "SMB2_02"), "-c", "cd habits; put - slow.bmp"
    )
    assert client.stdin is not None
    slow = fed.path / "habits" / "slow.bmp"
    with client.stdin as sending:
        sending.write(content[:block])
        sending.flush()
        wait_until(lambda: slow.exists() and slow.stat().st_size == block, "one block is there")
        pause(5)  # smbd sets the time of writing again 2 s later; then it would have settled
        assert not [row for row in fed.jobs_of("habits") if row.spec.rel == "slow.bmp"]
        sending.write(content[block:])
    assert client.wait(20) == 0
    _served(fed, "slow.bmp")
    assert (fed.done / "slow.bmp").read_bytes() == content


def test_only_the_newest_is_served_of_a_file_that_is_replaced_while_it_settles(
    fed: FedRoot,
) -> None:
    fed.samba.do("cd habits", "put - twice.yaml", "put - twice.png", stdin=SIDECAR)
    for number in (3, 4):
        source = fed.source("twice", {"twice.png": picture(number)})
        fed.samba.do("cd habits", "put twice.png", cwd=source)
        pause(0.5)
    _served(fed, "twice.png")
    assert (fed.done / "twice.png").read_bytes() == picture(4)


def test_litter_stays_and_case_does_not_matter(fed: FedRoot) -> None:
    files = dict.fromkeys(LITTER, b"litter") | {"CAT.PNG": picture(5), "cat.yaml": SIDECAR}
    source = fed.source("litter", files)
    fed.samba.do("cd habits", *(f'put "{name}"' for name in files), cwd=source)
    _served(fed, "CAT.PNG")
    assert (fed.done / "cat.yaml").read_bytes() == SIDECAR
    assert {path.name for path in (fed.path / "habits").iterdir()} >= set(LITTER)
    assert not [row for row in fed.jobs_of("habits") if row.spec.rel in LITTER]
    assert not [name for name in LITTER if name in fed.status_text()]
    assert (fed.path / "habits" / ".img2imgd").is_dir()
    assert ".img2imgd" not in fed.samba.do("ls habits/*"), "smbd shows nobody what is at work"


def test_of_two_clients_that_copy_the_same_name_one_wins_and_nothing_is_mixed(
    fed: FedRoot,
) -> None:
    contents = {"anna": picture(6), "ben": picture(7)}
    fed.samba.do("cd habits", "put - same.yaml", stdin=SIDECAR)

    def copy(user: str) -> str:
        source = fed.source("same", {"same.png": contents[user]}, user)
        orders = f"put same.png {user}.tmp", f"rename {user}.tmp same.png"
        return fed.samba.do("cd habits", *orders, user=user, check=False, cwd=source)

    with ThreadPoolExecutor() as both:
        told = list(both.map(copy, contents))
    assert sum("NT_STATUS_OBJECT_NAME_COLLISION" in one for one in told) == 1
    _served(fed, "same.png")
    assert (fed.done / "same.png").read_bytes() in contents.values()
    left = [path for path in visible_files(fed.path / "habits") if path.suffix == ".tmp"]
    assert len(left) == 1, "the other one's client was told, and has its copy still"


def test_results_and_reasons_are_read_deleted_and_put_back_through_the_share(
    fed: FedRoot,
) -> None:
    sweep = SIDECAR + b"n: 3\n"
    files = {"sheep.png": picture(8), "sheep.yaml": sweep, "fog.png": picture(9), "goat.png": b"no"}
    files["fog.yaml"] = b"prompt: fog\nstrengh: 2\n"
    files["goat.yaml"] = SIDECAR
    source = fed.source("mill", files)
    fed.samba.do("cd habits", "mkdir mill", "cd mill", *(f"put {name}" for name in files),
                 cwd=source)  # fmt: skip
    _served(fed, "mill/sheep.png")
    reasons = {"fog.png": "strengh", "goat.png": "picture"}
    for name, word in reasons.items():
        reason = fed.failed / "mill" / f"{name}.reason.txt"
        wait_until(reason.exists, f"{name} has failed")
        told = fed.samba.do("cd failed/mill", f"get {name}.reason.txt -")
        assert word in told
        assert (fed.failed / "mill" / name).exists()
    (results,) = (fed.outbox / "mill").iterdir()
    assert len(visible_files(results)) == 4  # and a sheet
    fed.samba.do("cd outbox/mill", f'deltree "{results.name}"')
    assert not results.exists()
    fed.samba.do("cd failed/mill", "del goat.*", "del fog.png.reason.txt")
    assert {path.name for path in (fed.failed / "mill").iterdir()} == {"fog.png", "fog.yaml"}

    right = fed.source("mill", {"fog.yaml": SIDECAR})
    fed.samba.do("del failed/mill/fog.yaml", "cd habits/mill", "put fog.yaml", cwd=right)
    fed.samba.do("rename failed/mill/fog.png habits/mill/fog.png")
    wait_until(lambda: (fed.done / "mill" / "fog.png").exists(), "what was put right is served")

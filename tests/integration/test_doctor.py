"""What ``doctor`` finds: real full, read-only and foreign folders, ledgers, models, other users."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from img2imgd.app.folders import make_all
from img2imgd.app.holding import held
from img2imgd.config import Config, load_config
from img2imgd.doctor import Finding, examine, folders, machine, user_to_try
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.device import check_device
from img2imgd.doctor.folders import check_folders, check_room
from img2imgd.doctor.keeping import as_keeper, check_keeper, keeper_of
from img2imgd.doctor.machine import check_clock, check_program, check_watches
from img2imgd.doctor.models import check_models
from img2imgd.doctor.records import check_holders, check_ledger, check_places, look_at_ledger
from img2imgd.doctor.serving import Unit, check_page, check_unit
from img2imgd.engine import cards
from img2imgd.errors import UsageError
from img2imgd.ledger import mount_fact, open_ledger

DEMO = Path(__file__).parents[2] / "daemon/img2imgd/demo_model"
ME = User.current()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts, and becomes another user")

Mount = Callable[[Path, str], Path]


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts a tmpfs with these options, and unmounts it after."""
    done: list[Path] = []

    def make(path: Path, options: str) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], check=True)
        done.append(path)
        return path

    yield make
    for path in done:
        subprocess.run(["umount", "--lazy", path], check=True)


def config_of(root: Path, text: str = "") -> Config:
    file = root / "config.yaml"
    file.write_text(f"root: {root}\nlimits: {{min_free_gb: 0}}\n{text}")
    return load_config(file, None, env=os.environ)


def of(findings: Iterator[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def test_a_whole_root_is_fine_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    config = config_of(tmp_path, "engine: {backend: fake}\n")
    make_all(config)
    before = sorted(tmp_path.rglob("*"))
    findings = list(examine(config, ME, None))
    assert [finding for finding in findings if finding.level == "wrong"] == []
    assert {finding.check for finding in findings} == {
        "config", "program", "inbox", "outbox", "done", "failed", "state", "room", "daemon",
        "ledger", "watches", "clock", "sandbox", "pictures", "page", "models", "device",
    }  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_that_are_not_there_yet_are_not_made(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    found = list(check_folders(config, ME))
    assert {finding.level for finding in found} == {"fine"}
    assert not config.outbox.exists()


@needs_root
def test_a_disk_without_room_or_without_inodes_is_told(tmp_path: Path, mount: Mount) -> None:
    config = config_of(tmp_path)
    mount(config.outbox, "size=1m")
    asks = replace(config, limits=msgspec.structs.replace(config.limits, min_free_gb=1))
    full = [finding for finding in check_room(asks) if str(config.outbox) in finding.what]
    assert full[0].level == "wrong"
    assert "limits.min_free_gb" in full[0].mend
    subprocess.run(["umount", config.outbox], check=True)
    config.outbox.rmdir()
    config.outbox.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=12", "none", config.outbox], check=True
    )
    few = [finding for finding in check_room(config) if str(config.outbox) in finding.what]
    assert (few[0].level, "inodes" in few[0].what) == ("wrong", True)
    for number in range(11):
        (config.outbox / str(number)).touch()
    found = of(check_folders(config, ME), "outbox")
    assert found.level == "wrong"
    assert "No space left" in found.what
    assert "df -i" in found.mend


@needs_root
def test_a_read_only_disk_is_told_with_its_mount(tmp_path: Path, mount: Mount) -> None:
    config = config_of(tmp_path)
    mount(config.done, "ro")
    found = of(check_folders(config, ME), "done")
    assert (found.level, "Read-only" in found.what) == ("wrong", True)
    assert found.mend.startswith(f"sudo mount -o remount,rw {config.done}")


@needs_root
def test_a_folder_in_memory_is_a_warning(tmp_path: Path, mount: Mount) -> None:
    config = config_of(tmp_path)
    mount(config.state, "size=1m")
    assert of(check_folders(config, ME), "state").level == "warning"


@needs_root
def test_folders_are_tried_as_the_user_of_the_service(open_path: Path) -> None:
    nobody = User.named("nobody")
    config = config_of(open_path)
    make_all(config)
    for folder in (config.outbox, config.done, config.failed, config.state):
        shutil.chown(folder, "nobody", "nogroup")
    shutil.chown(config.outbox / ".img2imgd", "nobody", "nogroup")
    found = of(check_folders(config, nobody), "inbox")
    assert found.level == "wrong"
    assert "cannot be written by nobody: Permission denied" in found.what
    assert found.mend == f"sudo chown -R nobody:nogroup {config.inboxes[0].path}"
    assert {f.level for f in check_folders(config, nobody) if f.check != "inbox"} == {"fine"}
    config.inboxes[0].path.chmod(0o777)  # the spool in it is still root's
    found = of(check_folders(config, nobody), "inbox")
    assert (found.level, "inbox/.img2imgd cannot" in found.what) == ("wrong", True)
    assert {f.level for f in check_folders(config, ME)} == {"fine"}


@needs_root
def test_a_parent_that_the_user_may_not_enter_is_named(open_path: Path) -> None:
    config = config_of(open_path)
    make_all(config)
    open_path.chmod(0o700)
    found = of(check_folders(config, User.named("nobody")), "state")
    assert found.mend.startswith(f"sudo chmod o+x {open_path}")


def test_a_program_in_a_closed_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    (found,) = check_program(ME)
    assert (found.level, "/nowhere/python" in found.what) == ("wrong", True)


def test_another_daemon_in_the_inbox_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    inbox = f"inboxes: [{{path: {tmp_path}/shared}}]\n"
    ours, theirs = config_of(tmp_path / "a", inbox), config_of(tmp_path / "b", inbox)
    make_all(ours)
    make_all(theirs)
    (found,) = check_holders(ours)
    assert (found.level, "does not run" in found.what) == ("fine", True)
    with held(theirs):
        (found,) = check_holders(ours)
        assert found.level == "wrong"
        assert (
            f"held by another img2imgd: pid {os.getpid()} on {socket.gethostname()}" in found.what
        )
        (own,) = check_holders(theirs)
        assert (own.level, "it runs" in own.what) == ("fine", True)
    assert [finding.level for finding in check_holders(ours)] == ["fine"]


@needs_root
def test_folders_of_a_daemon_that_runs_as_another_are_left_to_that_one(open_path: Path) -> None:
    config = config_of(open_path)
    make_all(config)
    nobody = User.named("nobody")
    own = [open_path, *open_path.rglob("*")]
    with held(config):
        for path in (*own, config.state / "lock"):
            shutil.chown(path, "nobody", "nogroup")
        config.state.chmod(0o700)
        assert keeper_of(config, nobody) is None
        (first,) = check_keeper(config, ME, keeper_of(config, ME))
        assert first.level == "warning"
        assert "nobody" in first.what
        assert first.mend == f"sudo -u nobody img2imgd doctor -c {config.path}"
        stranger = User("54321", 54321, 54321, "/")
        told = as_user(stranger, lambda: _seen_by_a_stranger(config, stranger))
    assert told["daemon"][1].startswith("cannot tell whether it runs")
    assert told["user"][2] == told["inbox"][2] == first.mend
    assert "another user's" in told["ledger"][1]
    assert not any("chown" in mend or "chmod" in mend for _, _, mend in told.values())


def _seen_by_a_stranger(config: Config, user: User) -> dict[str, tuple[str, str, str]]:
    keeper = keeper_of(config, user)
    assert keeper is not None
    ledger = look_at_ledger(config, user)
    findings = [
        *check_keeper(config, user, keeper),
        *check_folders(config, user, as_keeper(config, keeper)),
        *check_holders(config),
        *check_ledger(config, ledger),
        *check_places(config, ledger),
    ]
    return {found.check: (found.level, found.what, found.mend) for found in findings}


def test_a_damaged_ledger_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    make_all(config)
    path = config.state / "ledger.sqlite"
    open_ledger(path).close()
    whole = look_at_ledger(config, ME)
    assert of(check_ledger(config, whole), "ledger").level == "fine"
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 20000)
    before = path.read_bytes()
    found = of(check_ledger(config, look_at_ledger(config, ME)), "ledger")
    assert (found.level, "sets a damaged file aside" in found.mend) == ("wrong", True)
    assert path.read_bytes() == before


def test_a_disk_that_is_not_mounted_now_is_told(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    make_all(config)
    ledger = open_ledger(config.state / "ledger.sqlite")
    ledger.set_facts(**{mount_fact(config.outbox): str(config.outbox)})
    ledger.close()
    (found,) = check_places(config, look_at_ledger(config, ME))
    assert (found.level, "none is mounted" in found.what) == ("wrong", True)


def test_the_clock_is_measured_by_what_cannot_be() -> None:
    assert of(check_clock(None, now=1.0), "clock").level == "wrong"
    now = 1_900_000_000.0
    assert of(check_clock(now + 4000, now=now), "clock").level == "warning"
    assert "before" not in of(check_clock(now, now=now), "clock").what


MODELS = "models: {mine: {source: %s}}\nmodel: mine\n"


def test_model_files_are_looked_for(tmp_path: Path) -> None:
    config = config_of(tmp_path, MODELS % (tmp_path / "gone"))
    mine, demo = check_models(config, ME, {})
    assert (mine.level, demo.level) == ("wrong", "fine")
    assert "there is no folder" in mine.what
    assert "source" in mine.mend


def test_a_model_that_lacks_a_part_or_was_cut_off_is_told(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(DEMO, copy)
    config = config_of(tmp_path, MODELS % copy)
    assert next(check_models(config, ME, {})).level == "fine"
    (weights,) = (copy / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    found = next(check_models(config, ME, {}))
    assert (found.level, "was cut off" in found.what) == ("wrong", True)
    shutil.rmtree(copy / "unet")
    found = next(check_models(config, ME, {}))
    assert (found.level, "lacks unet" in found.what) == ("wrong", True)


@pytest.mark.parametrize(("offline", "level"), [("true", "wrong"), ("false", "warning")])
def test_a_model_of_the_hub_that_is_not_here_says_what_to_fetch(
    tmp_path: Path, offline: str, level: str
) -> None:
    config = config_of(tmp_path, MODELS % "somebody/model" + f"offline: {offline}\n")
    found = next(check_models(config, ME, {"HF_HOME": str(tmp_path / "hub")}))
    assert (found.level, found.mend) == (level, f"img2imgd fetch -c {config.path} mine")


def test_a_device_that_is_not_there_is_told_with_what_to_set(tmp_path: Path) -> None:
    config = config_of(tmp_path, "engine: {device: 'cuda:63'}\n")
    (found,) = check_device(config, ME)
    assert (found.level, "engine.device" in found.mend) == ("wrong", True)
    config = config_of(tmp_path, "engine: {device: cpu}\n")
    (found,) = check_device(config, ME)
    assert (found.level, "float32" in found.what) == ("fine", True)


def test_a_torch_that_hangs_or_is_broken_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path)
    (tmp_path / "torch.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("img2imgd.doctor.device._LONGEST", 1.0)
    (found,) = check_device(config, ME)
    assert (found.level, "did not answer" in found.what) == ("wrong", True)
    monkeypatch.setattr("img2imgd.doctor.device._LONGEST", 60.0)
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: no such file')")
    (found,) = check_device(config, ME)
    assert (found.level, "libcudart" in found.what) == ("wrong", True)


def test_an_open_address_needs_a_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    open_to_all = f"status: {{listen: '0.0.0.0:1', token_file: {token}}}\n"
    (found,) = check_page(config_of(tmp_path, "status: {listen: '0.0.0.0:1'}\n"), ME, runs=False)
    assert (found.level, "no token" in found.what) == ("wrong", True)
    found = next(check_page(config_of(tmp_path, open_to_all), ME, runs=False))
    assert (found.level, "cannot be read" in found.what) == ("wrong", True)
    token.write_text("short\n")
    found = next(check_page(config_of(tmp_path, open_to_all), ME, runs=False))
    assert (found.level, "guessed" in found.what) == ("wrong", True)


def test_an_address_that_is_taken_is_told_unless_it_is_the_daemons(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = config_of(tmp_path, f"status: {{listen: '127.0.0.1:{port}'}}\n")
        (found,) = check_page(config, ME, runs=False)
        assert (found.level, f"sport = :{port}" in found.mend) == ("wrong", True)
        (found,) = check_page(config, ME, runs=True)  # it does not answer
        assert (found.level, "by img2imgd itself if it runs" in found.what) == ("fine", True)
    (found,) = check_page(config, ME, runs=False)
    assert (found.level, "is free" in found.what) == ("fine", True)
    config = config_of(tmp_path, f"status: {{listen: 'unix:{tmp_path}/page.sock'}}\n")
    (found,) = check_page(config, ME, runs=False)
    assert found.level == "fine"
    assert not (tmp_path / "page.sock").exists()


def test_a_unit_that_failed_or_is_not_enabled_is_told(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert list(check_unit(None, config)) == []
    assert list(check_unit(Unit(), config)) == []
    assert of(check_unit(Unit(True, "enabled", "failed"), config), "service").level == "wrong"
    found = of(check_unit(Unit(True, "disabled", "inactive"), config), "service")
    assert (found.level, found.mend) == (
        "warning", "sudo systemctl enable --now img2imgd.service",
    )  # fmt: skip
    assert of(check_unit(Unit(True, "enabled", "active"), config), "service").level == "fine"


def test_a_unit_that_hides_the_card_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit(True, "enabled", "active", hides_devices=True)
    config = config_of(tmp_path)
    monkeypatch.setattr(cards, "CARDS", tmp_path / "none")
    assert of(check_unit(unit, config), "service").level == "fine"
    monkeypatch.setattr(cards, "CARDS", tmp_path)
    found = of(check_unit(unit, config), "service")
    assert (found.level, "gpu.conf" in found.mend) == ("warning", True)
    seen = replace(unit, hides_devices=False)
    assert of(check_unit(seen, config), "service").level == "fine"
    on_the_cpu = config_of(tmp_path, "engine: {device: cpu}\n")
    assert of(check_unit(unit, on_the_cpu), "service").level == "fine"


def test_watches_are_asked_of_inotify_itself(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    make_all(config)
    for number in range(6):
        (config.inboxes[0].path / str(number)).mkdir()
    (found,) = check_watches(config, ME)
    assert (found.level, "8 folders" in found.what) == ("fine", True)


@needs_root
def test_a_limit_of_watches_is_told_with_the_line_that_raises_it(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    make_all(config)
    for number in range(6):
        (config.inboxes[0].path / str(number)).mkdir()
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "Path('/proc/sys/user/max_inotify_watches').write_text('3')\n"
        "from img2imgd.config import load_config\n"
        "from img2imgd.doctor.machine import check_watches\n"
        "from img2imgd.doctor.as_user import User\n"
        f"config = load_config(Path({str(tmp_path / 'config.yaml')!r}), None, env=os.environ)\n"
        "for found in check_watches(config, User.current()):\n"
        "    sys.stdout.write(f'{found.level}|{found.what}|{found.mend}')\n"
    )
    unshared = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script]
    done = subprocess.run(unshared, capture_output=True, text=True)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    level, what, mend = done.stdout.split("|", 2)
    assert level == "warning"
    assert "Only 3 of the inboxes' 8 folders can be watched" in what
    assert "max_user_watches is 3" in what
    assert "fs.inotify.max_user_watches=65536" in mend


def test_what_does_not_answer_is_left(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer):
        as_user(ME, lambda: threading.Event().wait(30), seconds=0.2)
    with pytest.raises(RuntimeError, match="ValueError"):
        as_user(ME, lambda: int("x"))
    with pytest.raises(FileNotFoundError) as raised:
        as_user(ME, lambda: (tmp_path / "gone").stat().st_size)
    assert raised.value.filename == str(tmp_path / "gone")


def test_beside_a_folder_that_hangs_nothing_is_looked_into_that_would_hang_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, "engine: {backend: fake}\n")
    make_all(config)
    ours, exists = os.getpid(), Path.exists

    def hangs(path: Path) -> bool:
        if path == config.outbox:
            assert os.getpid() != ours, "we would hang ourselves"
            threading.Event().wait(30)
        return exists(path)

    monkeypatch.setattr(Path, "exists", hangs)
    monkeypatch.setattr(folders, "_ANSWERED", 0.5)
    findings = list(examine(config, ME, None))
    (silent,) = [finding for finding in findings if finding.level == "wrong"]
    assert f"{config.outbox} did not answer" in silent.what
    assert {finding.check for finding in findings} == {
        "config", "program", "outbox", "sandbox", "pictures", "page", "models", "device",
    }  # fmt: skip


def test_a_user_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no user zebra"):
        user_to_try("zebra", None)
    assert user_to_try(None, None) == ME


@needs_root
def test_the_units_user_is_tried_where_root_asks() -> None:
    assert user_to_try(None, Unit(True, "enabled", "active", user="nobody")).name == "nobody"


def test_kinds_of_pictures_that_are_not_read_are_named_with_what_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (found,) = machine.check_pictures()
    assert (found.level, found.what) == ("fine", "PDF and HEIC files are read too")
    monkeypatch.setattr(machine, "EXTRAS", {"PDF": "pypdfium2", "HEIC": "not_installed"})
    (found,) = machine.check_pictures()
    assert found.what.startswith("HEIC files are not read (")
    assert found.what.endswith(" -m pip install not-installed)")

"""``img2imgd fetch`` as a person runs it, against a hub on loopback, and painting with it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from served_root import PROGRAM, ServedRoot
from tiny_model import save_tiny_model

from hub_server import HubServer, digest_of
from waiting import wait_until

CONFIG = """\
root: {root}
engine: {{device: cpu}}
limits: {{min_free_gb: {keep_free}}}
offline: {offline}
inboxes: [{{path: {root}/inbox, settle: 0.3, pair_wait: 0.4}}]
model: tiny
models:
  tiny: {{source: them/tiny, size: 64}}
{rows}"""
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a safety checker and what else a repository has that nobody needs."""
    folder = save_tiny_model(tmp_path_factory.mktemp("tiny"), strict_checker=True)
    (folder / "README.md").write_text("# Tiny")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"half")
    return folder


@pytest.fixture
def environment(hub_server: HubServer, tiny: Path, tmp_path: Path) -> dict[str, str]:
    """The program's environment: the hub on loopback with them/tiny, and an empty cache."""
    hub_server.add("them/tiny", tiny)
    return hub_server.environment(tmp_path / "hf")


def write_config(
    root: ServedRoot, offline: bool = False, keep_free: float = 0, rows: str = ""
) -> None:
    text = CONFIG.format(
        root=root.path, keep_free=keep_free, offline=str(offline).lower(), rows=rows
    )
    root.config.write_text(text)


def snapshot(environment: dict[str, str]) -> Path:
    (folder,) = Path(environment["HF_HOME"]).glob("hub/models--them--tiny/snapshots/*")
    return folder


def drop(root: ServedRoot) -> None:
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(root.inbox / "cat.png")
    (root.inbox / "cat.yaml").write_text("prompt: a lake\nsteps: 3\nstrength: 1\nseed: 1\n")


def test_a_model_that_was_fetched_is_painted_with_offline(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer
) -> None:
    write_config(root, offline=True)
    drop(root)
    before = root.command("once", "-c", root.config, "--timeout", "3", **environment)
    assert before.returncode == 5
    assert "them/tiny is not on this machine" in before.stdout
    assert "img2imgd fetch tiny" in before.stdout
    assert not root.outputs()
    assert not hub_server.requests

    fetched = root.command("fetch", "-c", root.config, **environment)
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stderr == ""
    cache = Path(environment["HF_HOME"]) / "hub"
    first, complete, usage, offline = fetched.stdout.splitlines()
    assert first.startswith("tiny: 445 kB in 11 files to " + str(cache))
    assert first.endswith(" free")
    assert complete == f"tiny: complete in {snapshot(environment)}"
    assert "`model: tiny`" in usage
    assert "offline: true" in offline
    assert not (snapshot(environment) / "safety_checker").exists()
    assert {path.suffix for path in snapshot(environment).rglob("*") if path.is_file()} == {
        ".json", ".safetensors"
    }  # fmt: skip

    hub_server.requests.clear()
    served = root.command("once", "-c", root.config, "--timeout", "20", **environment)
    assert served.returncode == 0, served.stderr
    (picture,) = root.outputs()
    assert picture.name == "cat_a-lake_00_1.png"
    assert not hub_server.requests, "offline means offline"


def test_a_model_that_was_not_fetched_is_downloaded_before_it_paints(
    root: ServedRoot, environment: dict[str, str]
) -> None:
    write_config(root)
    drop(root)
    served = root.command("once", "-c", root.config, "--timeout", "20", **environment)
    assert served.returncode == 0, served.stderr
    assert len(root.outputs()) == 1
    assert "downloading model=tiny source=them/tiny: 444 kB in 10 files to" in served.stderr
    assert f"downloaded model=tiny source=them/tiny to {snapshot(environment)}" in served.stderr
    again = root.command("fetch", "-c", root.config, **environment)
    assert "tiny: 445 kB in 11 files, all in " in again.stdout


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell has what it starts in the background ignore Ctrl-C, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_a_part_from_which_the_next_run_goes_on(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer, tiny: Path
) -> None:
    write_config(root)
    whole = (tiny / UNET).stat().st_size
    hub_server.stall_after = 20_000  # the UNet's is the first file of more
    # On a busy machine the silence may last; asked for again, the hub would give more.
    patient = {**os.environ, **environment, "HF_HUB_DOWNLOAD_TIMEOUT": "300"}
    blobs = Path(environment["HF_HOME"]) / "hub" / "models--them--tiny" / "blobs"
    part = blobs / f"{digest_of(UNET, (tiny / UNET).read_bytes())}.incomplete"
    with subprocess.Popen(
        [PROGRAM, "fetch", "-c", root.config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=patient,
    ) as process:  # fmt: skip
        try:
            wait_until(
                lambda: part.exists() and part.stat().st_size == 20_000,
                "some of the UNet is here",
                seconds=120,
            )
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err == "tiny: stopped; the same command goes on from here\n"
    assert "complete" not in out

    hub_server.stall_after = None
    hub_server.gate.set()
    hub_server.requests.clear()
    again = root.command("fetch", "-c", root.config, **environment)
    assert again.returncode == 0, again.stderr
    resumed = [request for request in hub_server.downloads() if request.begin]
    assert [(request.begin, request.sent) for request in resumed] == [(20_000, whole - 20_000)]
    assert (snapshot(environment) / UNET).read_bytes() == (tiny / UNET).read_bytes()


def test_a_terminal_shows_a_bar(root: ServedRoot, environment: dict[str, str]) -> None:
    write_config(root)
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "fetch", "-c", root.config],
        stdout=terminal, stderr=terminal, env={**os.environ, **environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(screen, 65_536):
            shown += piece
    os.close(screen)
    assert process.wait(20) == 0
    assert "━━━" in shown.decode()
    assert "444" in shown.decode()
    assert "complete in" in shown.decode()


def test_a_dry_run_says_the_size_and_brings_nothing(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer
) -> None:
    write_config(root)
    result = root.command("fetch", "--dry-run", "-c", root.config, **environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("tiny: 445 kB in 11 files to ")
    assert not hub_server.downloads()


def test_too_little_space_is_refused_in_numbers(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer
) -> None:
    write_config(root, keep_free=1e9)
    result = root.command("fetch", "-c", root.config, **environment)
    assert result.returncode == 5
    assert result.stderr.startswith("img2imgd: 44")
    assert " kB are to be downloaded to " in result.stderr
    assert "HF_HOME" in result.stderr
    assert not hub_server.downloads()


def test_a_model_that_cannot_be_had_stops_no_other(
    root: ServedRoot, environment: dict[str, str]
) -> None:
    rows = "  typo: {source: them/tinny}\n  half: {source: them/tiny, variant: fp12}\n"
    write_config(root, rows=rows)
    result = root.command("fetch", "-c", root.config, **environment)
    assert result.returncode == 5
    assert "Did you mean them/tiny?" in result.stderr
    assert "half: them/tiny has no variant 'fp12'; it has fp16." in result.stderr
    assert f"tiny: complete in {snapshot(environment)}" in result.stdout


def test_local_files_that_are_not_there_are_told(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer
) -> None:
    rows = "  inky: {source: them/tiny, loras: [ink.safetensors]}\n  mine: {source: ./mine}\n"
    write_config(root, rows=rows)
    result = root.command("fetch", "inky", "mine", "-c", root.config, **environment)
    assert result.returncode == 5
    folder = root.config.parent
    assert result.stderr.splitlines() == [
        f"inky: there is no {folder / 'ink.safetensors'}.",
        "Put it there, or correct `loras.0` in the models table.",
        f"mine: there is no {folder / 'mine'}.",
        "Put it there, or correct `source` in the models table.",
    ]
    assert not hub_server.downloads()


def test_where_a_withdrawn_model_is_now_is_said_and_a_copy_of_it_here_is_kept(
    root: ServedRoot, environment: dict[str, str], hub_server: HubServer, tiny: Path
) -> None:
    old, new = "runwayml/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5"
    hub_server.add(new, tiny)
    fetched = root.command("fetch", old, "--root", root.path, **environment)
    assert fetched.stdout.startswith(f"{old}: {old} has moved to {new}\n")
    cache = Path(environment["HF_HOME"]) / "hub"
    names = [f"models--{repo.replace('/', '--')}" for repo in (new, old)]
    (cache / names[0]).rename(cache / names[1])
    hub_server.requests.clear()
    again = root.command("fetch", old, "--root", root.path, **environment)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines() == [
        f"{old}: {old} has moved; the copy of it that is here is used",
        f"{old}: nothing to download, its files are here",
    ]
    assert not hub_server.requests


def test_a_hub_id_that_is_in_no_table_can_be_fetched(
    root: ServedRoot, environment: dict[str, str]
) -> None:
    result = root.command("fetch", "them/tiny", "--root", root.path, **environment)
    assert result.returncode == 0, result.stderr
    assert f"them/tiny: complete in {snapshot(environment)}" in result.stdout
    assert "source: them/tiny" in result.stdout


def test_a_name_that_is_in_no_table_is_answered_with_the_nearest(root: ServedRoot) -> None:
    write_config(root)
    result = root.command("fetch", "tinny", "-c", root.config)
    assert result.returncode == 2
    assert result.stderr == ("img2imgd: The models table has no tinny.\nDid you mean tiny?\n")


def test_nothing_to_fetch_is_said(root: ServedRoot, environment: dict[str, str]) -> None:
    result = root.command("fetch", "--root", root.path, **environment)
    assert result.returncode == 0
    assert "names no model" in result.stdout
    local = root.command("fetch", "demo", "--root", root.path, **environment)
    assert local.stdout == "demo: nothing to download, its files are here\n"

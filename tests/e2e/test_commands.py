"""The commands that paint nothing: what they print, their exit codes, no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_drops import drop
from served_root import PROGRAM, ServedRoot

from img2imgd import __version__
from waiting import wait_until

HEAVY = ("torch", "diffusers", "transformers", "accelerate", "scipy", "numpy", "pydantic", "rich")
BAD_SIDECAR = """\
prompt: a lake
strenght: 0.5
steps: many
seed: -1
sweep: {strength: {from: 0.1, to: 2, count: 3}}
"""


def _argument_lists(root: ServedRoot, folder: Path) -> dict[str, list[str | Path]]:
    sidecar = folder / "cat.yaml"
    sidecar.write_text("prompt: a lake\n")
    return {
        "--help": ["--help"],
        "--version": ["--version"],
        "status": ["status", "-c", root.config],
        "status --json": ["status", "--json", "-c", root.config],
        "check": ["check", sidecar, "-c", root.config],
        "fetch": ["fetch", "demo", "-c", root.config],
        "schema sidecar": ["schema", "sidecar"],
        "schema config": ["schema", "config"],
        "init": ["init", folder / "fresh"],
    }


@pytest.mark.parametrize(
    "command",
    ["--help", "--version", "status", "status --json", "check", "fetch", "schema sidecar",
     "schema config", "init"],
)  # fmt: skip
def test_a_command_that_paints_nothing_imports_nothing_heavy(
    root: ServedRoot, tmp_path: Path, command: str
) -> None:
    root.once()  # so that there is a ledger to report on
    arguments = _argument_lists(root, tmp_path)[command]
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "img2imgd", *arguments],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    imported = {
        line.rpartition("|")[2].strip()
        for line in result.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "img2imgd.cli.main" in imported
    assert not imported & set(HEAVY)


def test_version_and_help(root: ServedRoot) -> None:
    assert root.command("--version").stdout == f"img2imgd {__version__}\n"
    help_text = root.command("--help").stdout
    for command in ("run", "once", "demo", "fetch", "init", "check", "status", "schema"):
        assert command in help_text
    assert "exit codes" in help_text


def test_init_writes_a_config_that_check_accepts_and_the_daemon_starts_with(
    root: ServedRoot, tmp_path: Path
) -> None:
    home = tmp_path / "pictures"
    made = root.command("init", home)
    assert made.returncode == 0, made.stderr
    config = home / "config.yaml"
    assert f"img2imgd run -c {config}" in made.stdout
    checked = root.command("check", config)
    assert checked.returncode == 0, checked.stdout
    assert "fine" in checked.stdout
    served = ServedRoot(home, config)
    daemon = served.start()
    root.daemons.append(daemon)
    assert str(home / "inbox") in daemon.log
    assert daemon.stop() == 0


def test_init_leaves_a_config_that_is_there_alone(root: ServedRoot, tmp_path: Path) -> None:
    assert root.command("init", tmp_path / "pictures").returncode == 0
    config = tmp_path / "pictures" / "config.yaml"
    config.write_text("# mine\n")
    again = root.command("init", tmp_path / "pictures")
    assert again.returncode == 2
    assert str(config) in again.stderr
    assert config.read_text() == "# mine\n"


def test_check_says_all_errors_of_a_sidecar_at_once_with_lines(
    root: ServedRoot, tmp_path: Path
) -> None:
    sidecar = tmp_path / "cat.yaml"
    sidecar.write_text(BAD_SIDECAR)
    result = root.command("check", sidecar)
    assert result.returncode == 2
    for words in ("line 2, strenght", "line 3, steps", "line 4, seed", "line 5, sweep.strength"):
        assert f"{sidecar}: {words}" in result.stdout, result.stdout
    assert "Did you mean `strength`?" in result.stdout


def test_check_describes_what_a_good_sidecar_would_make(root: ServedRoot, tmp_path: Path) -> None:
    sidecar = tmp_path / "cat.yaml"
    sidecar.write_text(
        "prompt: a lake\nseed: 187\nsweep: {strength: {from: 0.05, to: 0.95, step: 0.03}}\n"
    )
    result = root.command("check", sidecar)
    assert result.returncode == 0, result.stdout
    for words in ("“a lake”", "31 frames", "strength 0.05 to 0.95", "GIF", "model demo", "187"):
        assert words in result.stdout


def test_a_sweep_whose_strengths_give_the_same_pictures_is_told_by_check_and_by_the_job(
    root: ServedRoot,
) -> None:
    sidecar = root.path / "cat.yaml"
    sidecar.write_text("prompt: a lake\nsteps: 4\nsweep: {strength: [0.5, 0.6, 0.8]}\n")
    note = (
        "The 3 frames show 2 different pictures: with 4 steps, a strength is rounded down to a "
        "multiple of 0.25."
    )
    assert f"{sidecar}: {note}\n" in root.command("check", sidecar).stdout
    drop(root.inbox, "cat.png", sidecar.read_text())
    assert note in root.once().stdout


def test_check_refuses_weights_as_the_daemon_does_and_tells_what_is_left_out(
    root: ServedRoot, tmp_path: Path
) -> None:
    heavy, swap, tagged = (tmp_path / f"{name}.yaml" for name in ("heavy", "swap", "tagged"))
    heavy.write_text('prompt: "a (red house:99) in (fog"\nprompt_syntax: a1111\n')
    swap.write_text("prompt: a house.swap(b)\nprompt_syntax: compel\n")
    tagged.write_text("prompt: a lake <lora:ink:0.8>\nprompt_syntax: a1111\n")
    result = root.command("check", heavy, swap, tagged)
    assert result.returncode == 2
    first, second, third, last = result.stdout.splitlines()
    assert first.startswith(f"{heavy}: line 1, prompt: “red house” has a weight of 99;")
    assert second.startswith(f"{swap}: line 1, prompt: compel's .swap() is not known here.")
    assert third.startswith(f"{tagged}: passed over: <lora:ink:0.8>. LoRAs belong to a model")
    assert last.startswith(f"{tagged}: fine: ")
    drop(root.inbox, "cat.png", heavy.read_text())
    assert root.once().returncode == 3
    reason = (root.failed / "cat.png.reason.txt").read_text()
    assert "cat.yaml: line 1, prompt: “red house” has a weight of 99;" in reason


def test_check_goes_on_after_a_bad_file_and_takes_every_kind(
    root: ServedRoot, tmp_path: Path
) -> None:
    bad, text, defaults = (tmp_path / n for n in ("bad.yaml", "good.txt", "_defaults.yaml"))
    bad.write_text("prompt: [\n")
    text.write_text("a fox in the snow")
    defaults.write_text("prompt: a lake\n")
    missing = tmp_path / "missing.yaml"
    result = root.command("check", bad, missing, text, defaults, root.config)
    assert result.returncode == 2
    lines = result.stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        str(path) for path in (bad, missing, text, defaults, root.config)
    ]
    assert "a fox in the snow" in lines[2]
    assert all("fine" in line for line in lines[2:])


def test_the_schemas_are_json_that_names_the_keys(root: ServedRoot) -> None:
    sidecar = json.loads(root.command("schema", "sidecar").stdout)
    config = json.loads(root.command("schema", "config").stdout)
    assert {"prompt", "strength", "sweep", "seed"} <= set(sidecar["properties"])
    assert {"root", "inboxes", "models", "limits"} <= set(config["properties"])


def test_status_shows_progress_results_failures_and_what_waits(root: ServedRoot) -> None:
    assert "has run" in root.command("status", "-c", root.config).stdout
    root.write_config(orphan_after=600)
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.05")
    drop(root.inbox, "waiting.png", None)
    drop(root.inbox, "bad\x1b[31m.png", "prompt: x\nstrenght: 1\n")
    drop(root.inbox, "good.png", "prompt: x\nsteps: 2\n")
    root.wait_served(2)
    drop(root.inbox, "slow.png", "prompt: x\nsteps: 40\nn: 3\n")
    wait_until(
        lambda: "painting   slow.png" in root.command("status", "-c", root.config).stdout,
        "the slow one is painted",
    )
    text = root.command("status", "-c", root.config).stdout
    assert f"running: pid {daemon.pid}" in text
    assert "waiting.png: has no prompt yet: add waiting.yaml beside it" in text
    assert "good.png: good_x_00_" in text
    assert "bad\\x1b[31m.png: " in text
    assert "\x1b" not in text, "names from outside may not command the terminal"
    report = root.status()
    assert report["counts"] == {"done": 1, "failed": 1, "running": 1}
    assert daemon.stop() == 0


def test_output_into_a_closed_pipe_is_no_error(root: ServedRoot) -> None:
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m img2imgd schema config | true"],
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""


def test_check_waits_for_no_pipe_and_reads_no_device(root: ServedRoot) -> None:
    os.mkfifo(root.path / "cat.yaml")
    checked = root.command("check", root.path / "cat.yaml", "/dev/zero", timeout=30)
    assert checked.returncode == 2
    assert checked.stdout.count("cannot be read") == 2


def test_an_answer_that_cannot_be_written_is_told_without_a_traceback(root: ServedRoot) -> None:
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [PROGRAM, "schema", "config"], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert said.returncode == 5
    assert said.stderr == "img2imgd: The answer could not be written: No space left on device.\n"


def test_an_answer_that_nobody_takes_is_no_fault(root: ServedRoot) -> None:
    said = subprocess.run(
        ["sh", "-c", '"$0" "$@" >&-', PROGRAM, "status", "--root", root.path],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    said = subprocess.run(
        ["sh", "-c", 'rmdir ../gone && exec "$0" "$@"', PROGRAM, "status", "--root", "root"],
        cwd=tmp_path / "gone", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 2
    assert said.stderr == "img2imgd: The folder that you are in is gone: cd elsewhere.\n"


def test_the_config_that_init_wrote_is_read_where_none_is_named(tmp_path: Path) -> None:
    root = ServedRoot(tmp_path / "root", tmp_path / "config.yaml")
    assert root.command("init", root.path).returncode == 0
    config = root.path / "config.yaml"
    config.write_text(config.read_text().replace("models: {}", "models: {mine: {source: x}}"))
    (root.inbox / "cat.yaml").write_text("prompt: a\nmodel: mine\n")
    checked = root.command("check", "--root", root.path, root.inbox / "cat.yaml")
    assert "model mine" in checked.stdout

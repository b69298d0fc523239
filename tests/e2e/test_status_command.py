"""``status`` as a program: on a terminal, into pipes, live, while daemons come and go."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

from sample_drops import drop
from served_root import PROGRAM, ServedRoot

from waiting import wait_until


class Watching:
    """``status --watch`` as a child; what it printed so far."""

    def __init__(self, root: ServedRoot, *arguments: str, terminal: bool = False) -> None:
        self._text: list[bytes] = []
        command = [PROGRAM, "status", "--watch", "-c", str(root.config), *arguments]
        if terminal:
            reading, writing = pty.openpty()
            environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
        else:
            reading, writing = os.pipe()
            environment = dict(os.environ)
        self.process = subprocess.Popen(
            command, stdout=writing, stderr=subprocess.PIPE, env=environment
        )
        os.close(writing)
        self._reading = reading
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while part := os.read(self._reading, 4096):
                self._text.append(part)
        except OSError:
            pass  # a terminal whose other end is closed

    @property
    def text(self) -> str:
        return b"".join(self._text).decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        assert errors == b""
        return self.process.returncode


def test_json_has_every_key_of_the_docs_also_without_a_ledger(root: ServedRoot) -> None:
    keys = root.status().keys()
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [key for key in keys if f"`{key}`" not in page] == []
    assert root.once().returncode == 0
    assert root.status().keys() == keys


def test_watching_tells_changes_while_a_daemon_starts_and_stops(root: ServedRoot) -> None:
    watching = Watching(root)
    wait_until(lambda: "not running" in watching.text, "the first report")
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.2")
    wait_until(lambda: f"running: pid {daemon.pid}" in watching.text, "the start")
    drop(root.inbox, "cat.png", "prompt: a lake\nsteps: 10\n")
    wait_until(lambda: "painting   cat.png" in watching.text, "the painting")
    wait_until(lambda: "done       cat.png" in watching.text, "the end")
    assert daemon.stop() == 0
    wait_until(lambda: watching.text.count("not running") == 2, "the stop")
    assert "\x1b" not in watching.text
    assert watching.stop() == 0


def test_watching_as_json_prints_an_object_a_line(root: ServedRoot) -> None:
    watching = Watching(root, "--json")
    wait_until(lambda: watching.text.count("\n") >= 1, "the first report")
    daemon = root.start()
    wait_until(lambda: '"running": true' in watching.text, "the start")
    assert watching.stop() == 0
    first, *_, last = [json.loads(line) for line in watching.text.splitlines()]
    assert (first["running"], last["running"], last["pid"]) == (False, True, daemon.pid)


def test_on_a_terminal_the_table_is_drawn_again_and_again(root: ServedRoot) -> None:
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.1")
    drop(root.inbox, "[red]cat.png", "prompt: a lake\nsteps: 80\n")
    watching = Watching(root, terminal=True)
    wait_until(lambda: "[red]cat.png" in watching.text, "the painting")
    wait_until(lambda: "left" in watching.text, "the time left")
    assert watching.stop() == 0
    assert "At work" in watching.text
    assert daemon.stop() == 0


def test_reports_say_how_long_it_takes_and_what_is_done_now(root: ServedRoot) -> None:
    daemon = root.start(IMG2IMGD_FAKE_STEP_SECONDS="0.1")
    for name in ("a.png", "b.png"):
        drop(root.inbox, name, "prompt: a lake\nsteps: 300\n")
    jobs: list[dict[str, object]] = []

    def there_is_a_pace() -> bool:
        jobs[:] = root.status()["current"]  # type: ignore[call-overload]
        return any(job["seconds_left"] for job in jobs) and len(jobs) == 2

    wait_until(there_is_a_pace, "there is a pace")
    phases = [job["phase"] for job in jobs]
    assert phases == ["painting", "waiting"], "the fake engine paints one frame at a time"
    assert 1 < float(str(jobs[0]["seconds_left"])) < 60
    assert jobs[1]["seconds_left"] is None
    assert daemon.stop() == 0
    queued = root.status()["queued"]
    assert [job["position"] for job in queued] == [1, 2]  # type: ignore[attr-defined]


def test_doctor_is_a_program_too(root: ServedRoot) -> None:
    fine = root.command("doctor", "-c", root.config)
    assert (fine.returncode, "Everything is fine" in fine.stdout) == (0, True), fine.stdout
    daemon = root.start()
    assert f"it runs: pid {daemon.pid}" in root.command("doctor", "-c", root.config).stdout
    assert daemon.stop() == 0
    (root.path / "state" / "ledger.sqlite").write_bytes(b"no ledger at all, this" * 400)
    broken = root.command("doctor", "--json", "-c", root.config)
    assert broken.returncode == 5
    found = {one["check"]: one for one in json.loads(broken.stdout)}
    assert (found["ledger"]["level"], bool(found["ledger"]["mend"])) == ("wrong", True)


def test_doctor_says_all_problems_of_a_config(root: ServedRoot) -> None:
    root.config.write_text("rooot: /x\nlimits: {max_frames: 0}\n")
    told = root.command("doctor", "-c", root.config)
    assert told.returncode == 2
    assert told.stdout.count("WRONG") == 2
    assert "Did you mean `root`?" in told.stdout


def test_doctor_imports_no_torch_itself(root: ServedRoot) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "img2imgd", "doctor", "-c", root.config],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert "| torch" not in done.stderr

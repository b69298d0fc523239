"""The page of a running daemon: what is told, dropped, ordered, and how it stops."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_client import PageClient, form
from PIL import Image
from sample_drops import drop
from served_root import ServedRoot
from tools.ports import free_port

from waiting import wait_until


def picture(size: tuple[int, int] = (96, 64), colour: str = "teal") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


STRIDE = 8  # makes the real model's job last some seconds
SWEEP = {"prompt": "a lake <b>", "steps": 10, "size": 64, "seed": 7,
         "sweep": {"strength": [0.2, 0.6, 1.0]}}  # fmt: skip


@pytest.fixture
def page(root: ServedRoot) -> PageClient:
    """The page of a daemon with the fake engine that is running."""
    return start(root)


def start(
    root: ServedRoot, *, status: str = "", extra: str = "", backend: str = "fake"
) -> PageClient:
    port = free_port()
    listen = f"status: {{listen: '127.0.0.1:{port}'{status}}}\n"
    root.write_config(backend=backend, extra=f"{listen}{extra}")
    root.start()
    client = PageClient(port)
    wait_until(lambda: answers(client), "the page answers")
    return client


def answers(client: PageClient) -> bool:
    try:
        return client.ask("/readyz", authorization="Bearer secret").status == 200
    except OSError:
        return False


def wait_results(page: PageClient, count: int) -> list[Any]:
    wait_until(lambda: page.get("/api/results")["total"] >= count, f"{count} results")
    items: list[Any] = page.get("/api/results")["items"]
    return items


def test_a_drop_is_served_and_told_in_full(root: ServedRoot, page: PageClient) -> None:
    dropped = page.drop("cät.png", picture(), SWEEP)
    assert dropped.status == 201, dropped
    assert dropped.json == {"picture": "cät.png", "sidecar": "cät.yaml", "inbox": "inbox"}
    [card] = wait_results(page, 1)
    assert (card["kind"], card["frames"], card["prompt"]) == ("sweep", 3, "a lake <b>")
    job = page.get(f"/api/jobs/{card['id']}")
    assert [frame["label"] for frame in job["frames_list"]] == [
        "strength 0.2", "strength 0.6", "strength 1.0",
    ]  # fmt: skip
    assert job["axes"] == [{"key": "strength", "values": [0.2, 0.6, 1.0]}]
    assert {frame["group"] for frame in job["frames_list"]} == {0}
    assert "seed: 7" in job["sidecar"]
    assert ["strength", "0.2 … 1 (3 values)"] in job["settings"]
    for frame in job["frames_list"]:
        original = page.ask(frame["url"])
        assert Image.open(io.BytesIO(original.body)).size == (64, 40)
        assert "sandbox" in original.headers["content-security-policy"]
    assert [one["format"] for one in job["animations"]] == ["gif"]
    assert page.ask(job["animations"][0]["url"]).body.startswith(b"GIF8")
    assert page.ask(job["sheet"]["url"]).body.startswith(b"\x89PNG")


def test_views_are_made_once_and_kept(root: ServedRoot, page: PageClient) -> None:
    page.drop("cat.png", picture((2000, 500)), {"prompt": "x", "steps": 2, "size": 64})
    [card] = wait_results(page, 1)
    wait_until(lambda: root.served(1), "its input is archived")
    job = page.get(f"/api/jobs/{card['id']}")
    view = page.ask(job["input"])
    assert view.headers["content-type"] == "image/webp"
    assert "immutable" in view.headers["cache-control"]
    assert Image.open(io.BytesIO(view.body)).size == (1600, 400)
    assert Image.open(io.BytesIO(page.ask(card["thumb"]).body)).size == (64, 16)
    kept = root.path / "state" / "views" / card["id"]
    before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    again = page.ask(job["input"], if_none_match=view.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == before
    assert page.get("/api/results")["items"][0]["thumb_size"] == [64, 16]
    assert page.ask("/views/../../../etc/input").status == 404
    assert page.ask(f"/views/{card['id']}/frames/9").status == 404
    assert page.ask(f"/views/{card['id']}/input?side=5").status == 400


def test_parts_of_files_and_nothing_hidden(root: ServedRoot, page: PageClient) -> None:
    (root.outbox / "a.png").write_bytes(b"0123456789")
    (root.outbox / ".img2imgd" / "b.png").write_bytes(b"hidden")
    (root.outbox / "link.png").symlink_to(root.config)
    (root.outbox / os.fsdecode(b"\xff.gif")).write_bytes(b"GIF8")
    part = page.ask("/files/a.png", range="bytes=2-4")
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert page.ask("/files/a.png", range="bytes=99-").status == 416
    head = page.ask("/files/a.png", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "10")
    assert page.ask("/files/%FF.gif").body == b"GIF8"
    for path in ("/files/.img2imgd/b.png", "/files/link.png", "/files/..%2fconfig.yaml",
                 "/files/%2e%2e/config.yaml", "/files/a.png%00", "/files//etc/passwd"):  # fmt: skip
        assert page.ask(path).status == 404, path


def test_settings_are_checked_before_anything_is_written(
    root: ServedRoot, page: PageClient
) -> None:
    refused = page.drop("cat.png", picture(), {"promt": "x", "steps": 0, "model": "none"})
    assert refused.status == 422
    assert {problem["key"] for problem in refused.json["problems"]} >= {"promt", "steps"}
    assert page.drop("cat.png", picture(), {}).json["problems"][0]["key"] == "prompt"
    assert page.drop("cat.png", picture(), {"prompt": "x", "model": "none"}).status == 422
    assert page.drop("cat.png", picture(), {"prompt": "x", "images": ["*"]}).status == 422
    assert page.drop("cat.txt", picture(), {"prompt": "x"}).status == 415
    assert page.drop("cat.png", b"", {"prompt": "x"}).status == 422
    assert page.drop("cat.png", picture(), {"prompt": "x"}, inbox=7).status == 400
    assert sorted(os.listdir(root.inbox)) == [".img2imgd"]
    body = json.dumps({"inbox": 0, "settings": SWEEP}).encode()
    checked = page.ask("/api/check", "POST", body, content_type="application/json").json
    assert (checked["problems"], checked["frames"]) == ([], 3)
    assert "strength" in checked["sidecar"]


def test_a_folders_defaults_count_for_a_drop(root: ServedRoot) -> None:
    root.inbox.mkdir(parents=True, exist_ok=True)
    (root.inbox / "_defaults.yaml").write_text("prompt: from the folder\nsteps: 2\nsize: 64\n")
    page = start(root)
    [inbox] = page.get("/api/drop")["inboxes"]
    assert (inbox["prompt_default"], inbox["defaults"]["steps"]) == (True, 2)
    assert page.drop("cat.png", picture(), {}).status == 201
    assert wait_results(page, 1)[0]["prompt"] == "from the folder"


def test_a_drop_that_breaks_off_leaves_nothing(root: ServedRoot, page: PageClient) -> None:
    kind, body = form("cat.png", os.urandom(300_000), {"prompt": "x"})
    with socket.create_connection(("127.0.0.1", page.port)) as connection:
        head = f"POST /api/drop HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:200_000])
        wait_until(lambda: len(os.listdir(root.inbox)) == 2, "the half of it is there")
    wait_until(lambda: os.listdir(root.inbox) == [".img2imgd"], "nothing is left of it")


def test_a_drop_that_is_too_large_is_cut_off(root: ServedRoot) -> None:
    page = start(root, extra="", status="")
    text = root.config.read_text()
    root.config.write_text(text.replace("min_free_gb: 0", "min_free_gb: 0, max_file_mb: 0.1"))
    root.daemons[-1].stop()
    root.start()
    wait_until(lambda: answers(page), "the page answers")
    assert page.drop("cat.png", os.urandom(150_000), {"prompt": "x"}).status == 413
    kind, body = form("cat.png", os.urandom(1_000_000), {"prompt": "x"})
    assert page.ask("/api/drop", "POST", body, content_type=kind).status == 413
    assert os.listdir(root.inbox) == [".img2imgd"]


def test_names_from_outside_stay_text(root: ServedRoot, page: PageClient) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    dropped = page.drop(name, picture(), {"prompt": "<script>x</script>", "steps": 2, "size": 64})
    assert dropped.status == 201
    [card] = wait_results(page, 1)
    assert card["prompt"] == "<script>x</script>"
    answer = page.ask(f"/api/jobs/{card['id']}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_events_tell_of_now_and_of_results(root: ServedRoot, page: PageClient) -> None:
    with listening(page) as events:
        assert next(events)[1]["counts"] == {}
        assert page.drop("cat.png", picture(), SWEEP).status == 201
        heard = next(data for name, data in events if name == "results" and data["total"])
    assert heard["newest"] == page.get("/api/results")["items"][0]["id"]


class listening:  # noqa: N801 - used as a context
    """The events of the page, as (name, data)."""

    def __init__(self, page: PageClient) -> None:
        self._socket = socket.create_connection(("127.0.0.1", page.port), timeout=30)
        self._socket.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def __enter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return self._events()

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        name = ""
        with self._socket.makefile("rb") as lines:
            for line in lines:
                field, _, value = line.decode().rstrip("\r\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    yield name, json.loads(value)


def test_stopping_ends_streams_at_once(root: ServedRoot, page: PageClient) -> None:
    with listening(page) as events:
        assert next(events)[0] == "now"
        began = time.monotonic()
        assert root.daemons[-1].stop() == 0
        assert time.monotonic() - began < 5
        assert [name for name, _ in events if name == "now"] == []


def test_pause_resume_cancel_and_retry_are_ordered(root: ServedRoot, page: PageClient) -> None:
    assert page.post("/api/pause").status == 202
    wait_until(lambda: page.get("/api/now")["paused_since"], "it is paused")
    assert page.ask("/readyz").body == b"painting is paused\n"
    page.drop("cat.png", picture(), {"prompt": "x", "steps": 2, "size": 64})
    wait_until(lambda: page.get("/api/now")["queued"], "it waits")
    [card] = page.get("/api/now")["queued"]
    assert page.post(f"/api/jobs/{card['id']}/retry").status == 409
    assert page.post(f"/api/jobs/{card['id']}/cancel").status == 202
    wait_until(lambda: page.get("/api/failures")["total"] == 1, "it is cancelled")
    wait_until(lambda: page.get("/api/failures")["items"][0]["retry"], "it can be tried again")
    assert page.post("/api/resume").status == 202
    wait_until(lambda: page.get("/api/now")["paused_since"] is None, "it goes on")
    assert page.post("/api/jobs/none/cancel").status == 404
    assert page.post("/api/retry-failed").status == 202


def test_metrics_tell_what_was_done(root: ServedRoot, page: PageClient) -> None:
    page.drop("cat.png", picture(), SWEEP)
    wait_results(page, 1)
    wait_until(lambda: root.served(1), "its input is archived")
    text = page.ask("/metrics").body.decode()
    value = {m[1]: float(m[2]) for m in re.finditer(r"^(\S+) (\S+)$", text, re.MULTILINE)}
    assert value["img2imgd_steps_total"] == 2 + 6 + 10
    assert value['img2imgd_frames_total{outcome="painted"}'] == 3
    assert value['img2imgd_jobs_ended_total{state="done"}'] == 1
    assert value['img2imgd_jobs{state="done"}'] == 1
    assert value["img2imgd_batch_frames_count"] == 18
    assert value["img2imgd_worker_starts_total"] == 1
    for stage in ("queue", "read", "load", "paint", "assemble", "publish"):
        assert value[f'img2imgd_stage_seconds_count{{stage="{stage}"}}'] > 0, stage
    assert value['img2imgd_free_bytes{folder="outbox"}'] > 0
    assert value[f'img2imgd_inbox_unavailable{{inbox="{root.inbox}"}}'] == 0
    worker = root.daemons[-1].worker
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    wait_until(
        lambda: b'img2imgd_worker_deaths_total{cause="' in page.ask("/metrics").body,
        "it is counted",
    )


def test_an_inbox_that_is_away_makes_it_unready(root: ServedRoot, page: PageClient) -> None:
    root.inbox.rename(root.path / "elsewhere")
    wait_until(lambda: page.ask("/readyz").status == 503, "it is not ready")
    assert b"inbox" in page.ask("/readyz").body
    assert page.ask("/healthz").status == 200
    assert page.drop("cat.png", picture(), {"prompt": "x"}).status == 503
    (root.path / "elsewhere").rename(root.inbox)
    wait_until(lambda: page.ask("/readyz").status == 200, "it is ready again")


def test_a_hostile_picture_costs_its_own_view_alone(root: ServedRoot, page: PageClient) -> None:
    bomb = picture()[:60]
    page.drop("bad.png", bomb, {"prompt": "x"})
    wait_until(lambda: page.get("/api/failures")["total"] == 1, "it fails")
    wait_until(lambda: root.served(1), "its input is archived")
    [failure] = page.get("/api/failures")["items"]
    assert page.ask(failure["thumb"]).status == 404
    page.drop("cat.png", picture(), {"prompt": "x", "steps": 2, "size": 64})
    assert page.ask(wait_results(page, 1)[0]["thumb"]).status == 200


def test_a_token_is_asked_for_everywhere(root: ServedRoot) -> None:
    token = root.path.parent / "token"
    token.write_text("secret\n")
    page = start(root, status=f", token_file: '{token}'")
    assert page.ask("/healthz").status == 200
    for path in ("/api/now", "/api/events", "/metrics", "/readyz", "/files/a.png", "/api/drop",
                 "/views/x/input", "/"):  # fmt: skip
        assert page.ask(path).status == 401, path
    assert page.post("/api/pause").status == 401
    assert page.ask("/api/now", authorization="Bearer secret").status == 200
    wrong = page.ask(
        "/login", "POST", b"token=wrong", content_type="application/x-www-form-urlencoded"
    )
    assert (wrong.status, wrong.headers["location"]) == (303, "/login?wrong=1")
    right = page.ask(
        "/login", "POST", b"token=secret", content_type="application/x-www-form-urlencoded"
    )
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "secret" not in cookie
    assert page.ask("/api/now", cookie=cookie.partition(";")[0]).status == 200
    token.write_text("another\n")

    def is_refused() -> bool:
        try:
            return page.ask("/api/now", cookie=cookie.partition(";")[0]).status == 401
        except http.client.IncompleteRead:  # the token changed in the midst of an answer
            return False

    wait_until(is_refused, "the old token counts no more")
    tries = [page.ask("/api/now", authorization="Bearer guess").status for _ in range(8)]
    assert 429 in tries
    assert set(tries) <= {401, 429}


def test_foreign_names_and_sites_are_refused(root: ServedRoot) -> None:
    page = start(root, status=", hosts: [paint.example.lan]")
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "169.254.1.1", ""):
        assert page.ask("/api/now", host=host).status in (400, 421), host
    for host in (
        "localhost:99",
        "127.0.0.1",
        "[::1]:1",
        "paint.example.lan",
        "PAINT.example.lan:80",
    ):
        assert page.ask("/api/now", host=host).status == 200, host
    own = f"http://127.0.0.1:{page.port}"
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{page.port + 1}"},
        {"origin": own, "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        assert page.ask("/api/pause", "POST", b"", **headers).status == 403, headers
    assert page.ask("/api/now", sec_fetch_site="cross-site").status == 403
    assert page.ask("/api/pause", "POST", b"", origin=own).status == 202
    assert page.ask("/api/pause").status == 405


def test_headers_of_every_answer(root: ServedRoot, page: PageClient) -> None:
    for path in ("/api/now", "/nothing", "/files/none.png", "/healthz", "/metrics"):
        headers = page.ask(path).headers
        assert "server" not in headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"  # or a form sends no Origin
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_numbers_without_end_are_refused_in_words(root: ServedRoot, page: PageClient) -> None:
    page.drop("a.png", picture(), {"prompt": "x"})
    [card] = wait_results(page, 1)
    views, many = f"/views/{card['id']}", "9" * 5_000
    assert page.ask("/api/results?limit=0000000009999").status == 400
    assert page.ask(f"/api/results?before=1.0_{'9' * 40}").status == 400
    assert page.ask(f"{views}/frames/{many}").status == 404
    assert page.ask(f"{views}/preview/{many}?step=1").status == 404
    for inbox in ("0000009", "0" * 5_000):
        body = json.dumps({"inbox": inbox, "settings": {"prompt": "x"}}).encode()
        assert page.ask("/api/check", "POST", body, content_type="application/json").status == 400
    assert "itself" not in root.daemons[-1].log


def test_guessing_tells_nothing_more_when_it_is_slowed(root: ServedRoot) -> None:
    token = root.path.parent / "token"
    token.write_text("secret\n")
    page = start(root, status=f", token_file: '{token}'")
    while page.ask("/api/now", authorization="Bearer guess").status != 429:
        pass
    assert page.ask("/api/now", authorization="Bearer secret").status == 429


def test_too_much_at_once_is_slowed(root: ServedRoot, page: PageClient) -> None:
    answers = [page.post("/api/resume") for _ in range(80)]
    slowed = [answer for answer in answers if answer.status == 429]
    assert slowed
    assert int(slowed[0].headers["retry-after"]) >= 1


def test_slow_heads_keep_nobody_out(root: ServedRoot, page: PageClient) -> None:
    slow = [socket.create_connection(("127.0.0.1", page.port), timeout=30) for _ in range(3)]
    for one in slow:
        one.sendall(b"GET / HTTP/1.1\r\nHost: loc")
    assert page.ask("/healthz").status == 200
    assert [one.recv(10) for one in slow] == [b"", b"", b""]  # after ten seconds
    for one in slow:
        one.close()


def test_connections_without_end_leave_the_daemon_room_to_work(
    root: ServedRoot, page: PageClient
) -> None:
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{root.daemons[-1].pid}/fd"))

    idle = descriptors()
    opened = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(800)]
    try:
        assert max(descriptors() for _ in range(100)) < idle + 500
        drop(root.inbox, "a.png", "prompt: x\n", picture())
        root.wait_served(1)
    finally:
        for one in opened:
            one.close()
    wait_until(lambda: answers(page), "the page answers again")


def test_a_full_disk_is_said(root: ServedRoot, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    root.inbox.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root.inbox)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        page = start(root)
        full = page.drop("cat.png", os.urandom(2_000_000), {"prompt": "x"})
        assert full.status == 507
        assert full.json["error"] == "The disk of the inbox is full."
        (root.inbox / ".filler").write_bytes(b"x" * 900_000)
        kind, body = form("cat.png", os.urandom(500_000), {"prompt": "x"})
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        head = f"POST /api/drop HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        with socket.create_connection(("127.0.0.1", page.port), timeout=30) as connection:
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunked)
            assert connection.recv(20).split()[1] == b"507"
        assert sorted(os.listdir(root.inbox)) == [".filler", ".img2imgd"]
        root.daemons[-1].stop()
    finally:
        subprocess.run(["umount", "-l", str(root.inbox)], check=False)


def test_the_real_model_is_shown_while_it_paints(root: ServedRoot) -> None:
    page = start(root, backend="diffusers")
    with listening(page) as events:
        page.drop("cat.png", picture(), {"prompt": "a lake", "steps": 12 * STRIDE, "size": 64,
                                         "sweep": {"strength": [0.5, 1.0]}})  # fmt: skip
        seen: list[dict[str, Any]] = []
        for name, data in events:
            if name == "now":
                seen += data["running"]
            if name == "results" and data["total"]:
                break
    [card] = wait_results(page, 1)
    steps = [one["steps_done"] for one in seen if one["id"] == card["id"]]
    assert steps == sorted(steps)
    assert len(set(steps)) > 1
    assert steps[-1] <= seen[-1]["steps"]
    assert {one["input"] for one in seen} == {f"/views/{card['id']}/input?side=384"}
    assert page.ask(card["thumb"]).headers["content-type"] == "image/webp"
    text = page.ask("/metrics").body.decode()
    steps = next(line for line in text.splitlines() if line.startswith("img2imgd_steps_total"))
    assert float(steps.split()[1]) == 6 * STRIDE + 12 * STRIDE

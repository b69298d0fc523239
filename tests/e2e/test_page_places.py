"""Where the page listens, and that it comes back: sockets, reloads, a failure of its server."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from page_client import PageClient, UnixPageClient
from sample_drops import encoded
from served_root import PROGRAM, RunningDaemon, ServedRoot
from tools.ports import free_port

from waiting import wait_until

PICTURE = encoded()
SMALL = {"prompt": "x", "steps": 2, "size": 64}

# A fault within the page's server, in the daemon alone, whenever a file says so.
FAULT = """\
import os, sys
if sys.argv[1:2] == ["run"] or "run" in sys.orig_argv:
    import uvicorn
    ticks = uvicorn.Server.on_tick

    async def on_tick(self, counter):
        try:
            os.unlink({flag!r})
        except FileNotFoundError:
            return await ticks(self, counter)
        raise RuntimeError("a fault of the page")

    uvicorn.Server.on_tick = on_tick
"""


def configure(root: ServedRoot, status: str) -> None:
    root.write_config(extra=f"status: {status}\n")


def answers(page: PageClient, status: int = 200, **headers: str) -> bool:
    try:
        return page.ask("/readyz", **headers).status == status
    except OSError:
        return False


def wait_answers(page: PageClient) -> None:
    wait_until(lambda: answers(page), "the page answers")


def serves(root: ServedRoot, page: PageClient, count: int) -> None:
    assert page.drop("cat.png", PICTURE, SMALL).status == 201
    root.wait_served(count)
    assert page.get("/api/results")["total"] == count


def reload(daemon: RunningDaemon, count: int = 1, word: str = "reloaded: ") -> None:
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.log.count(word) >= count, "it is reloaded")


def test_a_server_that_fails_is_back_and_the_daemon_paints_on(
    root: ServedRoot, tmp_path: Path
) -> None:
    site, flag = tmp_path / "site", tmp_path / "fail"
    site.mkdir()
    (site / "sitecustomize.py").write_text(FAULT.format(flag=str(flag)))
    page = PageClient(free_port())
    configure(root, f"{{listen: '127.0.0.1:{page.port}'}}")
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    daemon = root.start(PYTHONPATH=os.pathsep.join(paths))
    wait_answers(page)
    serves(root, page, 1)
    assert page.ask(page.get("/api/results")["items"][0]["thumb"]).status == 200
    worker = daemon.worker
    flag.touch()
    wait_until(lambda: "a fault of the page" in daemon.log, "the page fails")
    with socket.create_connection(("127.0.0.1", page.port), timeout=40) as patient:
        patient.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")  # it is let wait
        (root.inbox / "dog.png").write_bytes(PICTURE)
        (root.inbox / "dog.yaml").write_text("prompt: a dog\nsteps: 2\nsize: 64\n")
        root.wait_served(2)
        assert daemon.worker == worker
        assert patient.recv(12) == b"HTTP/1.1 200"
    wait_until(lambda: "the page is served again" in daemon.log, "the log says it")
    assert page.get("/api/results")["total"] == 2
    assert page.ask(page.get("/api/results")["items"][0]["thumb"]).status == 200
    assert daemon.stop() == 0


def test_on_a_socket_file_that_goes_when_it_stops(root: ServedRoot, tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))  # as a daemon that was killed leaves it
    page = UnixPageClient(0, path)
    configure(root, f"{{listen: 'unix:{path}'}}")
    daemon = root.start()
    wait_answers(page)
    assert f"the page is at unix:{path}\n" in daemon.log
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    serves(root, page, 1)
    assert page.ask("/api/now", host="evil.example").status == 421
    assert daemon.stop() == 0
    assert not path.exists()


def test_a_killed_daemons_socket_file_is_replaced(root: ServedRoot, tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    configure(root, f"{{listen: 'unix:{path}'}}")
    root.start().kill()
    assert path.exists()
    root.start()
    wait_answers(UnixPageClient(0, path))


def test_a_reload_moves_the_page(root: ServedRoot, tmp_path: Path) -> None:
    old, new = PageClient(free_port()), PageClient(free_port())
    path = tmp_path / "page.sock"
    configure(root, f"{{listen: '127.0.0.1:{old.port}'}}")
    daemon = root.start()
    wait_answers(old)
    configure(root, f"{{listen: '127.0.0.1:{new.port}'}}")
    reload(daemon)
    wait_answers(new)
    with pytest.raises(ConnectionRefusedError):
        old.ask("/healthz")
    serves(root, new, 1)
    configure(root, f"{{listen: 'unix:{path}'}}")
    reload(daemon, 2)
    wait_answers(UnixPageClient(0, path))
    with pytest.raises(ConnectionRefusedError):
        new.ask("/healthz")
    configure(root, "{listen: null}")
    reload(daemon, 3)
    assert not path.exists()
    assert daemon.stop() == 0


def test_a_reload_that_cannot_listen_leaves_the_page_where_it_is(root: ServedRoot) -> None:
    page = PageClient(free_port())
    configure(root, f"{{listen: '127.0.0.1:{page.port}'}}")
    daemon = root.start()
    wait_answers(page)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        configure(root, f"{{listen: '127.0.0.1:{taken.getsockname()[1]}'}}")
        reload(daemon, word="config not reloaded: The page cannot listen on")
    assert answers(page)


def test_a_reload_asks_for_a_token_from_then_on_in_streams_too(
    root: ServedRoot, tmp_path: Path
) -> None:
    token, other = tmp_path / "token", tmp_path / "other"
    token.write_text("secret\n")
    other.write_text("another\n")
    page = PageClient(free_port())
    listen = f"listen: '127.0.0.1:{page.port}'"
    configure(root, f"{{{listen}}}")
    daemon = root.start()
    wait_answers(page)
    stream = socket.create_connection(("127.0.0.1", page.port), timeout=30)
    with stream, stream.makefile("rb") as lines:
        stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert lines.readline().startswith(b"HTTP/1.1 200")
        configure(root, f"{{{listen}, token_file: '{token}'}}")
        reload(daemon)
        wait_until(lambda: answers(page, 401), "the token is asked for")
        assert answers(page, authorization="Bearer secret")
        (root.inbox / "cat.png").write_bytes(PICTURE)  # news
        while lines.readline():
            pass  # until it is ended
    configure(root, f"{{{listen}, token_file: '{other}'}}")
    reload(daemon, 2)
    wait_until(lambda: answers(page, 401, authorization="Bearer secret"), "the old one is over")
    assert answers(page, authorization="Bearer another")
    configure(root, f"{{{listen}, token_file: '{tmp_path}/none'}}")
    reload(daemon, word="config not reloaded: The token_file")
    assert answers(page, authorization="Bearer another")


def test_a_socket_that_is_handed_over_serves_the_page(root: ServedRoot, tmp_path: Path) -> None:
    ignored = free_port()
    configure(root, f"{{listen: '127.0.0.1:{ignored}'}}")
    log_file = tmp_path / "daemon.log"
    with socket.create_server(("127.0.0.1", 0)) as handed, log_file.open("wb") as log:
        page = PageClient(handed.getsockname()[1])
        script = f'exec 3<&{handed.fileno()}; export LISTEN_PID=$$; exec "$@"'
        process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", PROGRAM, "run", "-c", str(root.config)],
            pass_fds=[handed.fileno()], stderr=log, start_new_session=True,
            env={**os.environ, "LISTEN_FDS": "1"},
        )  # fmt: skip
        daemon = RunningDaemon(process, log_file)
        root.daemons.append(daemon)
        wait_answers(page)
        serves(root, page, 1)
        with pytest.raises(ConnectionRefusedError):
            PageClient(ignored).ask("/healthz")
        configure(root, f"{{listen: '127.0.0.1:{ignored}', hosts: [paint.lan]}}")
        reload(daemon)
        assert page.ask("/healthz", host="paint.lan").status == 200
        assert daemon.stop() == 0

"""What is done through the page of a running daemon: drops that are kept, retries, odd numbers."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_client import Answer, PageClient
from PIL import Image
from sample_drops import encoded
from served_root import RunningDaemon, ServedRoot, descendants
from tools.ports import free_port

from waiting import wait_until

PICTURE = encoded()
SMALL = {"prompt": "x", "steps": 2, "size": 64}


def start(root: ServedRoot, inbox: str = "", status: str = "") -> PageClient:
    """A daemon with its page; ``inbox`` are keys of the inbox."""
    page = PageClient(free_port())
    root.write_config(extra=f"{inbox}status: {{listen: '127.0.0.1:{page.port}'{status}}}\n")
    root.start()

    def answers() -> bool:
        try:
            return page.ask("/healthz").status == 200
        except OSError:
            return False

    wait_until(answers, "the page answers")
    return page


def readers(daemon: RunningDaemon) -> set[int]:
    return {p.pid for p in descendants(daemon.pid) if "reader.process" in p.command}


def test_drops_into_an_inbox_that_keeps_replace_nothing(root: ServedRoot) -> None:
    root.inbox.mkdir(parents=True, exist_ok=True)
    mine = encoded(seed=2)
    (root.inbox / "cat.png").write_bytes(mine)
    (root.inbox / "cat.yaml").write_text("prompt: mine\nsteps: 2\nsize: 64\n")
    page = start(root, "    mode: keep\n")
    root.wait_served(1)
    first = page.drop("cat.png", PICTURE, SMALL).json
    second = page.drop("CAT.png", PICTURE, SMALL).json
    root.wait_served(3)
    names = {"cat.png", first["picture"], second["picture"]}
    assert len({name.casefold() for name in names}) == 3
    assert (root.inbox / "cat.png").read_bytes() == mine
    assert (root.inbox / "cat.yaml").read_text().startswith("prompt: mine")
    for dropped in (first, second):
        assert (root.inbox / dropped["picture"]).read_bytes() == PICTURE
        assert (root.inbox / dropped["sidecar"]).exists()
    cards = page.get("/api/results")["items"]
    assert {card["picture"] for card in cards} == names
    assert sorted(card["prompt"] for card in cards) == ["mine", "x", "x"]
    assert [page.ask(card["thumb"]).status for card in cards] == [200] * 3
    assert [page.ask(f"/views/{card['id']}/input").status for card in cards] == [200] * 3


def test_a_failure_that_is_mended_and_retried_is_served(root: ServedRoot) -> None:
    page = start(root)
    page.drop("cat.png", PICTURE[:100], SMALL)
    root.wait_served(1)
    [failure] = page.get("/api/failures")["items"]
    assert failure["retry"], failure
    [file] = [path for path in root.failed.rglob("cat*.png") if path.is_file()]
    file.write_bytes(PICTURE)
    assert page.post(f"/api/jobs/{failure['id']}/retry").status == 202
    wait_until(lambda: page.get("/api/results")["total"] == 1, "it is served")
    [card] = page.get("/api/results")["items"]
    assert card["picture"] == "cat.png"
    assert page.ask(card["thumb"]).status == 200


def test_all_that_failed_are_retried_at_once(root: ServedRoot) -> None:
    page = start(root)
    for number in range(5):
        page.drop(f"cat{number}.png", PICTURE[:100], SMALL)
    root.wait_served(5)
    for path in [path for path in root.failed.rglob("cat*.png") if path.is_file()]:
        path.write_bytes(PICTURE)
    assert page.post("/api/retry-failed").status == 202
    wait_until(lambda: page.get("/api/results")["total"] == 5, "they are served")


def test_a_picture_that_kills_the_pages_reader_costs_its_own_view_alone(
    root: ServedRoot, tmp_path: Path
) -> None:
    slow = io.BytesIO()
    Image.new("P", (10_000, 9_000)).save(slow, "PNG", compress_level=1)
    page = start(root)
    daemon = root.daemons[-1]
    page.drop("slow.png", slow.getvalue(), SMALL)
    page.drop("cat.png", PICTURE, SMALL)
    root.wait_served(2)
    own = readers(daemon)
    assert len(own) == 1
    ids = {card["picture"]: card["id"] for card in page.get("/api/results")["items"]}
    asked: list[Answer] = []
    wanted = f"/views/{ids['slow.png']}/input"
    asking = threading.Thread(target=lambda: asked.append(page.ask(wanted)))
    asking.start()
    wait_until(lambda: readers(daemon) - own, "the page's reader starts")
    [reader] = readers(daemon) - own
    wait_until(lambda: is_amid(reader), "it is at the picture")
    os.kill(reader, signal.SIGSEGV)
    asking.join(30)
    assert asked[0].status == 404, asked
    assert "crashed" in asked[0].json["error"], asked
    assert page.ask(wanted).status == 404, "it is not tried again at once"
    assert page.ask(f"/views/{ids['cat.png']}/input").status == 200
    assert page.ask(f"/views/{ids['slow.png']}/frames/0").status == 200, "of another picture"
    assert own <= readers(daemon)
    page.drop("dog.png", PICTURE, SMALL)
    root.wait_served(3)


def is_amid(reader: int) -> bool:
    """True once the reader has the picture's memory, which it has for a second or so."""
    status = Path(f"/proc/{reader}/statm").read_text().split()
    return int(status[1]) * os.sysconf("SC_PAGE_SIZE") > 120_000_000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/results?limit=00000000011111", 400),
        ("/api/results?limit=%C2%B2", 400),
        ("/api/results?before=1_99999999999999999999", 400),
        ("/api/results?before=nan_1", 200),
        (f"/views/20260101T000000-01234567/frames/{'9' * 5000}", 404),
        ("/views/20260101T000000-01234567/frames/-1", 404),
        ("/views/20260101T000000-01234567/frames/99999999999", 404),
        ("/views/%FF/input", 404),
        ("/api/jobs/%FF", 404),
        ("/api/jobs/" + "x" * 9000, 404),
        ("/api/results?q=%FF%00%ED%A0%80", 200),
    ],
)
def test_odd_numbers_and_names_are_refused_in_words(
    odd: PageClient, path: str, status: int
) -> None:
    assert odd.ask(path).status == status


def test_odd_inboxes_are_refused_in_words(odd: PageClient) -> None:
    for inbox in (9, 10**30, "0000009", "-1", "²", ""):
        assert odd.drop("cat.png", PICTURE, SMALL, inbox=inbox).status == 400, inbox  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageClient]:
    """A page that is asked odd things; nothing of it fails."""
    folder = tmp_path_factory.mktemp("odd")
    root = ServedRoot(folder / "root", folder / "config.yaml")
    page = start(root)
    yield page
    assert root.daemons[-1].stop() == 0
    assert "Traceback" not in root.daemons[-1].log


def test_guesses_are_limited_also_when_one_is_right(root: ServedRoot, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    page = start(root, status=f", token_file: '{token}'")
    form = {"content_type": "application/x-www-form-urlencoded"}
    own = f"https://127.0.0.1:{page.port}"  # a proxy in front of it does TLS
    login = page.ask("/login", "POST", b"token=secret", origin=own, **form)
    assert "; Secure" in login.headers["set-cookie"]
    plain = page.ask("/login", "POST", b"token=secret", origin=f"http{own[5:]}", **form)
    assert "; Secure" not in plain.headers["set-cookie"]
    assert page.ask("/api/now", authorization="Bearer secret").status == 200
    for guess in range(3):
        assert page.ask("/api/now", authorization=f"Bearer {guess}").status == 401
    assert page.ask("/api/now", authorization="Bearer secret").status == 429
    cookie = plain.headers["set-cookie"].partition(";")[0]
    assert page.ask("/api/now", cookie=cookie).status == 200, "who is let in stays so"


def test_limits_of_views_are_those_of_the_newest_config(root: ServedRoot) -> None:
    page = start(root)
    page.drop("cat.png", PICTURE, SMALL)
    root.wait_served(1)
    [card] = page.get("/api/results")["items"]
    view = f"/views/{card['id']}/input"
    configured = root.config.read_text()
    limit(root, configured, "max_pixels: 4096")
    assert page.ask(view).status == 404
    limit(root, configured, "max_file_mb: 0.5")
    assert page.ask(view).status == 200, "what was too large is not any more"


def limit(root: ServedRoot, configured: str, more: str) -> None:
    """Reload with one more limit."""
    daemon = root.daemons[-1]
    root.config.write_text(configured.replace("min_free_gb: 0", f"min_free_gb: 0, {more}"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: f" reloaded: limits.{more.partition(':')[0]}" in daemon.log, "it is reloaded"
    )

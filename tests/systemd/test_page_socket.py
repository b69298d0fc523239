"""The page, which reaches a service without a network through the socket unit."""

from __future__ import annotations

import json

from installing import follow
from served_machine import SOCKET, UNIT, Service

from waiting import wait_until

ONE = "prompt: a lake\nsteps: 2\nstrength: 1\nseed: 1\n"

_GET = """
import http.client, socket, sys
where, path = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", 8765, timeout=20)
if where.startswith("/"):
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(where)
connection.request("GET", path)
answer = connection.getresponse()
print(answer.status)
print(answer.read().decode())
"""


def get(service: Service, path: str, where: str = "tcp", user: str = "anna") -> tuple[int, str]:
    """Status and body, as a browser of this machine gets them; 0 if there is no answer."""
    ask = "/opt/img2imgd/bin/python", "-c", _GET, where, path
    asked = service.machine.run("runuser", "-u", user, "--", *ask, check=False)
    status, _, body = asked.stdout.partition("\n")
    return (int(status), body) if asked.returncode == 0 else (0, asked.stderr)


def test_the_page_is_there_though_the_service_has_no_network(service: Service) -> None:
    service.start()
    assert get(service, "/healthz")[0] == 0, "off until somebody wants it"
    follow(service.machine, "The page")
    service.drop("lake.png", ONE)
    service.wait_done("lake.png")
    assert get(service, "/healthz")[0] == 200
    assert "<html" in get(service, "/")[1]
    wait_until(lambda: json.loads(get(service, "/api/results")[1])["total"] == 1, "it is listed")
    networks = service.machine.shell(f"readlink /proc/1/ns/net /proc/{service.pid}/ns/net").split()
    assert len(set(networks)) == 2
    devices = service.machine.shell(f"cat /proc/{service.pid}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]


def test_it_answers_again_after_a_crash_and_after_a_restart(service: Service) -> None:
    follow(service.machine, "The page")
    service.drop_in("soon", "RestartSec=100ms")
    killed = service.pid
    service.systemctl("kill", "--kill-whom=main", "--signal=KILL", UNIT)
    wait_until(lambda: service.pid not in (0, killed), "it is started again")
    wait_until(lambda: get(service, "/healthz")[0] == 200, "the page answers")
    service.systemctl("restart", UNIT)
    assert get(service, "/healthz")[0] == 200


def test_a_stop_lasts_though_a_browser_goes_on_asking(service: Service) -> None:
    follow(service.machine, "The page")
    service.systemctl("stop", UNIT)
    assert "refused" in get(service, "/healthz")[1]
    assert service.show("ActiveState") == "inactive"
    service.start()
    assert get(service, "/healthz")[0] == 200, "a start brings the socket back"


def test_a_unix_socket_is_for_the_group_alone(service: Service) -> None:
    listen = "ListenStream=", "ListenStream=/run/img2imgd.sock"
    service.drop_in("unix", *listen, "SocketGroup=img2imgd", "SocketMode=0660", unit=SOCKET)
    follow(service.machine, "The page")
    assert get(service, "/healthz", "/run/img2imgd.sock")[0] == 200
    assert "Permission denied" in get(service, "/healthz", "/run/img2imgd.sock", "nobody")[1]


def test_without_a_token_it_listens_on_no_address_of_the_house(service: Service) -> None:
    service.drop_in("lan", "ListenStream=", "ListenStream=0.0.0.0:8765", unit=SOCKET)
    service.systemctl("start", SOCKET)
    service.systemctl("start", UNIT, check=False)
    assert service.show("ExecMainStatus") == "2"
    assert "token" in service.log


def test_with_a_token_it_listens_there_and_asks_for_it(service: Service) -> None:
    service.drop_in("lan", "ListenStream=", "ListenStream=0.0.0.0:8765", unit=SOCKET)
    service.machine.shell("install -m 640 -g img2imgd /etc/machine-id /etc/img2imgd/token")
    service.write_config(extra="status: {token_file: /etc/img2imgd/token}\n")
    follow(service.machine, "The page")
    assert get(service, "/healthz")[0] == 200
    assert get(service, "/api/now")[0] == 401


def test_a_browser_that_knocks_at_a_wrong_config_starts_it_once(service: Service) -> None:
    service.write_config(extra="strenght: 1\n")
    service.systemctl("start", SOCKET)
    get(service, "/healthz")
    wait_until(lambda: service.show("ActiveState") == "failed", "it has failed")
    assert "refused" in get(service, "/healthz")[1]
    assert service.log.count("strenght") == 1
    assert service.show("ActiveState") == "failed"

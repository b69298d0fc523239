"""How it is served: the systemd unit, and the address of the page."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import os
import shlex
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from img2imgd.config import Config
from img2imgd.doctor.as_user import NoAnswer, User, as_user
from img2imgd.doctor.findings import Finding, fine, warning, wrong
from img2imgd.doctor.machine import systemd_says
from img2imgd.engine.cards import there_is_a_card

UNIT = "img2imgd.service"
SOCKET_UNIT = "img2imgd.socket"
_SECONDS = 2.0  # in which a page on this machine answers
_SHORT_TOKEN = 16  # signs, below which it can be guessed


@dataclass(frozen=True)
class Unit:
    """What systemd says of the unit; ``loaded`` is false where it is not installed."""

    loaded: bool = False
    enabled: str = ""
    active: str = ""
    user: str = ""
    hides_devices: bool = False
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def look_at_unit() -> Unit | None:
    """The unit of this machine; None where systemd is not in charge."""
    names = ("LoadState", "UnitFileState", "ActiveState", "User", "PrivateDevices", "Environment")
    told = systemd_says("systemctl", "show", UNIT, *(f"--property={name}" for name in names))
    if told is None:
        return None
    values = _pairs(told.splitlines())
    return Unit(
        loaded=values.get("LoadState") == "loaded",
        enabled=values.get("UnitFileState", ""),
        active=values.get("ActiveState", ""),
        user=values.get("User", ""),
        hides_devices=values.get("PrivateDevices") == "yes",
        environment=_pairs(shlex.split(values.get("Environment", ""))),
    )


def _pairs(lines: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE``, by name."""
    split = (line.partition("=") for line in lines)
    return {name: value for name, _, value in split}


def check_unit(unit: Unit | None, config: Config) -> Iterator[Finding]:
    """The unit, where there is one; running without it is as good."""
    if unit is None or not unit.loaded:
        return
    if unit.active == "failed":
        yield wrong("service", f"{UNIT} has failed.", f"journalctl -u {UNIT} -n 50")
    elif unit.enabled not in ("enabled", "enabled-runtime", "static", "indirect"):
        yield warning(
            "service",
            f"{UNIT} is {unit.active}, and does not start with the machine.",
            f"sudo systemctl enable --now {UNIT}",
        )
    elif unit.hides_devices and config.engine.device != "cpu" and there_is_a_card():
        yield warning(
            "service",
            f"{UNIT} hides the NVIDIA card from the worker.",
            f"sudo install -D -m 644 systemd/gpu.conf /etc/systemd/system/{UNIT}.d/gpu.conf;"
            f" sudo systemctl daemon-reload; sudo systemctl restart {UNIT}",
        )
    else:
        yield fine("service", f"{UNIT}: {unit.enabled}, {unit.active}")


def check_page(config: Config, user: User, *, runs: bool) -> Iterator[Finding]:
    """The page's address and its token; ``runs`` if a daemon may have the address already."""
    listen = config.status.listen
    if listen is None:
        yield fine("page", "off (`status: {listen: 127.0.0.1:8765}` turns it on)")
        return
    yield from _token(config, user)
    local = listen.startswith("unix:") or _is_loopback(listen.rpartition(":")[0])
    if not local and not config.status.token_file:
        yield wrong(
            "page",
            f"{listen} can be reached from other machines, and no token is asked for.",
            "status: {token_file: /etc/img2imgd/token} in the config, or listen on 127.0.0.1.",
        )
        return
    try:
        as_user(user, lambda: _bind(listen))
    except (OSError, NoAnswer) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        if taken and _is_held_by_systemd(listen):
            yield fine("page", f"{listen} is held by {SOCKET_UNIT} for it")
            return
        if taken and runs:
            served = _answers_health(listen)
            told = "is served" if served else "is taken; by img2imgd itself if it runs"
            yield fine("page", f"{listen} {told}")
            return
        why = error.strerror if isinstance(error, OSError) else "no answer"
        yield wrong("page", f"{listen} cannot be listened on by {user.name}: {why}.", (
            f"See who has it: sudo ss -lpn 'sport = :{listen.rpartition(':')[2]}'" if taken
            else "Name another address as `status.listen` in the config."
        ))  # fmt: skip
        return
    yield fine("page", f"{listen} is free")


def _is_held_by_systemd(listen: str) -> bool:
    """True if the socket unit listens there; asked of systemd, as a connection starts the unit."""
    told = systemd_says("systemctl", "show", SOCKET_UNIT, "--property=ActiveState,Listen")
    values = (told or "").splitlines()
    return "ActiveState=active" in values and any(
        line.startswith("Listen=") and line.split()[0] == f"Listen={listen}" for line in values
    )


def _answers_health(listen: str) -> bool:
    """True if what listens there answers as the page does."""
    host, _, port = listen.rpartition(":")
    asking = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_SECONDS)
    try:
        asking.request("GET", "/healthz")
        return asking.getresponse().status in (200, 503)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def _token(config: Config, user: User) -> Iterator[Finding]:
    if not config.status.token_file:
        return
    path = Path(config.status.token_file)
    new = f"openssl rand -hex 16 | sudo -u {user.name} tee {shlex.quote(str(path))} >/dev/null"
    try:
        first = as_user(user, lambda: _first_line(path))
    except (OSError, NoAnswer) as error:
        why = error.strerror if isinstance(error, OSError) else "no answer"
        yield wrong("page", f"The token file {path} cannot be read by {user.name}: {why}.", new)
        return
    if len(first) < _SHORT_TOKEN:
        yield wrong(
            "page", f"The token in {path} has {len(first)} signs; it can be guessed.", new
        )  # fmt: skip
    elif path.stat().st_mode & stat.S_IROTH:
        yield warning("page", f"Everybody can read the token in {path}.", f"sudo chmod o-r {path}")


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(1000).strip()


def _bind(listen: str) -> None:
    """Have the address for a moment.

    Raises:
        OSError: it cannot be had.
    """
    if listen.startswith("unix:"):
        path = Path(listen.removeprefix("unix:"))
        if path.is_socket():
            return  # of a daemon that runs or has run: it is replaced
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(path))
        path.unlink()
        return
    host, _, port = listen.rpartition(":")
    bare = host.strip("[]")
    family, kind, number, _, address = socket.getaddrinfo(
        bare or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, number) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1)


def _is_loopback(host: str) -> bool:
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"


def service_environment(unit: Unit | None, user: User) -> dict[str, str]:
    """What of the service's environment tells where models lie; the own one for oneself."""
    names = ("HF_HOME", "HF_HUB_CACHE")
    if unit is not None and unit.loaded and unit.user == user.name:
        return {name: unit.environment[name] for name in names if name in unit.environment}
    return {name: os.environ[name] for name in names if name in os.environ}

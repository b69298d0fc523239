"""Which names in ``Host`` mean the address that was listened on, and which are none at all."""

from __future__ import annotations

import pytest

from img2imgd.page.guard import _without_port, own_names

LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (("127.0.0.1", 8765), LOOPBACK),
        (("::1", 8765), LOOPBACK),
        (("192.168.1.5", 80), {"192.168.1.5"}),
        (("fe80::1%eth0", 80), {"[fe80::1]"}),
        (("::ffff:192.168.1.5", 80), {"[::ffff:c0a8:105]", "192.168.1.5"}),
        (("/run/page.sock", None), LOOPBACK),
        (None, LOOPBACK),
    ],
)
def test_names_of_an_address(server: object, names: set[str]) -> None:
    assert own_names({"server": server}) >= names
    assert own_names({"server": server}) & LOOPBACK in (LOOPBACK & names, LOOPBACK)
    if "192" in str(server):
        assert not own_names({"server": server}) & LOOPBACK


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("localhost:80", "localhost"),
        ("localhost.:80", "localhost"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"),
        ("localhost:80.evil.example", ""),
        ("localhost:80@evil.example", ""),
        ("localhost@evil.example", ""),
        ("localhost/evil.example", ""),
        ("[::1]evil.example", ""),
        ("[::1]:80:90", ""),
        ("::1", ""),
        ("", ""),
    ],
)
def test_a_host_is_a_name_and_perhaps_a_port(host: str, name: str) -> None:
    assert _without_port(host) == name

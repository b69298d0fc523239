"""WebDAV as a Finder or an Explorer speaks it: locks, an empty file first, then the picture."""

from __future__ import annotations

import re

from fed_root import SIDECAR, FedRoot, picture
from served_root import pause
from servers import WebDav

_LOCK = (
    '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype></D:lockinfo>"
)


def test_a_locked_empty_file_waits_for_its_content(fed: FedRoot) -> None:
    inbox = fed.path / "locked"
    url = WebDav.start(fed.people, inbox).url
    files = {"finder.png": picture(50), "finder.yaml": SIDECAR, "._finder.png": b"litter"}
    source = fed.source("finder", files | {"empty": b""})

    def curl(*options: str) -> str:
        asked = fed.people.run("anna", "curl", "-sS", "--fail", "-i", *options, cwd=source)
        return asked.stdout.decode()

    timeout = ("-H", "Depth: 0", "-H", "Timeout: Second-600")
    told = curl("-X", "LOCK", *timeout, "-d", _LOCK, f"{url}/finder.png")
    [token] = re.findall(r"(?im)^Lock-Token: (<[^>]*>)", told)
    held = ("-H", f"If: ({token})")
    curl(*held, "-T", "empty", f"{url}/finder.png")
    curl("-T", "._finder.png", f"{url}/")
    curl("-T", "finder.yaml", f"{url}/")
    pause(3)  # longer than the settle time, and not yet a picture
    assert not fed.jobs_of("locked")
    curl(*held, "-T", "finder.png", f"{url}/finder.png")
    curl("-X", "UNLOCK", "-H", f"Lock-Token: {token}", f"{url}/finder.png")
    [row] = fed.wait_for("locked", 1)
    assert row.spec.rel == "finder.png"
    assert (fed.done / "finder.png").read_bytes() == picture(50)
    assert [path.name for path in inbox.iterdir() if path.is_file()] == ["._finder.png"]

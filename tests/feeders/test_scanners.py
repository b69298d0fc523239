"""Scanners: SANE's scanimage into the inbox, and devices that scan to a folder slowly."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from arrival_times import Arrivals
from documented import block, moved
from fed_root import RESCAN, FedRoot, picture
from PIL import Image
from scan_devices import SlowDevice

from img2imgd.job import JobState

if TYPE_CHECKING:
    from feeder_table import Fed

SETTLE, PAIR_WAIT = 5.0, 1.0  # the profile's; it has 30 s for people who walk to a desk
IN_FEEDER = 10  # pages that SANE's test device has
OF_TEST_DEVICE = {  # it is smaller than A4, and quicker at a low resolution
    "--resolution 600": "-d test --test-picture Grid --resolution 60",
    "--resolution 300": "-d test --test-picture Grid --resolution 40",
    "-x 210 -y 297": "-x 80 -y 100",
}


def test_pages_from_scanimage_are_served_once_each(fed: FedRoot, fed_table: Fed) -> None:
    inbox = fed.path / "sane"
    lines = block("scanner.md", "A scanner at this machine", "sh")
    with Arrivals(inbox) as arrivals:
        for line in moved(lines, OF_TEST_DEVICE | {"/srv/img2imgd/scans": inbox}).splitlines():
            fed.people.run("anna", "sh", "-c", line, umask="0002")
        rows = fed.wait_for("sane", 1 + IN_FEEDER)
    assert len(rows) == 1 + IN_FEEDER
    assert {row.state for row in rows} == {JobState.DONE}, [row.reason for row in rows]
    kinds: list[tuple[str | None, str]] = []
    stems: Counter[str] = Counter()
    for row in rows:
        with Image.open(fed.done / row.spec.rel) as page:
            page.load()
            kinds.append((page.format, page.mode))
        stems[row.spec.rel.rpartition(".")[0]] += 1
    assert sorted(kinds) == [("PNG", "L"), *[("TIFF", "RGB")] * IN_FEEDER]
    for stem, scans in stems.items():
        assert len(list(fed.outbox.glob(f"{stem}_*"))) == scans
    late = fed.late("sane", arrivals, SETTLE + PAIR_WAIT)
    assert max(late) < RESCAN
    fed_table.add("SANE scanimage --batch (settle 5 s)", len(rows), late)


def test_every_scan_of_slow_devices_is_served_once_and_none_is_mixed(
    fed: FedRoot, fed_table: Fed
) -> None:
    """As slow as their writing may be between two parts: a second less than the settle time."""
    inbox = fed.path / "devices"
    gap = SETTLE - 1
    devices = {
        "warms-up.jpg": SlowDevice(2, gap, placeholder=True),
        "line-by-line.tiff": SlowDevice(3, gap),
        "opens-again.png": SlowDevice(2, gap, reopens=True),
        "opens-often.jpg": SlowDevice(8, 0.5, reopens=True, placeholder=True),
    }
    forms = {"jpg": "JPEG", "tiff": "TIFF", "png": "PNG"}
    files = {
        name: picture(number, (300, 200), forms[name.rpartition(".")[2]])
        for number, name in enumerate(devices, 300)
    }
    again = [picture(number, (200, 100), "JPEG") for number in range(400, 403)]
    with Arrivals(inbox) as arrivals, ThreadPoolExecutor() as at_once:
        scans = [
            at_once.submit(device.scan, inbox / name, files[name])
            for name, device in devices.items()
        ]
        reused = fed.path / "reused" / "SCAN0001.jpg"
        scans.append(at_once.submit(SlowDevice(3, 0.3).scan_all, reused, again))
        for scan in scans:
            scan.result()
        fed.assert_served_once("devices", files)
        rows = fed.wait_for("reused", len(again))
    assert [row.state for row in rows] == [JobState.DONE] * len(again)
    assert sorted(path.read_bytes() for path in fed.done.glob("SCAN0001*")) == sorted(again)
    assert len(list(fed.outbox.glob("SCAN0001_*"))) == len(again)
    late = fed.late("devices", arrivals, SETTLE + PAIR_WAIT)
    assert max(late) < RESCAN
    fed_table.add("slow devices that scan to a folder (settle 5 s)", len(files), late)

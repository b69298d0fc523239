"""Only plain pictures of the outbox are opened, whatever the path looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from img2imgd.page.files import open_below, parts_of, range_of


@pytest.mark.parametrize(
    "raw",
    [
        b"../config.png", b"a/../../b.png", b"%2e%2e/b.png", b"a/%2e%2e%2fb.png", b"/etc/x.png",
        b"%2fetc/x.png", b".img2imgd/job/a.png", b"%2Eimg2imgd/job/a.png", b"a//b.png", b"a%00.png",
        b"a/./b.png", b".hidden.png", b"", b"a.txt", b"a.yaml", b"a.png/", b"a.svg", b"a.html",
    ],
)  # fmt: skip
def test_no_path_leads_out_or_to_what_is_no_picture(raw: bytes) -> None:
    assert parts_of(raw) is None


def test_any_bytes_may_be_in_a_name() -> None:
    assert parts_of(b"f%FFo%20b/%3Cb%3E.PNG") == [b"f\xffo b", b"<b>.PNG"]


def test_links_folders_and_devices_are_no_files(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"secret")
    outbox = tmp_path / "outbox"
    (outbox / "folder.png").mkdir(parents=True)
    (outbox / "link.png").symlink_to(outside)
    (outbox / "away").symlink_to(tmp_path)
    os.mkfifo(outbox / "pipe.png")
    for parts in ([b"link.png"], [b"away", b"secret.png"], [b"folder.png"], [b"pipe.png"],
                  [b"none.png"], [b"x" * 300 + b".png"], [b"link.png", b"a.png"]):  # fmt: skip
        with pytest.raises(FileNotFoundError):
            open_below(outbox, parts)


def test_a_file_is_opened_through_folders_that_are_none_of_text(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/f\xff"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder), "a.png").write_bytes(b"picture")
    found = open_below(tmp_path, [b"f\xff", b"a.png"])
    with found.file as file:
        assert file.read() == b"picture"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)), ("bytes=2-", (2, 10)), ("bytes=-3", (7, 10)), ("bytes=-30", (0, 10)),
        ("bytes=5-99", (5, 10)), ("bytes=7-5", None), ("bytes=0-1,3-4", None), ("lines=1-2", None),
        ("bytes=a-b", None), ("bytes=-", None), ("bytes=٣-", None),
    ],
)  # fmt: skip
def test_ranges(header: str, part: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_ranges_that_are_not_there(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        range_of(header, 10)

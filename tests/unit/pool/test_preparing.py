"""Pictures that are prepared while other things are done: asked for, collected, dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.pool.preparing import Preparation, Preparing
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import SizeRule
from waiting import wait_until

RULE = SizeRule(64, "stretch", 8)


class Asked:
    """A way to ask the reader, which counts its answers."""

    def __init__(self, reader: ReaderProcess) -> None:
        self.answers = threading.Semaphore(0)
        self.preparing = Preparing(reader, self.answers.release)

    def answered(self, asked: Preparation) -> Preparation:
        assert self.answers.acquire(timeout=30)
        assert asked.collect()
        return asked


@pytest.fixture
def asked(reader: ReaderProcess) -> Iterator[Asked]:
    made = Asked(reader)
    yield made
    made.preparing._thread.shutdown()


def test_a_picture_is_at_its_place_once_it_is_collected(asked: Asked, cat: Path) -> None:
    target = cat.with_name("prepared.png")
    under_way = asked.preparing.begin(cat, target, RULE)
    assert asked.answers.acquire(timeout=30)
    assert not target.exists()
    assert under_way.collect()
    made = under_way.result()
    with Image.open(target) as picture:
        assert picture.size == (made.width, made.height)
    assert {path.name for path in cat.parent.iterdir()} == {"cat.png", "prepared.png"}


def test_what_is_wrong_with_a_picture_is_its_result(asked: Asked, cat: Path) -> None:
    cat.write_bytes(cat.read_bytes()[:200])
    target = cat.with_name("prepared.png")
    under_way = asked.answered(asked.preparing.begin(cat, target, RULE))
    with pytest.raises(PictureError, match="cat"):
        under_way.result()
    assert [path.name for path in cat.parent.iterdir()] == ["cat.png"]


def test_a_folder_that_goes_away_meanwhile_is_told_in_words(asked: Asked, cat: Path) -> None:
    target = cat.with_name("spool") / "prepared.png"
    target.parent.mkdir()
    under_way = asked.preparing.begin(cat, target, RULE)
    target.parent.rename(cat.with_name("away"))
    asked.answered(under_way)
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        under_way.result()


def test_a_picture_that_is_dropped_leaves_no_half_file(
    asked: Asked, reader: ReaderProcess, slow: Path
) -> None:
    """The one that is read, and one that waits for it; the reader is stopped, as at the end."""
    target = slow.with_name("prepared.png")
    first = asked.preparing.begin(slow, target, RULE)
    second = asked.preparing.begin(slow, slow.with_name("next.png"), RULE)
    wait_until(lambda: reader.pid is not None, "the reader is asked")
    asked.preparing.stop()
    for each in (first, second):
        each.drop()
    reader.stop()
    asked.preparing._thread.shutdown()
    assert [path.name for path in slow.parent.iterdir()] == ["slow.png"]


def test_without_a_thread_the_machine_is_to_blame_and_no_half_file_is_left(
    asked: Asked, cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(EnvironmentFault, match="No thread"):
            asked.preparing.begin(cat, cat.with_name("prepared.png"), RULE)
    assert [path.name for path in cat.parent.iterdir()] == ["cat.png"]

"""Small copies: made once for all who ask, and whoever goes away takes nothing from the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.page.views import Key, NoView, Source, Views
from img2imgd.reader.protocol import ReaderLimits

JOB, OTHER = "20260101T000000-0123abcd", "20260101T000001-0123abcd"


class Pictures:
    """Finds one picture for every job but ``missing``, once ``found`` is set."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "cat.png"
        Image.new("RGB", (500, 250), "teal").save(self.path)
        self.found = threading.Event()
        self.asked: list[str] = []
        self.missing = ""

    def find(self, key: Key) -> Source:
        self.asked.append(key.job)
        assert self.found.wait(30)
        if key.job == self.missing:
            raise NoView("It is gone.")
        return Source(self.path, self.path.open("rb"))


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)


@pytest.fixture
def views(tmp_path: Path, pictures: Pictures) -> Iterator[Views]:
    made = Views(tmp_path / "state", pictures.find, ReaderLimits(), 10_000_000)
    made.start()
    yield made
    pictures.found.set()
    made.stop()
    made.join(30)
    assert not made.is_alive()


def size(views: Views, key: Key) -> tuple[int, int]:
    found = views.kept(key)
    assert found is not None
    with found.file, Image.open(found.file) as picture:
        return picture.size


def test_one_is_made_for_all_who_ask(views: Views, pictures: Pictures) -> None:
    key = Key.of_input(JOB, 384)
    asked = [views.order(key) for _ in range(5)]
    pictures.found.set()
    for future in asked:
        future.result(60)
    assert pictures.asked == [JOB]
    assert size(views, key) == (384, 192)
    assert views.picture_size(JOB, 0) is None


def test_who_goes_away_takes_it_from_nobody(views: Views, pictures: Pictures) -> None:
    key = Key.of_frame(JOB, 0, 384)
    gone, stays = views.order(key), views.order(key)
    assert not gone.cancel()
    pictures.found.set()
    stays.result(60)
    views.order(Key.of_frame(OTHER, 0, 1600)).result(60)
    assert size(views, Key.of_frame(OTHER, 0, 1600)) == (500, 250)
    assert views.picture_size(OTHER, 0) == (500, 250)
    assert views.thumb_size(OTHER, 0) == (384, 192)


def test_what_cannot_be_shown_is_said_and_not_tried_at_once_again(
    views: Views, pictures: Pictures
) -> None:
    pictures.found.set()
    pictures.missing = JOB
    for _ in range(2):
        with pytest.raises(NoView, match="It is gone"):
            views.order(Key.of_input(JOB, 384)).result(60)
    assert pictures.asked == [JOB]
    views.order(Key.of_input(OTHER, 384)).result(60)
    views.reconfigure(ReaderLimits(), 10_000_000)
    pictures.missing = ""
    views.order(Key.of_input(JOB, 384)).result(60)


def test_a_view_that_was_removed_is_made_again(views: Views, pictures: Pictures) -> None:
    pictures.found.set()
    key = Key.of_input(JOB, 384)
    views.order(key).result(60)
    found = views.kept(key)
    assert found is not None
    found.file.close()
    for path in views._folder.rglob("*.webp"):
        path.unlink()
    assert views.kept(key) is None
    views.order(key).result(60)
    assert size(views, key) == (384, 192)

"""Saves that look like the one before: skipped where the inbox says from which difference on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw, PngImagePlugin
from rig import Rig

from img2imgd.request import RequestKeys

RigMaker = Callable[..., Rig]
SIDE = 512


@pytest.fixture
def rig(make_rig: RigMaker) -> Rig:
    return make_rig(mode="keep", settle=1, skip_similar=2, defaults=RequestKeys(prompt="a lake"))


def drawing(*lines: tuple[int, int, int, int], width: int = 6) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    for line in lines:
        draw.line(line, "black", width)
    return image


def save(rig: Rig, image: Image.Image, note: str = "") -> int:
    """How many jobs there are once this was saved, with a note that changes its bytes alone."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("note", note)
    image.save(rig.folder / "cat.png", pnginfo=chunks)
    rig.look(0.1, 1.1)
    return len(rig.jobs())


def test_a_save_without_a_visible_change_makes_no_job(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100), (250, 100, 450, 400))
    assert save(rig, house) == 1
    assert save(rig, house, "saved again") == 1
    assert rig.waits() == {}
    rig.look(20, 20)
    assert len(rig.jobs()) == 1


def test_a_stroke_makes_one(rig: Rig) -> None:
    assert save(rig, drawing((50, 400, 250, 100))) == 1
    assert save(rig, drawing((50, 400, 250, 100), (300, 300, 330, 300), width=3)) == 2


def test_small_changes_add_up(rig: Rig) -> None:
    jobs = [save(rig, Image.new("RGB", (SIDE, SIDE), (200 + n, 200, 200))) for n in range(12)]
    assert jobs[0] == jobs[1] == 1
    assert 2 <= jobs[-1] <= 6


def test_what_is_seen_is_told_apart_by_lightness_and_by_colour(rig: Rig) -> None:
    grey = drawing()
    grey.paste((128, 128, 128), (0, 0, SIDE, SIDE))
    red = drawing()
    red.paste((190, 100, 100), (0, 0, SIDE, SIDE))
    assert save(rig, grey) == 1
    assert save(rig, red) == 2


def test_what_differs_by_a_hair_from_grey_is_alike(rig: Rig) -> None:
    jobs = [
        save(rig, Image.new("RGB", (64, 64), colour))
        for colour in ((128, 128, 128), (128, 129, 128), (127, 128, 128), (128, 128, 127))
    ]
    assert jobs == [1, 1, 1, 1]


def test_after_a_job_that_came_to_nothing_the_next_save_makes_one(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100))
    save(rig, house)
    rig.ledger.give_order("cancel", rig.jobs()[0].id)
    rig.serve()
    assert save(rig, house, "saved again") == 2
    assert save(rig, house, "and again") == 2


def test_the_folders_prompt_counts_as_well(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100))
    rig.drop("_defaults.yaml", "prompt: a mill\n")
    assert save(rig, house) == 1
    rig.drop("_defaults.yaml", "prompt: a barn\n")
    rig.look(0.1, 1.1)
    assert save(rig, house, "saved again") == 2


def test_another_size_or_another_sidecar_is_another_picture(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100))
    assert save(rig, house) == 1
    assert save(rig, house.resize((SIDE, SIDE // 2))) == 2
    rig.drop("cat.yaml", "prompt: a mill\n")
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 3
    assert save(rig, house.resize((SIDE, SIDE // 2)), "again") == 3


def test_a_broken_save_is_told_and_the_next_whole_one_painted(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100))
    save(rig, house)
    path = rig.folder / "cat.png"
    path.write_bytes(path.read_bytes()[:300])
    rig.look(0.1, 1.1)
    assert len(rig.jobs()) == 2
    assert save(rig, house, "again") == 3


def test_it_is_off_unless_it_is_asked_for(make_rig: RigMaker) -> None:
    rig = make_rig(mode="keep", settle=1, defaults=RequestKeys(prompt="a lake"))
    house = drawing((50, 400, 250, 100))
    assert save(rig, house) == 1
    assert save(rig, house, "saved again") == 2


def test_a_retry_is_served_however_alike(rig: Rig) -> None:
    house = drawing((50, 400, 250, 100))
    save(rig, house)
    rig.inbox._acts.serve_again("cat.png")
    assert save(rig, house, "again") == 2

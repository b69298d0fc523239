"""How many rows a UNet call has: what was found, what memory allows, what the config allows."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from engines import difference, spec, task
from plainly import calls_of, pixels, stepped
from tiny_families import save_family

from img2imgd.engine import caps
from img2imgd.engine.diffusers_engine import DiffusersEngine
from img2imgd.engine.protocol import EngineEvent, FramePainted, FrameTask
from img2imgd.engine.stepping.capping import FILE, Capping, Shape
from img2imgd.engine.stepping.gauge import Gauge

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("sd1", tmp_path_factory.mktemp("model") / "sd1")


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes by chance, for which there are tests without an engine."""
    monkeypatch.setattr(caps._Profile, "look_again", lambda _: None)


def loaded(folder: Path, **changes: Any) -> DiffusersEngine:
    engine = DiffusersEngine()
    engine.load(spec(folder, **changes))
    return engine


def sweep(image: Path, frames: int = 8, steps: int = 6) -> list[FrameTask]:
    return [
        task(image, index=index, strength=1.0, steps=steps, seed=index, job_frames=frames)
        for index in range(frames)
    ]


@contextmanager
def memory_for(rows: int, unet: Any) -> Generator[None]:
    """Let the UNet run out of memory, as torch says it, when it is given more rows."""

    def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[0] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")

    hook = unet.register_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()


def test_memory_that_runs_out_halves_the_batch_and_costs_no_frame_anything(
    folder: Path, image: Path, tmp_path: Path
) -> None:
    undisturbed = stepped(loaded(folder), sweep(image))
    engine = loaded(folder, cache=tmp_path)
    unet, capping = engine._pipe.unet, engine._painter._capping
    capping._caps._profile(capping._key(Shape((32, 32)))).rows = 16
    events: list[EngineEvent] = []
    with calls_of(unet) as rows, memory_for(6, unet):
        for one in sweep(image):
            engine.admit(one)
        while not engine.idle():
            engine.step(events.append)
    assert rows[:3] == [16, 8, 4], "halved until it fits"
    assert set(rows[3:]) == {4}
    painted = {event.index: event for event in events if isinstance(event, FramePainted)}
    assert len(painted) == 8
    for index, event in painted.items():
        assert event.note == ""
        assert difference(pixels(event), undisturbed[index]) <= 1
    later = loaded(folder, cache=tmp_path)
    with calls_of(later._pipe.unet) as rows:
        stepped(later, sweep(image))
    assert set(rows) == {4}, "the next process knows it"


def test_what_was_found_for_a_size_is_kept_in_the_state_folder(
    folder: Path, image: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = loaded(folder, cache=tmp_path)
    # However busy the machine: large calls pay.
    engine._pipe.unet.register_forward_pre_hook(lambda *_: time.sleep(0.02))
    with caplog.at_level(logging.INFO):
        stepped(engine, sweep(image, frames=8, steps=60))
    kept = json.loads((tmp_path / FILE).read_text())
    ((key, found),) = kept.items()
    assert key.endswith(" 32x32")
    assert found["rows"] > caps.FIRST
    assert found["settled"] == (f"up to {found['rows']} rows" in caplog.text)
    engine = loaded(folder, cache=tmp_path)
    with calls_of(engine._pipe.unet) as rows:
        stepped(engine, sweep(image))
    assert rows[0] == min(found["rows"], 16)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"x": {"rows": -3, "limit": 0}}'])
def test_a_file_that_is_damaged_is_ignored(
    folder: Path, image: Path, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(content)
    stepped(loaded(folder, cache=tmp_path), [task(image)])
    assert "found anew" in caplog.text


def test_a_file_that_is_none_is_not_waited_for(folder: Path, image: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    (picture,) = stepped(loaded(folder, cache=tmp_path), [task(image)])
    assert picture.any()


def test_the_config_sets_the_most_frames_of_a_call(folder: Path, image: Path) -> None:
    engine = loaded(folder, max_batch=3)
    with calls_of(engine._pipe.unet) as rows:
        stepped(engine, sweep(image, steps=20))
    assert max(rows) == 6


def test_calls_are_short_while_a_picture_is_waited_for(folder: Path, image: Path) -> None:
    engine = loaded(folder)
    capping = engine._painter._capping
    profile = capping._caps._profile(capping._key(Shape((32, 32))))
    profile.rows, profile.settled = 16, True
    profile.per_row = {4: 0.010, 8: 0.009, 16: 0.008}
    single = task(image, job="single", strength=1.0, steps=6)
    with calls_of(engine._pipe.unet) as rows:
        stepped(engine, [single, *sweep(image, frames=20, steps=12)])
    assert max(rows[:6]) == 4
    assert max(rows[6:]) == 16


def test_a_call_takes_no_more_rows_than_there_is_memory_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A processor's memory is not refused: the system ends the process instead."""
    capping, shape = Capping(torch.device("cpu")), Shape((32, 32))
    assert capping.most_rows(shape) == caps.FIRST
    held: list[torch.Tensor] = []

    def call() -> None:
        held.append(torch.ones(64, 1024, 1024))  # 256 MiB, in pages that are used
        held.clear()

    with capping.watching(shape, caps.FIRST):
        call()
    monkeypatch.setattr(Gauge, "free", lambda _: 2**28)
    assert capping.most_rows(shape) < caps.FIRST
    monkeypatch.setattr(Gauge, "free", lambda _: 2**32)
    assert capping.most_rows(shape) == caps.FIRST


def test_the_gauge_reads_seconds_and_the_peak_of_memory() -> None:
    gauge = Gauge(torch.device("cpu"))
    allocate: Callable[[int], torch.Tensor] = lambda mega: torch.ones(mega, 1024, 256)  # noqa: E731
    with gauge.reading() as small:
        allocate(1)
    with gauge.reading() as large:
        allocate(200)
    assert small.bytes < 100 * 2**20 <= 150 * 2**20 < large.bytes < 400 * 2**20
    assert small.seconds > 0
    assert (gauge.free() or 0) > 2**20

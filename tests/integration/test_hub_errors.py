"""What a person is told when a model cannot be had from the hub, and that no token is told."""

from __future__ import annotations

import errno
import logging
import os
import traceback
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import constants

from hub_server import HubServer
from img2imgd.hub.client import Hub
from img2imgd.hub.faults import HubFault, explain
from img2imgd.hub.fetching import download, plan
from img2imgd.hub.partial import part_of
from img2imgd.hub.source import HubSource, Wanted

SOURCE = HubSource("them/it")
MODEL = Wanted(SOURCE, "pipeline")
SECRET = "hf_secret"  # noqa: S105 - of the hub on loopback
FILES = {
    "model_index.json": b'{"unet": ["diffusers", "UNet2DConditionModel"]}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"w" * 100_000,
}


@pytest.fixture(autouse=True)
def repository(hub_server: HubServer) -> None:
    hub_server.add("them/it", dict(FILES))


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch, hub_server: HubServer) -> str:
    """This process has a token that the hub takes."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    hub_server.token = SECRET
    return SECRET


def refusal(hub: Hub, wanted: Wanted = MODEL) -> HubFault:
    with pytest.raises(HubFault) as caught:
        download(hub, plan(hub, wanted), lambda _: None, ())
    assert caught.value.exit_code == 5
    assert caught.value.advice
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    return caught.value


def test_a_gated_model_names_its_page_and_where_to_get_a_token(
    hub_server: HubServer, hub: Hub
) -> None:
    hub_server.repositories["them/it"].gated = True
    error = refusal(hub)
    assert error.message.startswith("them/it is gated")
    assert f"Accept them at {hub.endpoint}/them/it" in error.advice
    assert "/settings/tokens" in error.advice
    assert "HF_TOKEN" in error.advice


def test_a_gated_model_whose_terms_the_token_s_account_has_not_accepted(
    hub_server: HubServer, hub: Hub, token: str
) -> None:
    hub_server.repositories["them/it"].gated = True
    error = refusal(hub)
    assert "the account of your token may not read it" in error.message
    assert f"{hub.endpoint}/them/it" in error.advice


def test_a_gated_lora_is_told_though_its_files_are_listed(hub_server: HubServer, hub: Hub) -> None:
    hub_server.add("them/ink", {"ink.safetensors": b"a"}, gated=True)
    assert refusal(hub, Wanted(HubSource("them/ink"), "lora")).message.startswith("them/ink is gat")


def test_a_wrong_id_names_near_ones_that_the_hub_has(hub_server: HubServer, hub: Hub) -> None:
    hub_server.add("them/watercolour-xl", {})
    error = refusal(hub, Wanted(HubSource("them/watercolor-xl"), "pipeline"))
    assert error.message.startswith("there is no them/watercolor-xl, neither as a folder here nor")
    assert error.advice.startswith("Did you mean them/watercolour-xl?")


def test_a_wrong_owner_is_found_by_the_model_s_name(hub: Hub) -> None:
    assert "Did you mean them/it?" in refusal(hub, Wanted(HubSource("you/it"), "pipeline")).advice


def test_well_known_ids_are_offered_though_the_search_fails(
    hub_server: HubServer, hub: Hub
) -> None:
    hub_server.statuses = [None, 500]
    error = refusal(hub, Wanted(HubSource("stabilityai/sdxl-trubo"), "pipeline"))
    assert "Did you mean stabilityai/sdxl-turbo?" in error.advice
    assert not hub_server.statuses


def test_a_private_model_may_be_the_reason_without_and_with_a_token(
    hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_server.repositories["them/it"].private = True
    assert "or it is private: then set HF_TOKEN" in refusal(hub).message
    monkeypatch.setenv("HF_TOKEN", SECRET)
    hub_server.token = SECRET
    hub_server.repositories.clear()
    assert "the account of your token may not read it" in refusal(hub).message


@pytest.mark.parametrize("repo", ["them/it--too", "it/is/not", ""])
def test_an_id_that_the_hub_s_rules_forbid_is_as_one_that_is_not_there(hub: Hub, repo: str) -> None:
    assert f"there is no {repo}" in refusal(hub, Wanted(HubSource(repo), "lora")).message


def test_a_token_that_the_hub_does_not_take_is_told_and_not_shown(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    error = refusal(hub)
    assert error.message == "the hub does not accept the token that it was sent for them/it."
    assert "or unset HF_TOKEN" in error.advice


@pytest.mark.parametrize("token", [f"{SECRET}\x01", f"{SECRET} x", f"{SECRET}ä"])
def test_a_token_that_cannot_be_one_is_told_and_not_shown(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert "characters that no token has" in refusal(hub).message


def test_no_log_line_of_any_library_shows_the_token(
    hub: Hub, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = [name for name in logging.root.manager.loggerDict if "h" in name]
    for name in names:
        caplog.set_level(logging.DEBUG, name)
        logging.getLogger(name).addHandler(caplog.handler)
    try:
        download(hub, plan(hub, MODEL), lambda _: None)
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(caplog.handler)
    assert "authenticated: True" in caplog.text
    assert "HTTP Request: GET" in caplog.text
    assert token not in caplog.text


def test_a_revision_that_is_missing_names_near_ones_else_all(
    hub_server: HubServer, hub: Hub
) -> None:
    repository = hub_server.repositories["them/it"]
    repository.branches, repository.tags = ("main", "fp16"), ("release-2",)
    error = refusal(hub, Wanted(HubSource("them/it", "realease-2"), "pipeline"))
    assert error.message == "them/it has no revision 'realease-2'."
    assert error.advice.startswith("It has release-2. ")
    error = refusal(hub, Wanted(HubSource("them/it", "zzz"), "pipeline"))
    assert error.advice.startswith("It has main, fp16, release-2. ")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "forbids reading them/it"),
        (429, "asks to wait"),
        (500, "fault of its own (HTTP 500)"),
        (503, "fault of its own (HTTP 503)"),
        (418, "refused a request for them/it (HTTP 418)"),
    ],
)
def test_what_the_hub_answers_is_told(
    hub_server: HubServer, hub: Hub, status: int, words: str
) -> None:
    hub_server.statuses = [status]
    assert words in refusal(hub).message


def test_a_hub_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    error = refusal(Hub("http://127.0.0.1:9", tmp_path))
    assert error.message.startswith("http://127.0.0.1:9 cannot be reached (")
    assert "docs/operations.md" in error.advice
    assert "cannot be reached" in refusal(Hub("http://hub.invalid", tmp_path)).message


def test_a_hub_that_is_silent_is_told(
    hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    hub_server.stall_after = 10
    error = refusal(hub)
    assert "does not answer in time" in error.message
    assert "HF_HUB_DOWNLOAD_TIMEOUT" in error.advice


def test_something_else_in_the_hub_s_place_is_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = httpx2.Response(
        200, text="<html>log in</html>", request=httpx2.Request("GET", "http://x")
    )
    monkeypatch.setattr(httpx2.Client, "get", lambda *_, **__: page)
    assert "does not answer as the hub does" in refusal(hub).message


def test_the_library_s_own_offline_switch_is_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "Unset HF_HUB_OFFLINE" in refusal(hub).advice


def test_a_proxy_that_refuses_is_told_without_its_address(hub: Hub) -> None:
    fault = explain(hub, SOURCE, httpx2.ProxyError("407 for http://me:pass@proxy"))
    assert fault is not None
    assert "the proxy" in fault.message
    assert "me:pass" not in str(fault)


def test_a_disk_that_becomes_full_is_told_and_what_came_stays(
    hub_server: HubServer, hub: Hub
) -> None:
    planned = plan(hub, MODEL)
    weights = next(file for file in planned.files if file.name.endswith(".safetensors"))
    blobs = hub.folder(SOURCE) / "blobs"
    part_of(blobs / weights.digest).symlink_to("/dev/full")
    error = refusal(hub)
    assert error.message == f"the disk of {hub.cache} is full."
    assert "what is downloaded stays" in error.advice
    assert {path.name for path in blobs.iterdir()} >= {
        file.digest for file in planned.files if file is not weights
    }


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_cache_that_cannot_be_written_names_the_variable_that_moves_it(
    hub: Hub, number: int
) -> None:
    fault = explain(hub, SOURCE, OSError(number, os.strerror(number)))
    assert fault is not None
    assert fault.message == f"the cache {hub.cache} cannot be written ({os.strerror(number)})."
    assert "HF_HOME" in fault.advice


def test_a_cache_that_is_no_folder_is_told(hub_server: HubServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refusal(Hub(hub_server.url, tmp_path / "file" / "hub"))
    assert "file/hub cannot be written (Not a directory)" in error.message


def test_a_fault_of_the_program_is_not_explained_away(hub: Hub) -> None:
    assert explain(hub, SOURCE, KeyError("x")) is None

"""Downloads from a hub on loopback: what is asked for, what is resumed, what is verified."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import huggingface_hub
import pytest

from hub_server import COMMIT, HubServer, digest_of
from img2imgd.hub.client import Hub
from img2imgd.hub.faults import HubFault
from img2imgd.hub.fetching import Plan, download, local_copy, plan, require_space
from img2imgd.hub.partial import part_of
from img2imgd.hub.source import HubSource, Wanted

MODEL = Wanted(HubSource("them/it"), "pipeline")
UNET = "unet/diffusion_pytorch_model.safetensors"
INDEX = b'{"unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DDIM"]}'


def content(size: int = 300_000, salt: int = 0) -> bytes:
    return bytes((number * number + salt) % 251 for number in range(size))


FILES = {
    "README.md": b"# It",
    "model_index.json": INDEX,
    "scheduler/scheduler_config.json": b"{}",
    "unet/config.json": b'{"_class_name": "UNet2DConditionModel"}',
    UNET: content(),
    "unet/diffusion_pytorch_model.bin": b"pickle",
}
NEEDED = {name for name in FILES if name != "README.md" and not name.endswith(".bin")}
BLOB = digest_of(UNET, FILES[UNET])


@pytest.fixture(autouse=True)
def repository(hub_server: HubServer) -> None:
    hub_server.add("them/it", dict(FILES))


def fetch(hub: Hub, wanted: Wanted = MODEL, pauses: tuple[float, ...] = ()) -> Path:
    counted: list[int] = []
    planned = plan(hub, wanted)
    folder = download(hub, planned, counted.append, pauses)
    assert sum(counted) == planned.to_come
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def blob(hub: Hub, digest: str = BLOB) -> Path:
    return hub.folder(MODEL.source) / "blobs" / digest


def begin(server: HubServer, hub: Hub, size: int) -> None:
    """Download until so many bytes of the UNet are here and the hub fails."""
    server.cuts = [size]
    with pytest.raises(HubFault, match="was cut"):
        fetch(hub)
    assert part_of(blob(hub)).stat().st_size == size
    server.requests.clear()


def test_what_is_needed_comes_whole_and_nothing_else(hub: Hub) -> None:
    folder = fetch(hub)
    assert files_in(folder) == {name: FILES[name] for name in NEEDED}
    assert folder == hub.folder(MODEL.source) / "snapshots" / COMMIT
    assert local_copy(hub, MODEL) == folder
    assert not list(hub.cache.rglob("*.incomplete"))


def test_the_hub_s_own_library_finds_it(hub: Hub) -> None:
    fetch(hub)
    path = huggingface_hub.hf_hub_download(
        "them/it", UNET, cache_dir=hub.cache, local_files_only=True
    )
    assert Path(path).read_bytes() == FILES[UNET]
    found = huggingface_hub.scan_cache_dir(hub.cache)
    assert [repo.repo_id for repo in found.repos] == ["them/it"]
    assert not found.warnings


def test_what_is_here_is_not_downloaded_again(hub_server: HubServer, hub: Hub) -> None:
    fetch(hub)
    hub_server.requests.clear()
    planned = plan(hub, MODEL)
    assert (planned.to_come, planned.missing) == (0, {})
    assert planned.size == sum(len(FILES[name]) for name in NEEDED)
    fetch(hub)
    assert not hub_server.downloads()


def test_a_cut_download_goes_on_where_it_stopped(hub_server: HubServer, hub: Hub) -> None:
    begin(hub_server, hub, 100_000)
    assert plan(hub, MODEL).missing.popitem()[1] == 200_000  # type: ignore[attr-defined]
    folder = fetch(hub)
    (request,) = hub_server.downloads()
    assert (request.begin, request.sent) == (100_000, 200_000)
    assert (folder / UNET).read_bytes() == FILES[UNET]


def test_cut_connections_are_taken_up_again_while_bytes_come(
    hub_server: HubServer, hub: Hub
) -> None:
    hub_server.cuts = [50_000] * 4
    folder = fetch(hub, pauses=(0.0,))
    assert [request.begin for request in hub_server.downloads()] == [
        0, 50_000, 100_000, 150_000, 200_000
    ]  # fmt: skip
    assert (folder / UNET).read_bytes() == FILES[UNET]


def test_a_hub_that_is_down_for_a_moment_is_asked_again(hub_server: HubServer, hub: Hub) -> None:
    planned = plan(hub, MODEL)
    hub_server.statuses = [503, 429, 500]
    download(hub, planned, lambda _: None, (0.0, 0.0, 0.0))
    assert local_copy(hub, MODEL)


def test_a_hub_that_stays_down_is_given_up_and_what_came_stays(
    hub_server: HubServer, hub: Hub
) -> None:
    begin(hub_server, hub, 100_000)
    planned = plan(hub, MODEL)
    hub_server.statuses = [503, 503]
    with pytest.raises(HubFault, match="HTTP 503") as caught:
        download(hub, planned, lambda _: None, (0.0,))
    assert "what is downloaded stays" in caught.value.advice
    assert part_of(blob(hub)).stat().st_size == 100_000


def test_an_answer_that_ends_early_as_if_it_were_whole_is_not_asked_for_for_ever(
    hub_server: HubServer, hub: Hub
) -> None:
    planned = plan(hub, MODEL)
    repository = hub_server.repositories["them/it"]
    repository.files["unet/config.json"] = b"{"
    with pytest.raises(HubFault, match=r"unet/config\.json ended early"):
        download(hub, planned, lambda _: None, (0.0, 0.0))
    asked = [r for r in hub_server.requests if r.path.endswith("unet/config.json")]
    assert 2 <= len(asked) <= 5


def test_a_listing_cannot_lead_out_of_the_cache(hub_server: HubServer, hub: Hub) -> None:
    hub_server.add("them/evil", {"ink.safetensors": b"ink", "../../evil.safetensors": b"evil"})
    path = fetch(hub, Wanted(HubSource("them/evil"), "lora"))
    assert path.name == "ink.safetensors"
    assert not list(hub.cache.parent.rglob("evil.safetensors"))


def test_a_server_that_knows_no_ranges_sends_all_again(hub_server: HubServer, hub: Hub) -> None:
    begin(hub_server, hub, 100_000)
    hub_server.ranges = False
    planned = plan(hub, MODEL)
    counted: list[int] = []
    folder = download(hub, planned, counted.append, ())
    assert sum(counted) == planned.to_come
    assert (folder / UNET).read_bytes() == FILES[UNET]


def test_a_part_that_is_not_of_this_file_is_found_out_and_thrown_away(hub: Hub) -> None:
    blob(hub).parent.mkdir(parents=True)
    part_of(blob(hub)).write_bytes(b"x" * 1_000)
    with pytest.raises(HubFault, match=f"{UNET} came damaged"):
        fetch(hub)
    assert not part_of(blob(hub)).exists()
    assert (fetch(hub) / UNET).read_bytes() == FILES[UNET]


def test_a_part_longer_than_the_file_begins_anew(hub: Hub) -> None:
    blob(hub).parent.mkdir(parents=True)
    part_of(blob(hub)).write_bytes(b"x" * 400_000)
    assert (fetch(hub) / UNET).read_bytes() == FILES[UNET]


def test_a_file_here_of_the_wrong_size_comes_again(hub_server: HubServer, hub: Hub) -> None:
    folder = fetch(hub)
    for name in (UNET, "unet/config.json"):
        (folder / name).resolve().write_bytes(b"cut")
    with pytest.raises(HubFault, match=f"in part: unet/config.json, {UNET} missing"):
        local_copy(hub, MODEL)
    hub_server.requests.clear()
    assert files_in(fetch(hub)) == {name: FILES[name] for name in NEEDED}
    assert len(hub_server.downloads()) == 1


def test_another_process_s_download_is_left_alone(hub: Hub) -> None:
    blob(hub).parent.mkdir(parents=True)
    with part_of(blob(hub)).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(HubFault, match="another process is downloading"):
            fetch(hub)
    assert fetch(hub)


def test_two_models_of_one_repository_share_its_files(hub_server: HubServer, hub: Hub) -> None:
    hub_server.repositories["them/it"].files["unet/diffusion_pytorch_model.fp16.safetensors"] = (
        content(10_000, 1)
    )
    half = Wanted(HubSource("them/it"), "pipeline", "fp16")
    both = [plan(hub, MODEL), plan(hub, half), plan(hub, MODEL)]
    distinct = sum(len(FILES[name]) for name in NEEDED) - len(INDEX) + 10_000
    with pytest.raises(HubFault) as caught:
        require_space(hub, both, 1e15)
    assert f"{distinct // 1000} kB are to be downloaded" in caught.value.message
    for planned in both:
        counted: list[int] = []
        download(hub, planned, counted.append, ())
        assert sum(counted) == planned.to_come
    assert len(hub_server.downloads()) == 2


def test_a_new_state_of_the_branch_brings_what_changed(hub_server: HubServer, hub: Hub) -> None:
    old = fetch(hub)
    newer = FILES | {"scheduler/scheduler_config.json": b'{"new": true}'}
    hub_server.add("them/it", newer, commit="f" * 40)
    assert local_copy(hub, MODEL) == old
    hub_server.requests.clear()
    new = fetch(hub)
    assert new.name == "f" * 40
    assert files_in(new) == {name: newer[name] for name in NEEDED}
    assert not hub_server.downloads(), "the weights are the same"
    assert local_copy(hub, MODEL) == new


def test_a_named_revision_is_kept_apart(hub_server: HubServer, hub: Hub) -> None:
    hub_server.repositories["them/it"].tags = ("v1",)
    wanted = Wanted(HubSource("them/it", "v1"), "pipeline")
    folder = fetch(hub, wanted)
    assert local_copy(hub, wanted) == folder
    with pytest.raises(HubFault, match="not on this machine"):
        local_copy(hub, MODEL)


def test_a_file_of_a_repository_is_found_by_its_path(hub_server: HubServer, hub: Hub) -> None:
    hub_server.add("them/loras", {"a.safetensors": b"a" * 100, "b.safetensors": b"b" * 100})
    wanted = Wanted(HubSource("them/loras", path="b.safetensors"), "lora")
    path = fetch(hub, wanted)
    assert (path.name, path.read_bytes()) == ("b.safetensors", b"b" * 100)
    assert local_copy(hub, wanted) == path


def test_a_lora_is_given_as_its_file_and_a_part_as_its_folder(
    hub_server: HubServer, hub: Hub
) -> None:
    hub_server.add("them/ink", {"README.md": b"", "ink.safetensors": b"a" * 100})
    lora = Wanted(HubSource("them/ink"), "lora")
    assert fetch(hub, lora).name == "ink.safetensors"
    assert local_copy(hub, lora).name == "ink.safetensors"
    part = Wanted(HubSource("them/it", path="unet"), "part")
    assert set(files_in(fetch(hub, part))) == {"config.json", Path(UNET).name}


def test_a_cache_of_another_program_is_taken_as_it_is(hub: Hub) -> None:
    for name in NEEDED:
        huggingface_hub.hf_hub_download("them/it", name, cache_dir=hub.cache, endpoint=hub.endpoint)
    assert not list(hub.cache.rglob("trees"))
    assert set(files_in(local_copy(hub, MODEL))) == NEEDED


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        (UNET, "them/it/unet has no weights"),
        ("scheduler/scheduler_config.json", "them/it lacks scheduler"),
        ("model_index.json", "them/it has no model_index.json"),
    ],
)
def test_what_another_program_left_out_is_found(hub: Hub, absent: str, named: str) -> None:
    for name in NEEDED - {absent}:
        huggingface_hub.hf_hub_download("them/it", name, cache_dir=hub.cache, endpoint=hub.endpoint)
    with pytest.raises(HubFault, match=named):
        local_copy(hub, MODEL)


def test_too_little_space_is_told_in_numbers_before_anything_comes(
    hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(hub, MODEL)
    hub_server.requests.clear()
    monkeypatch.setattr("img2imgd.hub.fetching.free_bytes", lambda _: 1_000_200_000)
    assert require_space(hub, [planned], 1e9 - 200_000) == 1_000_200_000
    with pytest.raises(HubFault) as caught:
        require_space(hub, [planned], 1e9)
    assert caught.value.message == (
        f"300 kB are to be downloaded to {hub.cache}, where 1.0 GB are free, and 1.0 GB are to "
        "stay free."
    )
    assert "HF_HOME" in caught.value.advice
    assert not hub_server.requests


def test_a_whole_model_needs_no_space(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(hub)
    monkeypatch.setattr("img2imgd.hub.fetching.free_bytes", lambda _: 5)
    planned: Plan = plan(hub, MODEL)
    assert require_space(hub, [planned], 1e9) == 5


def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub_server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub_server.token)
    hub_server.repositories["them/it"].private = True
    fetch(hub)
    assert hub_server.downloads()
    assert not any(request.authorized for request in hub_server.downloads())
    others = [r for r in hub_server.requests if not r.path.startswith("/content/")]
    assert all(request.authorized for request in others)
    assert os.environ["HF_TOKEN"] == hub_server.token

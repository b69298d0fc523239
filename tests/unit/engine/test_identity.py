"""Hashes of weights: what other programs call them, and a cache that cannot lie for long."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from img2imgd.engine.identity import CACHE_NAME, WeightHashes, variant_of, weight_files


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "ink.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def test_a_file_has_the_hash_that_every_tool_gives_it(file: Path, state: Path) -> None:
    assert WeightHashes(state).of_file(file) == sha256(b"weights")
    assert WeightHashes(None).of_model(str(file), None) == sha256(b"weights")


def test_what_was_hashed_once_is_not_read_again(file: Path, state: Path) -> None:
    WeightHashes(state).of_file(file)
    cache = json.loads((state / CACHE_NAME).read_bytes())
    cache[str(file)][3] = "a" * 64
    (state / CACHE_NAME).write_text(json.dumps(cache))
    assert WeightHashes(state).of_file(file) == "a" * 64


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_file_that_changed_is_read_again(file: Path, state: Path, change: str) -> None:
    WeightHashes(state).of_file(file)
    before = file.stat()
    if change == "size":
        file.write_bytes(b"more weights")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "time":
        file.write_bytes(b"WEIGHTS")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    else:
        other = file.with_name("other")
        other.write_bytes(b"WEIGHTS")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(file)
    assert WeightHashes(state).of_file(file) == sha256(file.read_bytes()) != sha256(b"weights")


@pytest.mark.parametrize(
    "damage", ["", "[", "[]", '{"x": 1}', '{"FILE": [1, 2, 3, "short"]}', '{"FILE": null}', "\0"]
)
def test_a_damaged_cache_is_made_anew(file: Path, state: Path, damage: str) -> None:
    cache = state / CACHE_NAME
    cache.write_text(damage.replace("FILE", str(file)))
    assert WeightHashes(state).of_file(file) == sha256(b"weights")
    assert list(json.loads(cache.read_bytes())) == [str(file)]


def test_files_that_are_gone_leave_the_cache(file: Path, state: Path) -> None:
    WeightHashes(state).of_file(file)
    other = file.with_name("oil.safetensors")
    file.rename(other)
    WeightHashes(state).of_file(other)
    assert list(json.loads((state / CACHE_NAME).read_bytes())) == [str(other)]


def test_a_cache_that_cannot_be_written_does_no_harm(file: Path, tmp_path: Path) -> None:
    assert WeightHashes(tmp_path / "absent").of_file(file) == sha256(b"weights")


def test_the_hubs_cache_names_large_files_by_their_hash(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / ("c" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"seven gigabytes")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert WeightHashes(None).of_file(link) == "c" * 64


def make_folder(folder: Path) -> Path:
    (folder / "model_index.json").parent.mkdir(parents=True)
    index = {
        "_class_name": "P",
        "unet": ["diffusers", "U"],
        "text_encoder": ["transformers", "T"],
        "safety_checker": ["x", "S"],
        "vae": ["diffusers", "V"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    for name in (
        "unet/m-00001-of-00002.safetensors", "unet/m-00002-of-00002.safetensors",
        "unet/m.fp16.safetensors", "unet/m.non_ema.safetensors", "unet/m.bin",
        "text_encoder/model.safetensors", "vae/v.bin", "vae_old/v.safetensors",
        "safety_checker/model.safetensors",
    ):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (None, ["text_encoder/model.safetensors", "unet/m-00001-of-00002.safetensors",
                "unet/m-00002-of-00002.safetensors", "vae/v.bin"]),
        ("fp16", ["text_encoder/model.safetensors", "unet/m.fp16.safetensors", "vae/v.bin"]),
    ],
)  # fmt: skip
def test_a_folders_files_are_those_that_diffusers_loads(
    tmp_path: Path, variant: str | None, expected: list[str]
) -> None:
    folder = make_folder(tmp_path / "model")
    names = [path.relative_to(folder).as_posix() for path in weight_files(folder, variant)]
    assert names == expected


def test_a_folders_hash_is_over_its_files_names_and_hashes_wherever_it_lies(
    tmp_path: Path,
) -> None:
    folder = make_folder(tmp_path / "one")
    lines = sorted(
        f"{path.relative_to(folder)} {sha256(path.read_bytes())}\n"
        for path in weight_files(folder, None)
    )
    hashes = WeightHashes(None)
    expected = sha256("".join(lines).encode())
    assert hashes.of_model(str(folder), None) == expected
    assert hashes.of_model(str(make_folder(tmp_path / "two")), None) == expected
    (folder / "vae" / "v.bin").write_bytes(b"changed")
    assert hashes.of_model(str(folder), None) != expected


def test_an_autoencoder_that_is_not_loaded_is_no_part_of_the_hash(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "whole")
    without = WeightHashes(None).of_model(str(folder), None, without={"vae"})
    assert without != WeightHashes(None).of_model(str(folder), None)
    (folder / "vae" / "v.bin").unlink()  # as the hub's copy has it, where another replaces it
    assert WeightHashes(None).of_model(str(folder), None) == without


@pytest.mark.parametrize(
    ("part", "variant", "found"),
    [("unet", "fp16", "fp16"), ("unet", None, None), ("vae", "fp16", None)],
)
def test_a_part_is_of_a_variant_where_it_has_it(
    tmp_path: Path, part: str, variant: str | None, found: str | None
) -> None:
    assert variant_of(make_folder(tmp_path / "model") / part, variant) == found

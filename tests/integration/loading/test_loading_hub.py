"""Sources on the Hugging Face hub, read from a cache that is laid out as the hub's own client does.

The cache's place is read once, when the libraries are imported: so a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from forms import Forms

COMMIT = "0123456789abcdef0123456789abcdef01234567"

PROGRAM = """
import dataclasses, json, sys
from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import LoraSpec, EmbeddingSpec, ModelSpec, ModelUnavailable
engine = create_engine("diffusers", offline=True)
file, *_ = sys.argv[1:]
hub = ModelSpec("mine", "ada/sd1", device="cpu", offline=True)
for model in (
    hub,
    dataclasses.replace(hub, revision="old"),
    dataclasses.replace(hub, vae="ada/vae", embeddings=(EmbeddingSpec("ada/word", "inky"),)),
    dataclasses.replace(hub, source=file, config="ada/sd1"),
    dataclasses.replace(hub, loras=(LoraSpec("ada/many"),)),
):
    try:
        print(json.dumps(dataclasses.asdict(engine.load(model))))
    except ModelUnavailable as error:
        print(json.dumps(error.message))
"""


def keep(cache: Path, name: str, folder: Path, ref: str = "main") -> None:
    """A repository in the hub's cache: large files lie among the blobs, named by their hash."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    if not snapshot.exists():
        shutil.copytree(folder, snapshot)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / ref).write_text(COMMIT)
    (repository / "blobs").mkdir(exist_ok=True)
    for file in snapshot.rglob("*.safetensors"):
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        if not file.is_symlink():
            file.rename(blob)
            file.symlink_to(blob)


def test_models_and_their_parts_are_loaded_from_the_hubs_cache(
    forms: Mapping[str, Forms], tmp_path: Path
) -> None:
    from safetensors.torch import save_file
    from torch import ones

    cache, sd1 = tmp_path / "cache", forms["sd1"]
    keep(cache, "ada/sd1", sd1.folder)
    keep(cache, "ada/sd1", sd1.folder, ref="old")
    keep(cache, "ada/vae", sd1.folder / "vae")
    for name, files in {"word": ["inky"], "many": ["ink", "oil"]}.items():
        (tmp_path / name).mkdir()
        for file in files:
            save_file({"emb_params": ones(1, 16)}, tmp_path / name / f"{file}.safetensors")
        keep(cache, f"ada/{name}", tmp_path / name)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(sd1.file)],
        env={**os.environ, "HF_HUB_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    plain, old, parts, single, many = map(json.loads, ran.stdout.splitlines())
    from img2imgd.engine.identity import WeightHashes

    hashes = WeightHashes(None)
    assert plain["weights"] == old["weights"] == hashes.of_model(str(sd1.folder), None)
    assert (plain["source"], plain["family"]) == ("ada/sd1", "sd1")
    assert parts["vae"] == hashes.of_part(str(sd1.folder / "vae"), None)
    assert parts["weights"] == hashes.of_model(str(sd1.folder), None, without={"vae"})
    assert parts["embeddings"] == [["inky", hashes.of_file(tmp_path / "word" / "inky.safetensors")]]
    assert single["weights"] == hashes.of_file(sd1.file)
    assert "ada/many has several files of weights" in many

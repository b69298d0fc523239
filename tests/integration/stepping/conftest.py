"""Tiny models with a UNet, each loaded once by the engine and once by diffusers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from engines import spec
from PIL import Image
from plainly import Plain
from tiny_families import save_family

from img2imgd.engine.diffusers_engine import DiffusersEngine


@dataclass(frozen=True)
class Model:
    """One model, loaded both ways."""

    family: str
    folder: Path
    engine: DiffusersEngine
    plain: Plain


def let_all_share(engine: DiffusersEngine) -> None:
    """Have frames share their calls from the first: how many pay is not found out here."""
    capping = engine._painter._capping
    capping.most_rows = capping.brisk_rows = lambda _: 1000


FAMILIES = ("sd1", "sd2", "sdxl")


def loaded_both_ways(family: str, folder: Path) -> Model:
    save_family(family, folder)
    engine = DiffusersEngine()
    engine.load(spec(folder))
    let_all_share(engine)
    return Model(family, folder, engine, Plain(folder))


@pytest.fixture(scope="session", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return loaded_both_ways(request.param, tmp_path_factory.mktemp("model") / request.param)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "in.png"
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(path)
    return path


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "wide.png"
    Image.linear_gradient("L").resize((48, 16)).convert("RGB").save(path)
    return path

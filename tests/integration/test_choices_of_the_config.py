"""The config takes the names that the engine knows, and no others."""

from __future__ import annotations

from img2imgd.config import json_schema
from img2imgd.engine import devices


def test_every_number_format_of_the_config_is_one_the_engine_knows() -> None:
    dtype = json_schema()["$defs"]["EngineConfig"]["properties"]["dtype"]
    assert {*dtype["enum"]} == {"auto", *devices.DTYPES}

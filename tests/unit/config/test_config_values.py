"""Durations, addresses and the template of output names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from img2imgd.config import NAME_FIELDS, OutputsConfig, RetentionConfig, StatusConfig, json_schema
from img2imgd.document import Document, Settings, read_yaml, validate
from img2imgd.errors import DocumentError


def read(model: type[Settings], text: str) -> Any:
    return validate(read_yaml("config.yaml", text.encode()), model)


def given(model: type[Settings], **keys: str) -> Any:
    return validate(Document("config.yaml", {**keys}), model)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90d", 7_776_000),
        ("12h", 43_200),
        ("30m", 1_800),
        ("10s", 10),
        ("2w", 1_209_600),
        ("1.5h", 5_400),
        ("3 d", 259_200),
        ("2H", 7_200),
        ("0", 0),
        ("0.5", 0.5),
        ("600", 600),
        ("null", None),
    ],
)
def test_durations_are_seconds_or_carry_a_unit(text: str, seconds: float | None) -> None:
    assert read(RetentionConfig, f"done: {text}").done == seconds


@pytest.mark.parametrize("text", ["-1", "-3d", "3y", "d", "1d2h", "'600'", "true", "[1]", "1:30"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        read(RetentionConfig, f"done: {text}")


@pytest.mark.parametrize(
    "template",
    [
        "{stem}_{prompt:.40}_{index:02}_{seed}",
        "{index}",
        "{job}-{index:04d}-{strength:.2f}-{style}-{guidance_scale:g}-{steps}",
        "a {{literal}} {index}",
    ],
)
def test_templates_with_known_fields_are_taken(template: str) -> None:
    assert given(OutputsConfig, name=template).name == template
    sample = dict.fromkeys(NAME_FIELDS, "x")
    sample |= {"index": 1, "seed": 2, "steps": 3, "strength": 0.5, "guidance_scale": 9.0}  # pyright: ignore[reportAssignmentType]
    assert template.format(**sample)


@pytest.mark.parametrize(
    "template",
    [
        "{stem}",
        "{index}{",
        "{index}}",
        "{index}{}",
        "{index}{foo}",
        "{index}{stem.__class__}",
        "{index}{stem[0]}",
        "{index!r}",
        "{index:{seed}}",
        "{index:.2q}",
        "{index}{stem:d}",
        "{index:099999}",
        "{index}/{stem}",
        "../{index}",
        "{index}\\x",
        "{index}" + "x" * 200,
    ],
)
def test_templates_that_could_not_be_filled_or_reach_further_are_refused(template: str) -> None:
    with pytest.raises(DocumentError, match="name"):
        given(OutputsConfig, name=template)


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:8765", "[::1]:80", "0.0.0.0:1", "host.local:65535", "unix:/run/a.sock"]
)
def test_addresses_to_listen_on_are_taken(listen: str) -> None:
    assert given(StatusConfig, listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["8765", "host", "host:0", "host:65536", "unix:rel", ":80", ""])
def test_other_addresses_are_refused(listen: str) -> None:
    with pytest.raises(DocumentError, match="listen"):
        given(StatusConfig, listen=listen)


def test_the_json_schema_describes_the_sections_for_editors() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert {"root", "inboxes", "models", "engine", "offline"} <= set(schema["properties"])
    done = json.dumps(schema["$defs"]["RetentionConfig"]["properties"]["done"])
    assert all(f'"{kind}"' in done for kind in ("number", "string", "null"))

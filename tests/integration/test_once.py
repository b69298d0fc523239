"""``once`` says what kept it from the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from img2imgd.app import serve_once
from img2imgd.app.loops import InboxLoop
from img2imgd.config import Config
from img2imgd.errors import Exit


def test_a_file_that_is_written_all_the_time_is_named(make_config: Callable[..., Config]) -> None:
    config = make_config(settle=0.05, rescan=0.1)
    picture = config.inboxes[0].path / "cat.png"
    Image.new("RGB", (32, 32)).save(picture)
    picture.with_suffix(".yaml").write_text("prompt: a lake\n")
    with picture.open("ab"):
        outcome = serve_once(config, 0.5, lambda *_: None)
    assert outcome.exit_code is Exit.ENVIRONMENT
    assert outcome.blocked.startswith("cat.png ")
    assert picture.exists()


def test_where_nothing_is_known_the_log_is_named(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        InboxLoop, "drained", property(lambda _: False, lambda *_: None), raising=False
    )
    outcome = serve_once(make_config(), 0.3, lambda *_: None)
    assert outcome.blocked == "Nothing went on for 0.3 s; the log says why."

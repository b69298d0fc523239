"""The daemon as a whole, in this process: a part that ends takes the daemon with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from img2imgd.app import Daemon
from img2imgd.app.loops import DispatchLoop, InboxLoop
from img2imgd.config import Config
from img2imgd.errors import Exit, Img2imgdError


@pytest.mark.parametrize("part", [InboxLoop, DispatchLoop])
def test_a_part_that_ends_unasked_ends_the_daemon_with_an_error(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, part: type
) -> None:
    monkeypatch.setattr(part, "run", lambda _: None)
    with pytest.raises(Img2imgdError, match="A part of img2imgd has ended") as raised:
        Daemon(make_config()).serve(seconds=0.05)
    assert raised.value.exit_code is Exit.INTERNAL

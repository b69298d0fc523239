"""Threads read jobs from the ledger at once: msgspec crashes where two meet a type first."""

from __future__ import annotations

import subprocess
import sys

from img2imgd.request import RequestKeys, resolve

WATCHED = """
import sys
from img2imgd.request import Request
called = set()
sys.setprofile(lambda frame, event, _: called.add(frame.f_code.co_name))
Request.from_json(sys.argv[1])
sys.setprofile(None)
assert "from_json" in called
sys.exit("get_class_annotations" in called)
"""


def test_a_request_is_read_without_looking_at_its_type_for_the_first_time() -> None:
    request = resolve(
        [RequestKeys(prompt="a lake")],
        default_model="demo", models={"demo"}, draw_seed=lambda: 1, max_frames=9, name="a",
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", WATCHED, request.to_json()], check=True)

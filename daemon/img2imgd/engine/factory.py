"""Makes an engine by name, importing torch only for the backend that needs it."""

from __future__ import annotations

import os

from img2imgd.engine.fake import TROUBLES, FakeEngine
from img2imgd.engine.protocol import Engine
from img2imgd.errors import UsageError

BACKENDS = ("diffusers", "fake")
SPINS = "5000"
"""How often a thread looks for the others of its operation before it sleeps."""


def create_engine(backend: str, *, offline: bool = False) -> Engine:
    """Make the engine ``backend``; called in the worker process only, at its first model.

    ``offline`` keeps the Hugging Face libraries from the network altogether. The fake engine takes
    its seconds per step from ``IMG2IMGD_FAKE_STEP_SECONDS``, and the texts that make prompts and
    models bad for it from ``IMG2IMGD_FAKE_POISON``, ``_HANG``, ``_LOSS`` and ``_OOM``.

    Raises:
        UsageError: there is no such backend.
    """
    if backend == "fake":
        return FakeEngine(
            float(os.environ.get("IMG2IMGD_FAKE_STEP_SECONDS", "0")),
            **{name: os.environ.get(f"IMG2IMGD_FAKE_{name.upper()}", "") for name in TROUBLES},
        )
    if backend == "diffusers":
        _set_up_libraries(offline=offline)
        from img2imgd.engine.diffusers_engine import DiffusersEngine

        return DiffusersEngine()
    raise UsageError(f"There is no engine {backend!r}.", f"It is one of: {', '.join(BACKENDS)}.")


def _set_up_libraries(*, offline: bool) -> None:
    """Settings that the libraries read once, from the environment, when they are imported."""
    # As fast as with libgomp's own 300,000 alone on the machine, and faster beside programs that
    # keep all cores busy (bench/spinning.py).
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"

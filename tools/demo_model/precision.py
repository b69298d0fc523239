"""How exactly the trainings count."""

from __future__ import annotations

from pathlib import Path

import torch

_CORES = Path("/proc/cpuinfo")
_MATRIX_UNITS = _CORES.exists() and "amx_bf16" in _CORES.read_text()
FAST_TYPE = torch.bfloat16 if _MATRIX_UNITS else torch.float32


def fast() -> torch.autocast:
    """Convolutions and products in bfloat16 where the processor has matrix units for it (AMX).

    Weights, their gradients and all averages stay float32.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=_MATRIX_UNITS)

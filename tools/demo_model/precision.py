"""How exactly the trainings count."""

from __future__ import annotations

from pathlib import Path

import torch

_CORES = Path("/proc/cpuinfo")
_UNITS = _CORES.read_text().split() if _CORES.exists() else []
_SHORT = "amx_bf16" in _UNITS or "avx512_bf16" in _UNITS
FAST_TYPE = torch.bfloat16 if _SHORT else torch.float32


def fast() -> torch.autocast:
    """Convolutions and products in bfloat16 where the processor has units for it.

    Those are AMX's matrix units or AVX-512's BF16 products. Weights, their gradients and all
    averages stay float32.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=_SHORT)

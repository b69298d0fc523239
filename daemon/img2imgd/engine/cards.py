"""NVIDIA cards that the kernel's driver has, whether or not torch may use them."""

from __future__ import annotations

from pathlib import Path

CARDS = Path("/proc/driver/nvidia/gpus")


def there_is_a_card() -> bool:
    """Also true where a sandbox hides the card's devices: the driver tells of them in /proc."""
    return CARDS.is_dir()

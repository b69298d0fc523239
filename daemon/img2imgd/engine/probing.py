"""Says which device and number format would be used, as JSON, when it is run as a module.

A process of its own, so that who asks imports no torch and a driver that hangs can be left.
"""

from __future__ import annotations

import json
import sys


def probe(device: str, dtype: str) -> dict[str, object]:
    """What torch finds for the config's ``engine.device`` and ``dtype``; ``fault`` if it cannot."""
    import torch

    from img2imgd.engine.devices import choose_device, choose_dtype, first_line
    from img2imgd.engine.protocol import ModelSpec, ModelUnavailable

    spec = ModelSpec("demo", source="", device=device, dtype=dtype)
    found: dict[str, object] = {"torch": str(torch.__version__), "cuda": torch.version.cuda or ""}
    try:
        chosen = choose_device(spec)
        found["device"] = str(chosen)
        found["dtype"] = str(choose_dtype(spec, chosen.value, transformer=False))
        if chosen.value.type == "cuda":
            free, total = torch.cuda.mem_get_info(chosen.value)
            found |= {
                "name": torch.cuda.get_device_name(chosen.value),
                "free": free,
                "total": total,
            }
            torch.zeros(64, device=chosen.value).sum().item()  # that a kernel runs
    except ModelUnavailable as fault:
        found |= {"fault": fault.message.removeprefix("Model demo: "), "mend": fault.advice}
    except RuntimeError as error:
        found["fault"] = f"the device does not compute: {first_line(error)}."
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe(*sys.argv[1:3])))

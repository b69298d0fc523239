"""Generation parameters as AUTOMATIC1111's web UI writes them, for other programs to read.

The prompt, a line ``Negative prompt: …``, and a last line that begins with ``Steps: ``. Readers of
it: CivitAI, SD.Next, sd-parsers, ComfyUI, Krita's plugin. What traps them: CivitAI looks for a line
that *starts* with ``Steps: ``, others for a newline before it, so a text without any prompt begins
with one; a value with a comma, colon or newline must be quoted as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_NEEDS_QUOTES = re.compile(r'[,:\n"]')


def infotext(prompt: str, negative_prompt: str, parameters: Mapping[str, object]) -> str:
    """The text; ``parameters`` in the order to write, those that are None or empty left out.

    Numbers are written as people do: 9, not 9.0.
    """
    pairs = [
        f"{name}: {_written(value)}"
        for name, value in parameters.items()
        if value not in (None, "")
    ]
    negative = f"\nNegative prompt: {negative_prompt}" if negative_prompt else ""
    return f"{prompt}{negative}\n{', '.join(pairs)}"


def _written(value: object) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text

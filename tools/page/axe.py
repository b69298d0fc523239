"""axe-core, which looks for barriers to screen readers, keyboards and weak eyes.

It is used by tests alone and comes from the npm registry, this version and no other: it is MPL-2.0,
not part of the package. ``python -m tools.page.axe`` fetches it into the environment.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
import urllib.request
from pathlib import Path

VERSION = "4.14.1"
_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_REGISTRY = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
_SCRIPT = "package/axe.min.js"
PLACE = Path(sys.prefix) / "share" / f"axe-core-{VERSION}.min.js"


def fetch() -> Path:
    """Fetch it unless it is here; the path of the script.

    Raises:
        OSError: the registry cannot be reached.
        ValueError: what came is not the file of this version.
    """
    if PLACE.is_file():
        return PLACE
    url = f"{_REGISTRY}/axe-core/-/axe-core-{VERSION}.tgz"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - checked by its hash
        packed = answer.read()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != _SHA512:
        raise ValueError(f"{url} is not the axe-core that the tests were written with")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        script = archive.extractfile(_SCRIPT)
        assert script is not None
        PLACE.parent.mkdir(parents=True, exist_ok=True)
        PLACE.write_bytes(script.read())
    return PLACE


if __name__ == "__main__":
    print(fetch())

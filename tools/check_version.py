"""Check that every place that names the version says the same: package, changelog, unit."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Print what differs; the exit code says whether anything does."""
    package = (ROOT / "daemon/img2imgd/__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', package)
    released = re.search(
        r"^## \[?(\d[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    if version is None or released is None or version[1] != released[1]:
        print(f"package says {version and version[1]}, CHANGELOG.md {released and released[1]}")
        return 1
    print(f"version {version[1]} everywhere")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m img2imgd`` and the ``img2imgd`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from img2imgd.cli import run  # late: a spawned worker imports this module too

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""What a module that reads one format says of a file that it cannot use."""

from __future__ import annotations

import sys


class Unusable(Exception):
    """A file's fault in words that go on from its name: "is protected with a password"."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.advice = advice


def lacks(kind: str, package: str, otherwise: str) -> Unusable:
    """Said of a file whose kind needs a package that is not installed."""
    return Unusable(
        f"is {kind}, which is read only where {package} is installed",
        f"Install it with {sys.executable} -m pip install {package}, and put the file into the "
        f"inbox again; or {otherwise}",
    )

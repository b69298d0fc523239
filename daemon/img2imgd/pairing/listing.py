"""The ``images`` of a sidecar, as they are compared with a folder's pictures at every look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from img2imgd.pairing.kinds import fold
from img2imgd.request import is_pattern


@dataclass(frozen=True)
class Listing:
    """The names of a list, each with its folded spelling, and all its globs as one pattern."""

    names: Sequence[tuple[str, str]]
    globs: re.Pattern[str] | None

    def matches(self, folded: str) -> bool:
        """True when a glob matches the folded name of a picture."""
        return self.globs is not None and self.globs.match(folded) is not None


@lru_cache(maxsize=256)  # lists wait for their pictures, and a folder is looked at again and again
def listing(images: tuple[str, ...]) -> Listing:
    """A list made ready."""
    globs = [translate(fold(item)) for item in images if is_pattern(item)]
    return Listing(
        [(item, fold(item)) for item in images if not is_pattern(item)],
        re.compile("|".join(globs)) if globs else None,
    )

"""Where every dropped file is afterwards: each in one place, whole; each failure explained."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from PIL import Image
from served_root import ServedRoot, visible_files

from files import decode, fingerprints
from img2imgd.errors import shown

# What a person who opens a reason file should never have to read.
_FOR_PROGRAMMERS = re.compile(
    r"Traceback|File \"|\b[A-Z][A-Za-z]*(Error|Exception|Fault)\b|\bNone\b(?! of)|[eE]rrno|"
    r"img2imgd\."
)
_NUMBERED = re.compile(r"~\d+(?=(\.[^.]*)?$)")


def account(
    root: ServedRoot, dropped: Mapping[bytes, bytes], stays: Collection[bytes] = ()
) -> dict[bytes, str]:
    """Where each dropped file is: ``done``, ``failed`` or ``inbox``.

    Fails when one is lost, doubled or changed, when one that does not belong lies there (but for
    reasons), or when one outside ``stays`` is still in the inbox.
    """
    left = dict(dropped)
    places: dict[bytes, str] = {}
    strangers: list[tuple[str, bytes]] = []
    for place in ("done", "failed", "inbox"):
        for rel, content in fingerprints(root.path / place).items():
            name = _original_name(rel, content, left)
            if name is not None:
                del left[name]
                places[name] = place
            elif not rel.endswith(b".reason.txt"):
                strangers.append((place, rel))
    assert not left, f"lost or changed: {sorted(left)}; strangers: {strangers}"
    assert not strangers, f"doubled or changed: {strangers}"
    assert {name for name, place in places.items() if place == "inbox"} == set(stays)
    return places


def _original_name(rel: bytes, content: bytes, left: Mapping[bytes, bytes]) -> bytes | None:
    """The dropped path that this is, as it was or numbered because its name was taken."""
    plain = os.fsencode(_NUMBERED.sub("", os.fsdecode(rel)))
    return next((name for name in (rel, plain) if left.get(name) == content), None)


def reasons(root: ServedRoot) -> dict[str, str]:
    """Every reason file: path below ``failed`` without the ending → text."""
    return {
        str(path.relative_to(root.failed)).removesuffix(".reason.txt"): path.read_text()
        for path in visible_files(root.failed)
        if path.name.endswith(".reason.txt")
    }


def assert_explained(root: ServedRoot) -> None:
    """Every file in failed has a reason (a sidecar: its picture's), in words for a person."""
    said = reasons(root)
    stems = {Path(name).with_suffix("") for name in said}
    for path in visible_files(root.failed):
        rel = path.relative_to(root.failed)
        if not rel.name.endswith(".reason.txt"):
            assert str(rel) in said or rel.with_suffix("") in stems, f"no reason for {rel}"
    for name, text in said.items():
        first, _, rest = text.partition("\n\n")
        assert re.search("was not served|was served in part|cannot be used", first), text
        assert shown(Path(name).name) in first.replace("\n", " "), text
        assert not _FOR_PROGRAMMERS.search(rest), text
        assert str(root.path / "state") not in text, text
        assert max(map(len, text.splitlines())) <= 110, text


def assert_nothing_left_over(root: ServedRoot) -> None:
    """Spool and staging hold nothing but their locks and the ledger's mark."""
    assert {path.name for path in (root.inbox / ".img2imgd").iterdir()} == {"lock", "ledger"}
    assert {path.name for path in (root.outbox / ".img2imgd").iterdir()} == {"lock"}


def assert_outputs_whole(root: ServedRoot) -> None:
    """Every picture in the outbox decodes to its last row, every frame of a GIF."""
    for path in root.outputs():
        with Image.open(path) as image:
            decode(image)


def gif_duration(path: Path) -> int:
    """The sum of a GIF's frame durations in milliseconds."""
    with Image.open(path) as image:
        total = 0
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            total += int(image.info["duration"])
        return total

"""Whether the disks have room for what a drop becomes: asked before it is claimed."""

from __future__ import annotations

from collections.abc import Sequence

from img2imgd import filesystems
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import shown
from img2imgd.inbox.claim import Drop
from img2imgd.inbox.lists import NotYet
from img2imgd.outputs.staging import STAGING
from img2imgd.request import Request

_UNKNOWN_SIDE = 1024  # pixels, of a result whose size the picture or the model decides
_BYTES_PER_PIXEL = {"png": 3.0}  # noise, which no PNG makes smaller
_BYTES_PER_LOSSY_PIXEL = 1.0
_SHEET_AND_ANIMATION = 1.5  # with them, of the frames' own size


class NoRoom(NotYet):
    """Drops that the disks have no room for now; ``what`` names the first for the log."""

    def __init__(self, drop: Drop, why: str, rescan: float) -> None:
        super().__init__(why, seconds=rescan)
        self.what = f"{shown(drop.rel)} {why}"


def need_room(config: Config, inbox: InboxConfig, drops: Sequence[Drop]) -> None:
    """See that there is room for what the drops become.

    Raises:
        NoRoom: there is not, or the outbox is not there.
    """
    if not (config.outbox / STAGING).is_dir():
        raise NoRoom(drops[0], f"waits for the outbox: {config.outbox} is not there", inbox.rescan)
    keep = config.limits.min_free_gb * 1e9
    results = sum(_result_bytes(config, drop.request) for drop in drops if drop.request)
    copies = sum(item.size for drop in drops for item in drop.inputs if item.how == "copy")
    for folder, needed in ((config.outbox, results), (inbox.path, copies)):
        free = filesystems.free_bytes(folder)
        if needed and free < keep + needed:
            why = (
                f"waits for room: about {needed / 1e6:,.0f} MB are needed in {folder}, beside the "
                f"{config.limits.min_free_gb:g} GB that limits.min_free_gb keeps free; "
                f"{free / 1e6:,.0f} MB are free"
            )
            raise NoRoom(drops[0], why, inbox.rescan)


def _result_bytes(config: Config, request: Request) -> float:
    """About how much the outputs will take, rather more than less."""
    match request.size or config.models[request.model].size:
        case (int(width), int(height)):
            pixels = width * height
        case int(side):
            pixels = side * side
        case _:
            pixels = _UNKNOWN_SIDE**2
    frames = request.frame_count * pixels
    extra = _SHEET_AND_ANIMATION if request.frame_count > 1 else 1.0
    return frames * _BYTES_PER_PIXEL.get(request.format, _BYTES_PER_LOSSY_PIXEL) * extra

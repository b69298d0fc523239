"""Opens the plain RGB picture of a frame; the reader has checked and prepared it before."""

from __future__ import annotations

from PIL import Image

from img2imgd.engine.protocol import FrameGivenBack, FrameRefused, FrameTask


def open_picture(task: FrameTask) -> Image.Image | FrameRefused | FrameGivenBack:
    """The frame's picture, or the event that says why there is none.

    A system error is the machine's fault and gives the frame back; bytes that are no picture are
    refused.
    """
    try:
        with Image.open(task.image, formats=["PNG"]) as opened:
            return opened.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's words for broken files
        if isinstance(error, OSError) and error.errno is not None:
            return FrameGivenBack(task.job, task.index, f"{task.image}: {error.strerror}")
        return FrameRefused(task.job, task.index, f"{task.image.name} is no picture: {error}")

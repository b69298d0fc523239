"""A frame that the stepper was given."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import cast

from img2imgd.engine.protocol import FrameTask
from img2imgd.engine.stepping.capping import Shape
from img2imgd.engine.stepping.frame import SteppedFrame
from img2imgd.engine.stepping.pictures import Opened, Picture


@dataclass(eq=False)
class Admitted:
    """A frame with its picture, which is being read, and how far it has come.

    ``chunks`` is how long its texts are, once its picture and they have been read.
    """

    task: FrameTask
    opened: Future[Opened]
    chunks: int | None = None
    frame: SteppedFrame | None = None

    @property
    def picture(self) -> Picture:
        """The picture; of a frame whose picture has been read."""
        return cast("Picture", self.opened.result())

    @property
    def shape(self) -> Shape:
        """Frames of one shape can share a UNet call."""
        return Shape(self.picture.size, self.chunks or 1)

    @property
    def started(self) -> SteppedFrame:
        """The frame; of one that has been started."""
        return cast("SteppedFrame", self.frame)

    @property
    def calls_left(self) -> int:
        """UNet calls that are left; about that, before it is started."""
        return self.task.effective_steps if self.frame is None else self.frame.calls_left

"""The sketches that ``img2imgd demo`` drops: thick pen lines and a few flat colours on white paper.

Drawn on a canvas of 3 times the size and reduced, so that the lines have soft edges like a scan.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

SIZE = 384  # pixels, square
_SCALE = 3
_INK = (40, 36, 34)
_Point = tuple[float, float]


def house() -> Image.Image:
    """A house with a tree on a green hill, under a sun."""
    paper = _Paper()
    paper.fill([(0, 262), (110, 236), (240, 232), (384, 250), (384, 384), (0, 384)], (136, 190, 96))
    paper.disc(312, 74, 34, (250, 204, 70))
    paper.fill([(118, 172), (232, 172), (232, 262), (118, 262)], (206, 84, 66))
    paper.fill([(102, 176), (174, 116), (248, 176)], (120, 72, 60))
    paper.fill([(162, 214), (188, 214), (188, 262), (162, 262)], (92, 58, 44))
    paper.fill([(204, 192), (222, 192), (222, 210), (204, 210)], (250, 226, 150))
    paper.fill([(292, 200), (306, 200), (308, 264), (290, 264)], (118, 82, 56))
    paper.disc(299, 178, 40, (84, 142, 72))
    return paper.picture()


def boat() -> Image.Image:
    """A sailing boat on the sea, with a low sun."""
    paper = _Paper()
    paper.fill([(0, 222), (384, 222), (384, 384), (0, 384)], (92, 146, 196))
    paper.disc(92, 172, 36, (250, 190, 80))
    paper.fill([(140, 262), (284, 262), (262, 300), (164, 300)], (132, 80, 52))
    paper.fill([(208, 104), (208, 246), (288, 246)], (246, 242, 232))
    paper.fill([(198, 128), (198, 246), (142, 246)], (226, 96, 80))
    paper.line([(203, 96), (203, 262)])
    for y, left in ((326, 60), (346, 190), (360, 36)):
        paper.line([(left, y), (left + 22, y - 6), (left + 44, y), (left + 66, y - 6)])
    return paper.picture()


def hills() -> Image.Image:
    """Hills behind a lake, with two trees."""
    paper = _Paper()
    paper.fill([(0, 214), (96, 120), (190, 206), (276, 134), (384, 222), (384, 262), (0, 262)],
               (142, 160, 130))  # fmt: skip
    paper.fill([(0, 258), (384, 258), (384, 384), (0, 384)], (128, 184, 92))
    paper.fill([(86, 296), (204, 280), (330, 292), (352, 320), (214, 340), (70, 326)],
               (108, 168, 214))  # fmt: skip
    paper.disc(198, 76, 30, (250, 214, 92))
    for x, y in ((48, 236), (340, 232)):
        paper.fill([(x - 6, y + 24), (x + 6, y + 24), (x + 6, y + 62), (x - 6, y + 62)],
                   (110, 78, 54))  # fmt: skip
        paper.disc(x, y, 32, (74, 130, 66))
    return paper.picture()


SKETCHES: dict[str, Callable[[], Image.Image]] = {"house": house, "boat": boat, "hills": hills}


class _Paper:
    """White paper; coordinates are pixels of the finished sketch, from the top left."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (SIZE * _SCALE, SIZE * _SCALE), (253, 252, 248))
        self._draw = ImageDraw.Draw(self._image)

    def fill(self, corners: list[_Point], colour: tuple[int, int, int]) -> None:
        """A flat shape with a pen outline."""
        self._draw.polygon(_scaled(corners), fill=colour)
        self.line([*corners, corners[0]])

    def disc(self, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
        """A round shape with a pen outline."""
        box = _scaled([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse([*box[0], *box[1]], fill=colour, outline=_INK, width=5 * _SCALE)

    def line(self, points: list[_Point]) -> None:
        """A pen line."""
        self._draw.line(_scaled(points), fill=_INK, width=5 * _SCALE, joint="curve")

    def picture(self) -> Image.Image:
        """The finished sketch, SIZE × SIZE."""
        return self._image.reduce(_SCALE)


def _scaled(points: list[_Point]) -> list[_Point]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]

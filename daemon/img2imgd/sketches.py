"""The sketches that ``img2imgd demo`` drops, and some more.

Thick pen lines and a few flat colours on white paper, drawn on a canvas of 3 times the size and
reduced, so that the lines have soft edges like a scan.
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


def castle() -> Image.Image:
    """A castle with two towers on a hill."""
    paper = _Paper()
    paper.fill([(0, 300), (90, 262), (200, 246), (310, 264), (384, 296), (384, 384), (0, 384)],
               (136, 190, 96))  # fmt: skip
    for x in (104, 236):
        paper.fill([(x, 148), (x + 52, 148), (x + 52, 266), (x, 266)], (186, 184, 182))
        paper.fill([(x - 10, 150), (x + 26, 84), (x + 62, 150)], (84, 100, 150))
    paper.fill([(156, 190), (172, 190), (172, 176), (188, 176), (188, 190), (204, 190), (204, 176),
                (220, 176), (220, 190), (236, 190), (236, 262), (156, 262)],
               (206, 202, 198))  # fmt: skip
    paper.fill([(182, 262), (182, 228), (196, 214), (210, 228), (210, 262)], (96, 66, 48))
    for x in (122, 254):
        paper.fill([(x, 178), (x + 16, 178), (x + 16, 206), (x, 206)], (70, 74, 92))
    return paper.picture()


def lighthouse() -> Image.Image:
    """A striped lighthouse on a rock in the sea."""
    paper = _Paper()
    paper.fill([(0, 236), (384, 236), (384, 384), (0, 384)], (92, 146, 196))
    paper.fill([(170, 300), (196, 262), (300, 262), (334, 300)], (128, 116, 104))
    paper.fill([(226, 92), (270, 92), (284, 264), (212, 264)], (246, 242, 234))
    for upper, lower in ((120, 156), (192, 228)):
        left, right = 248 - (upper + 120) / 10, 248 + (upper + 120) / 10
        paper.fill([(left, upper), (right, upper), (right + 3, lower), (left - 3, lower)],
                   (210, 62, 54))  # fmt: skip
    paper.fill([(230, 62), (266, 62), (266, 92), (230, 92)], (250, 226, 130))
    paper.fill([(222, 64), (248, 38), (274, 64)], (120, 66, 58))
    for y, left in ((330, 40), (352, 200)):
        paper.line([(left, y), (left + 22, y - 6), (left + 44, y), (left + 66, y - 6)])
    return paper.picture()


def bridge() -> Image.Image:
    """A stone bridge over a river, trees on both banks."""
    paper = _Paper()
    paper.fill([(0, 216), (384, 206), (384, 384), (0, 384)], (142, 192, 100))
    paper.fill([(176, 214), (206, 214), (232, 270), (300, 384), (90, 384), (146, 270)],
               (104, 162, 212))  # fmt: skip
    for x, y in ((52, 172), (336, 164)):
        paper.fill([(x - 6, y + 20), (x + 6, y + 20), (x + 6, y + 62), (x - 6, y + 62)],
                   (110, 78, 54))  # fmt: skip
        paper.disc(x, y, 34, (80, 138, 70))
    paper.fill([(84, 262), (140, 236), (190, 226), (240, 236), (298, 262), (298, 286), (248, 286),
                (228, 262), (190, 252), (152, 262), (134, 286), (84, 286)],
               (182, 160, 134))  # fmt: skip
    return paper.picture()


def balloon() -> Image.Image:
    """A hot air balloon over mountains."""
    paper = _Paper()
    paper.fill([(0, 300), (84, 212), (136, 256), (238, 184), (318, 262), (384, 222), (384, 384),
                (0, 384)], (150, 156, 172))  # fmt: skip
    paper.fill([(0, 322), (180, 304), (384, 320), (384, 384), (0, 384)], (136, 186, 96))
    paper.line([(164, 158), (172, 186)])
    paper.line([(212, 158), (204, 186)])
    paper.disc(188, 102, 64, (214, 70, 56))
    paper.fill([(174, 40), (202, 40), (212, 102), (200, 166), (176, 166), (164, 102)],
               (248, 214, 96))  # fmt: skip
    paper.fill([(170, 186), (206, 186), (202, 212), (174, 212)], (146, 98, 60))
    return paper.picture()


def cactus() -> Image.Image:
    """A cactus between dunes, under a sun."""
    paper = _Paper()
    paper.fill([(0, 236), (120, 212), (260, 240), (384, 218), (384, 384), (0, 384)],
               (240, 206, 136))  # fmt: skip
    paper.line([(0, 330), (110, 296), (230, 322), (384, 292)])
    paper.disc(82, 82, 36, (250, 204, 70))
    paper.fill([(188, 326), (188, 256), (150, 250), (138, 234), (138, 184), (160, 184), (160, 226),
                (188, 230), (188, 126), (204, 112), (222, 126), (222, 206), (246, 202), (246, 164),
                (268, 164), (268, 210), (256, 226), (222, 232), (222, 326)],
               (88, 152, 86))  # fmt: skip
    return paper.picture()


SKETCHES: dict[str, Callable[[], Image.Image]] = {
    draw.__name__: draw
    for draw in (house, boat, hills, castle, lighthouse, bridge, balloon, cactus)
}


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

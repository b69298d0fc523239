"""A drawing as it grew: strokes with their times, drawn again and saved again and again.

``strokes.json`` holds the strokes of one drawing that takes a minute: a house between hills. It was
made once by a program, with a hand's wobble. Each stroke has its ``width`` and ``points`` in pixels
of a square sheet, and the seconds when the pen comes down and leaves the paper.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

STROKES = Path(__file__).with_name("strokes.json")
SECONDS = 60.0
_FINER = 3  # drawn so much larger, so that lines have soft edges
_INK = 60


@dataclass(frozen=True)
class Stroke:
    """One line of the pen; times in seconds since the drawing was begun."""

    begins: float
    ends: float
    width: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Drawing:
    """A drawing on a square sheet."""

    side: int
    strokes: tuple[Stroke, ...]

    @classmethod
    def recorded(cls, path: Path = STROKES) -> Drawing:
        """The one that was recorded."""
        plain = json.loads(path.read_text())
        strokes = [
            Stroke(s["begins"], s["ends"], s["width"], tuple((x, y) for x, y in s["points"]))
            for s in plain["strokes"]
        ]
        return cls(plain["side"], tuple(strokes))

    def at(self, seconds: float) -> Image.Image:
        """The sheet as it looked then; a stroke under way has been drawn in part."""
        sheet = Image.new("L", (self.side * _FINER, self.side * _FINER), 255)
        pen = ImageDraw.Draw(sheet)
        for stroke in self.strokes:
            if stroke.begins >= seconds:
                break
            share = min(1.0, (seconds - stroke.begins) / (stroke.ends - stroke.begins))
            count = max(2, round(share * len(stroke.points)))
            line = [(x * _FINER, y * _FINER) for x, y in stroke.points[:count]]
            pen.line(line, _INK, stroke.width * _FINER, joint="curve")
        return sheet.resize((self.side, self.side), Image.Resampling.BOX).convert("RGB")


def save(image: Image.Image, path: Path) -> None:
    """Save as careful programs do: beside it under a hidden name, then renamed into place."""
    part = path.with_name(f".{path.name}.part")
    image.save(part, "PNG")
    part.replace(path)


def replay(path: Path, saves: int, seconds: float = SECONDS) -> Iterator[float]:
    """Draw and save so many times, evenly over so many seconds; yields the time of each save.

    Times are seconds since 1970. With fewer ``seconds`` than it took, the pen is quicker.
    """
    drawing = Drawing.recorded()
    begun = time.monotonic()
    for number in range(1, saves + 1):
        image = drawing.at(number / saves * SECONDS)
        due = begun + number / saves * seconds
        threading.Event().wait(max(0.0, due - time.monotonic()))
        save(image, path)
        yield time.time()

"""The plain prompts that the evaluation gives, and the pictures it begins from."""

from __future__ import annotations

import numpy as np

from .dataset import Facts
from .world.captions import LOOK_NAMES, STYLES, with_article
from .world.scenes import MAIN_WEIGHTS, pick, pick_time

GROUND_PHRASES = {
    "meadow": ("a green meadow", "in a meadow"),
    "hills": ("rolling hills", "in the hills"),
    "mountains": ("high mountains", "in the mountains"),
    "sea": ("the sea", "on the sea"),
    "lake": ("a lake", "at a lake"),
    "river": ("a winding river", "by a river"),
    "desert": ("a desert", "in the desert"),
    "snow": ("a snowy landscape", "in the snow"),
    "wood": ("an autumn forest", "in an autumn wood"),
    "city": ("a city skyline", "in a city"),
}
TIME_PHRASES = {
    "day": "on a sunny day",
    "dawn": "at dawn",
    "sunset": "at sunset",
    "night": "at night",
    "storm": "in a storm",
    "fog": "in fog",
}
OBJECT_PHRASES = {
    "tree": "a big tree",
    "house": "a house",
    "castle": "a castle",
    "windmill": "a windmill",
    "lighthouse": "a lighthouse",
    "boat": "a sailing boat",
    "bridge": "a stone bridge",
    "balloon": "a hot air balloon",
    "flowers": "flowers",
    "cactus": "a cactus",
}


def draw_facts(rng: np.random.Generator, ground: str, looks: tuple[str, ...]) -> Facts:
    """A time, a look and a main thing by lot for a ground."""
    return {
        "time": pick_time(rng),
        "ground": ground,
        "look": str(rng.choice(looks)),
        "object": pick(rng, MAIN_WEIGHTS[ground]),
    }


def plain_prompt(fact: Facts, *, suffix: bool) -> str:
    """A prompt for time, ground, look and main thing, the look named last or first."""
    alone, place = GROUND_PHRASES[fact["ground"]]
    thing = fact["object"]
    text = alone if thing == "none" else f"{OBJECT_PHRASES[thing]} {place}"
    text += f" {TIME_PHRASES[fact['time']]}"
    if suffix:
        return f"{text}, in the style of {STYLES[fact['look']][0]}"
    return f"{with_article(LOOK_NAMES[fact['look']][0])} of {text}"

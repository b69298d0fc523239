"""The plain prompts that the evaluation gives."""

from __future__ import annotations

from .dataset import Facts
from .world.captions import LOOK_NAMES, PLACES, STYLES, with_article

GROUND_PHRASES = {
    "meadow": "a green meadow",
    "hills": "rolling hills",
    "mountains": "high mountains",
    "sea": "the sea",
    "lake": "a lake",
    "river": "a winding river",
    "desert": "a desert",
    "snow": "a snowy landscape",
    "wood": "an autumn forest",
    "city": "a city skyline",
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


def plain_prompt(fact: Facts, *, suffix: bool) -> str:
    """A prompt for time, ground, look and main thing, the look named last or first."""
    ground, thing = fact["ground"], fact["object"]
    text = (
        GROUND_PHRASES[ground] if thing == "none" else f"{OBJECT_PHRASES[thing]} {PLACES[ground]}"
    )
    text += f" {TIME_PHRASES[fact['time']]}"
    if suffix:
        return f"{text}, in the style of {STYLES[fact['look']][0]}"
    return f"{with_article(LOOK_NAMES[fact['look']][0])} of {text}"

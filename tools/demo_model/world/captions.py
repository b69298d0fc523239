"""How a scene is told: captions in several phrasings, attributes left out at times."""

from __future__ import annotations

import numpy as np

from .scenes import Scene, Thing

LOOK_NAMES: dict[str, tuple[str, ...]] = {
    "photo": ("photo", "photograph", "picture", "realistic picture"),
    "oil": ("oil painting", "painting", "oil on canvas", "thick oil painting"),
    "watercolour": ("watercolour", "watercolor", "watercolour painting", "watercolor painting"),
    "ink": ("ink drawing", "pen and ink drawing", "black ink drawing", "etching"),
    "pencil": ("pencil drawing", "graphite drawing", "charcoal drawing"),
    "pixel": ("pixel art", "pixel art picture", "8-bit pixel art", "video game picture"),
    "pop": ("pop art", "pop art picture", "comic book picture", "pop art print"),
    "swirl": ("van gogh painting", "expressionist painting", "swirling painting"),
    "woodblock": ("woodblock print", "japanese woodblock print", "woodcut", "ukiyo-e print"),
    "glass": ("stained glass window", "stained glass picture", "mosaic"),
    "pointillism": ("pointillist painting", "painting in dots", "impressionist painting"),
    "poster": ("poster", "travel poster", "flat illustration", "vector illustration"),
    "sketch": ("sketch", "line drawing", "simple drawing", "child's drawing", "doodle"),
}
STYLES: dict[str, tuple[str, ...]] = {
    "photo": ("photograph", "realistic", "photorealistic"),
    "oil": ("oil painting", "oil on canvas", "by rembrandt", "by constable", "impasto"),
    "watercolour": ("watercolour", "watercolor", "aquarelle", "by turner"),
    "ink": ("ink drawing", "pen and ink", "etching", "by durer"),
    "pencil": ("pencil drawing", "graphite", "charcoal", "by leonardo da vinci"),
    "pixel": ("pixel art", "8-bit", "retro video game"),
    "pop": ("pop art", "comic book", "by andy warhol", "by lichtenstein"),
    "swirl": ("van gogh", "by van gogh", "expressionism", "by vincent van gogh"),
    "woodblock": ("woodblock print", "ukiyo-e", "woodcut", "by hokusai", "by hiroshige"),
    "glass": ("stained glass", "mosaic", "by tiffany", "church window"),
    "pointillism": ("pointillism", "by seurat", "impressionism", "by monet"),
    "poster": ("travel poster", "flat illustration", "vector art", "art deco"),
    "sketch": ("sketch", "line drawing", "doodle"),
}
GROUND_NAMES: dict[str, tuple[str, ...]] = {
    "meadow": ("meadow", "green meadow", "grassy field", "field", "green landscape"),
    "hills": ("hills", "green hills", "rolling hills", "hilly landscape"),
    "mountains": (
        "mountains",
        "mountain landscape",
        "high mountains",
        "snowy mountains",
        "the alps",
    ),
    "sea": ("sea", "ocean", "sea with waves", "seascape"),
    "lake": ("lake", "blue lake", "landscape with a lake", "calm lake"),
    "river": ("river", "winding river", "landscape with a river", "stream"),
    "desert": ("desert", "sandy desert", "desert with dunes", "sand dunes"),
    "snow": ("snowy landscape", "snow", "winter landscape", "snowy field", "snow in winter"),
    "wood": ("autumn wood", "autumn forest", "forest in autumn", "orange forest", "woods in fall"),
    "city": ("city", "town", "city skyline", "skyscrapers"),
}
PLACES = {
    "meadow": "in a meadow",
    "hills": "in the hills",
    "mountains": "in the mountains",
    "sea": "on the sea",
    "lake": "at a lake",
    "river": "by a river",
    "desert": "in the desert",
    "snow": "in the snow",
    "wood": "in an autumn wood",
    "city": "in a city",
}
TIME_NAMES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "at noon", "in daylight", "on a sunny day", "under a blue sky", "day"),
    "dawn": ("at dawn", "in the early morning", "at sunrise", "dawn", "under a pink sky"),
    "sunset": ("at sunset", "at dusk", "in the evening", "sunset", "under a red sky"),
    "night": ("at night", "by night", "in the dark", "night", "under a starry sky", "in moonlight"),
    "storm": ("in a storm", "in the rain", "stormy weather", "under dark clouds", "storm"),
    "fog": ("in fog", "in the mist", "foggy", "misty", "fog"),
}
TREE_NAMES = {
    "round": ("tree", "green tree", "oak tree"),
    "pine": ("pine tree", "fir tree"),
    "palm": ("palm tree",),
    "bare": ("bare tree", "leafless tree"),
    "autumn": ("autumn tree", "orange tree"),
    "blossom": ("cherry tree", "pink tree", "blossoming tree"),
}
NOUNS = {
    "house": ("house", "house", "cottage", "cabin"),
    "boat": ("boat", "sailing boat", "ship"),
    "balloon": ("hot air balloon", "balloon"),
    "castle": ("castle",),
    "windmill": ("windmill", "mill"),
    "lighthouse": ("lighthouse",),
    "bridge": ("bridge", "stone bridge"),
    "cactus": ("cactus",),
}
FLOWER_NAMES = {"red": "poppies", "yellow": "sunflowers", "purple": "tulips"}
BACKDROP_NAMES = {
    "mountains": ("mountains", "snowy mountains", "a mountain range"),
    "hills": ("distant hills", "hills in the distance"),
    "forest": ("a forest", "a dark forest", "woods"),
}
PLURALS = {2: ("two", "two", "a couple of"), 3: ("three", "three", "a few")}
FILLERS = (
    "highly detailed",
    "detailed",
    "beautiful",
    "trending on artstation",
    "masterpiece",
    "concept art",
    "4k",
    "best quality",
    "sharp focus",
    "vivid colours",
)
NEGATIVES = (
    "disfigured",
    "bad anatomy",
    "low quality",
    "ugly",
    "tiling",
    "poorly drawn hands",
    "poorly drawn feet",
    "out of frame",
    "blurry",
    "deformed",
    "mutation",
    "extra limbs",
    "bad art",
    "worst quality",
    "jpeg artifacts",
    "watermark",
    "text",
    "signature",
    "cropped",
    "grainy",
)
FULL_NEGATIVE = ", ".join(NEGATIVES[:8])
_MASS = ("snow", "hills", "dunes", "art", "canvas", "winter", "mountains", "fall", "skyscrapers")


def _one(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an" before it, unless it stands without one."""
    words = phrase.split()
    if words[0] == "the" or words[-1] in _MASS:
        return phrase
    if phrase in ("sea", "ocean"):
        return f"the {phrase}"
    return f"{'an' if phrase[0] in 'aeiou8' else 'a'} {phrase}"


def _main_phrase(rng: np.random.Generator, thing: Thing) -> str:
    if thing.kind == "tree":
        name = _one(rng, TREE_NAMES[thing.variant]) if rng.random() < 0.75 else "tree"
        return with_article(f"big {name}" if rng.random() < 0.3 else name)
    if thing.kind == "flowers":
        form = rng.random()
        if form < 0.4:
            return FLOWER_NAMES[thing.variant]
        return f"{thing.variant} flowers" if form < 0.75 else "flowers"
    noun = _one(rng, NOUNS[thing.kind])
    if thing.kind == "boat" and rng.random() < 0.3:
        return f"a {noun} with a {thing.variant} sail"
    if thing.kind in ("house", "balloon") and rng.random() < 0.65:
        noun = f"{thing.variant} {noun}"
    return with_article(noun)


def _things(rng: np.random.Generator, scene: Scene) -> list[str]:
    """Everything worth telling besides the main thing, one phrase each, in random order."""
    told = []
    trees = [thing for thing in scene.things if thing.kind == "tree" and thing is not scene.main]
    if trees and scene.ground != "wood":
        name = _one(rng, TREE_NAMES[trees[0].variant]) if rng.random() < 0.7 else "tree"
        if len(trees) == 1:
            told.append(with_article(name))
        else:
            number = _one(rng, PLURALS.get(len(trees), ("many", "several", "some")))
            told.append(f"{number} {name}s" if rng.random() < 0.7 else f"{name}s")
    if scene.shows_disc:
        if scene.time == "night":
            told.append(_one(rng, ("the moon", "a full moon", "moon", "a bright moon")))
        else:
            told.append(_one(rng, ("the sun", "a big sun", "sun")))
    if scene.clouds >= 2 and scene.time not in ("fog", "storm"):
        told.append(_one(rng, ("clouds", "white clouds" if scene.time == "day" else "clouds")))
    for flag, phrases in (
        (scene.path, ("a path", "a road", "a winding path")),
        (scene.birds, ("birds", "flying birds")),
        (scene.flowers, ("flowers", "a field of flowers")),
    ):
        if flag:
            told.append(_one(rng, phrases))
    if scene.backdrop != "none":
        told.append(_one(rng, BACKDROP_NAMES[scene.backdrop]))
    order = rng.permutation(len(told))
    return [told[int(place)] for place in order]


def _join(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return ", ".join(phrases[:-1]) + " and " + phrases[-1]


def _subject(rng: np.random.Generator, scene: Scene) -> str:
    """The place and what stands there; the main thing is rarely left out."""
    ground = _one(rng, GROUND_NAMES[scene.ground])
    share = float(rng.choice([0.0, 0.5, 0.9], p=[0.3, 0.35, 0.35]))
    told = [phrase for phrase in _things(rng, scene) if rng.random() < share]
    main = _main_phrase(rng, scene.main) if scene.main and rng.random() < 0.92 else ""
    if main:
        form = rng.random()
        if form < 0.5:
            text = f"{main} {PLACES[scene.ground]}"
            return f"{text} with {_join(told)}" if told else text
        if form < 0.58:
            return main
        told.insert(0 if rng.random() < 0.7 else len(told), main)
    form = rng.random()
    if form < 0.25:
        return ", ".join([ground, *told])
    if form < 0.32:
        return f"a fantasy landscape, {', '.join([ground, *told])}"
    joint = "and" if " with " in ground else "with"
    return with_article(ground) + (f" {joint} {_join(told)}" if told else "")


def caption(rng: np.random.Generator, scene: Scene, look: str) -> str:
    """One caption for the scene in the look; other draws tell it in other words.

    A sketch is drawn on white paper whatever the time: its caption tells none.
    """
    text = _subject(rng, scene)
    if look != "sketch" and rng.random() < 0.9:
        when = _one(rng, TIME_NAMES[scene.time])
        spoken = when.startswith(("at ", "by ", "in ", "on ", "under "))
        text += f" {when}" if spoken and rng.random() < 0.8 else f", {when}"
    form = rng.random()
    silent = 0.3 if look == "photo" else 0.04
    if form > silent:
        if form < silent + (1 - silent) * 0.55:
            text = f"{with_article(_one(rng, LOOK_NAMES[look]))} of {text}"
        else:
            style = _one(rng, STYLES[look])
            if style.startswith("by "):
                joint = _one(rng, (" ", ", "))
            else:
                joint = _one(rng, (", ", " by ", " in the style of ", ", in the style of "))
            text += f"{joint}{style}"
    if rng.random() < 0.2:
        text += f", {_one(rng, FILLERS)}"
    if rng.random() < 0.04:
        text += f", {_noise_word(rng)}"
    return text


def _noise_word(rng: np.random.Generator) -> str:
    """A word without meaning, so that unknown words are learnt to mean nothing."""
    letters = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size=int(rng.integers(3, 9)))
    return "".join(letters)


def unconditional(rng: np.random.Generator) -> str:
    """What the dropout branch reads: mostly nothing, at times a usual negative prompt."""
    form = rng.random()
    if form < 0.5:
        return ""
    if form < 0.7:
        return FULL_NEGATIVE
    number = int(rng.integers(1, 9))
    chosen = rng.choice(len(NEGATIVES), size=number, replace=False)
    return ", ".join(NEGATIVES[int(index)] for index in chosen)

"""How a scene is told: captions in several phrasings, attributes left out at times."""

from __future__ import annotations

import numpy as np

from .scenes import Scene, Thing

LOOK_NAMES: dict[str, tuple[str, ...]] = {
    "photo": ("photo", "photograph", "picture", "realistic picture"),
    "oil": ("oil painting", "painting in oil", "oil on canvas", "thick oil painting"),
    "watercolour": ("watercolour", "watercolor", "watercolour painting", "watercolor painting"),
    "ink": ("ink drawing", "pen and ink drawing", "black ink drawing", "etching"),
    "pencil": ("pencil drawing", "graphite drawing", "charcoal drawing"),
    "pixel": ("pixel art", "pixel art picture", "8-bit pixel art", "video game picture"),
    "pop": ("pop art", "pop art picture", "comic book picture", "pop art print"),
    "swirl": ("van gogh painting", "expressionist painting", "swirling painting"),
    "woodblock": ("woodblock print", "japanese woodblock print", "ukiyo-e print"),
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
    "woodblock": ("woodblock print", "ukiyo-e", "by hokusai", "by hiroshige"),
    "sketch": ("sketch", "line drawing", "doodle"),
}
GROUND_NAMES: dict[str, tuple[str, ...]] = {
    "meadow": ("meadow", "green meadow", "grassy field", "field", "green landscape"),
    "hills": ("hills", "green hills", "rolling hills", "hilly landscape"),
    "snow": ("snowy landscape", "snow", "winter landscape", "snowy field", "snow in winter"),
    "desert": ("desert", "sandy desert", "desert with dunes", "sand dunes"),
    "sea": ("sea", "ocean", "sea with waves", "seascape"),
    "lake": ("lake", "blue lake", "landscape with a lake", "calm lake"),
    "city": ("city", "town", "city street", "city skyline"),
}
TIME_NAMES: dict[str, tuple[str, ...]] = {
    "day": ("by day", "at noon", "in daylight", "on a sunny day", "under a blue sky", "day"),
    "sunset": ("at sunset", "at dusk", "in the evening", "sunset", "under a red sky"),
    "night": ("at night", "by night", "in the dark", "night", "under a starry sky", "in moonlight"),
    "dawn": ("at dawn", "in the early morning", "at sunrise", "dawn", "under a pink sky"),
    "storm": ("in a storm", "in the rain", "stormy weather", "under dark clouds", "storm"),
    "fog": ("in fog", "in the mist", "foggy", "misty", "fog"),
}
TREE_NAMES = {
    "round": ("tree", "green tree", "oak tree"),
    "pine": ("pine tree", "fir tree"),
    "palm": ("palm tree",),
    "bare": ("bare tree", "leafless tree"),
    "autumn": ("autumn tree", "orange tree"),
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


def _one(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _article(phrase: str) -> str:
    bare = phrase.split()[0]
    if bare in ("snow", "hills", "green", "rolling", "sand", "pixel", "pop", "oil", "8-bit"):
        mass = ("snow", "hills", "dunes", "art", "canvas", "winter")
        if phrase.split()[-1] in mass:
            return phrase
    return f"{'an' if phrase[0] in 'aeiou8' else 'a'} {phrase}"


def _things(rng: np.random.Generator, scene: Scene) -> list[str]:
    """Every thing worth telling, one phrase each, in random order."""
    told = []
    trees = [thing for thing in scene.things if thing.kind == "tree"]
    if trees:
        name = _one(rng, TREE_NAMES[trees[0].variant]) if rng.random() < 0.7 else "tree"
        if len(trees) == 1:
            told.append(_article(name))
        else:
            number = _one(rng, PLURALS.get(len(trees), ("many", "several", "some")))
            told.append(f"{number} {name}s" if rng.random() < 0.7 else f"{name}s")
    boats = [thing for thing in scene.things if thing.kind == "boat"]
    if boats:
        told.append(_boat_phrase(rng, boats))
    for thing in scene.things:
        if thing.kind == "house":
            noun = _one(rng, ("house", "house", "cottage", "cabin"))
            told.append(_article(f"{thing.variant} {noun}" if rng.random() < 0.65 else noun))
        elif thing.kind in ("lighthouse", "island", "castle", "cactus"):
            told.append(_article(thing.kind))
    if scene.disc is not None:
        if scene.time == "night":
            told.append(_one(rng, ("the moon", "a full moon", "moon", "a bright moon")))
        else:
            told.append(_one(rng, ("the sun", "a big sun", "sun")))
    if scene.clouds >= 2:
        told.append(_one(rng, ("clouds", "white clouds" if scene.time == "day" else "clouds")))
    for flag, phrases in (
        (scene.path, ("a path", "a road", "a winding path")),
        (scene.river, ("a river", "a stream", "a winding river")),
        (scene.birds, ("birds", "flying birds")),
        (scene.flowers, ("flowers", "red and yellow flowers")),
    ):
        if flag:
            told.append(_one(rng, phrases))
    order = rng.permutation(len(told))
    return [told[int(place)] for place in order]


def _boat_phrase(rng: np.random.Generator, boats: list[Thing]) -> str:
    noun = _one(rng, ("boat", "sailing boat", "ship"))
    if len(boats) > 1:
        return f"two {noun}s"
    return f"a {noun}" + (f" with a {boats[0].variant} sail" if rng.random() < 0.3 else "")


def _join(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return ", ".join(phrases[:-1]) + " and " + phrases[-1]


def _subject(rng: np.random.Generator, scene: Scene) -> str:
    ground = _one(rng, GROUND_NAMES[scene.ground])
    told = [phrase for phrase in _things(rng, scene) if rng.random() < 0.8]
    if scene.backdrop != "none" and rng.random() < 0.8:
        far = {"mountains": ("mountains", "snowy mountains", "a mountain range")}
        far["hills"] = ("distant hills", "hills in the distance")
        far["forest"] = ("a forest", "a dark forest", "woods")
        told.append(_one(rng, far[scene.backdrop]))
    form = rng.random()
    if told and form < 0.2:
        place = {"sea": "on the sea", "lake": "at a lake", "city": "in a city"}
        place |= {"meadow": "in a meadow", "snow": "in the snow", "desert": "in the desert"}
        place |= {"hills": "in the hills"}
        return f"{_join(told)} {place[scene.ground]}"
    if form < 0.3:
        return ", ".join([ground, *told])
    if form < 0.36 and scene.ground != "city":
        return f"a fantasy landscape, {', '.join([ground, *told])}"
    return _article(ground) + (f" with {_join(told)}" if told else "")


def caption(rng: np.random.Generator, scene: Scene, look: str) -> str:
    """One caption for the scene in the look; other draws tell it in other words."""
    text = _subject(rng, scene)
    if rng.random() < 0.9:
        when = _one(rng, TIME_NAMES[scene.time])
        spoken = when.startswith(("at ", "by ", "in ", "on ", "under "))
        text += f" {when}" if spoken and rng.random() < 0.8 else f", {when}"
    form = rng.random()
    silent = 0.3 if look == "photo" else 0.04
    if form > silent:
        if form < silent + (1 - silent) * 0.55:
            text = f"{_article(_one(rng, LOOK_NAMES[look]))} of {text}"
        else:
            style = _one(rng, STYLES[look])
            if style.startswith("by "):
                joint = _one(rng, (" ", ", "))
            else:
                joint = _one(rng, (", ", " by ", " in the style of ", ", in the style of "))
            text += f"{joint}{style}"
    if rng.random() < 0.2:
        text += f", {_one(rng, FILLERS)}"
    if rng.random() < 0.03:
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

"""What is in a picture: a scene is drawn by lot here, painted in draw.py, told in captions.py."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

TIMES = ("day", "sunset", "night", "dawn", "storm", "fog")
TIME_WEIGHTS = (0.28, 0.2, 0.22, 0.12, 0.1, 0.08)
GROUNDS = ("meadow", "hills", "snow", "desert", "sea", "lake", "city")
GROUND_WEIGHTS = (0.17, 0.14, 0.16, 0.13, 0.17, 0.13, 0.1)
BACKDROPS = ("none", "mountains", "hills", "forest")
TREE_KINDS = ("round", "pine", "palm", "bare", "autumn")
HOUSE_COLOURS = {
    "red": (178, 52, 44),
    "white": (236, 232, 222),
    "blue": (72, 110, 176),
    "yellow": (228, 190, 84),
    "brown": (134, 92, 58),
}
SAIL_COLOURS = {
    "white": (245, 244, 238),
    "red": (200, 50, 44),
    "yellow": (240, 200, 70),
}
LOOKS = (
    "photo",
    "oil",
    "watercolour",
    "ink",
    "pencil",
    "pixel",
    "pop",
    "swirl",
    "woodblock",
    "sketch",
)
LOOK_WEIGHTS = (0.2, 0.13, 0.12, 0.09, 0.08, 0.09, 0.09, 0.08, 0.07, 0.05)


@dataclass(frozen=True)
class Thing:
    """One object standing in the picture.

    `x` is the middle and `y` the foot, both as fractions of the picture from the upper left
    corner; `size` is the height as a fraction of the picture's height.
    """

    kind: str
    x: float
    y: float
    size: float
    variant: str = ""


@dataclass(frozen=True)
class Scene:
    """One landscape. Fractions are of the picture's side; `seed` drives the small details."""

    time: str
    ground: str
    backdrop: str
    horizon: float
    disc: tuple[float, float, float] | None
    clouds: int
    path: bool
    river: bool
    birds: bool
    flowers: bool
    things: tuple[Thing, ...] = field(default_factory=tuple)
    seed: int = 0

    def count(self, kind: str) -> int:
        """How many things of a kind stand in the picture."""
        return sum(thing.kind == kind for thing in self.things)


def _pick(rng: np.random.Generator, names: tuple[str, ...], weights: tuple[float, ...]) -> str:
    share = np.asarray(weights) / sum(weights)
    return names[int(rng.choice(len(names), p=share))]


def pick_look(rng: np.random.Generator) -> str:
    """Draw the name of a look by its weight in the training set."""
    return _pick(rng, LOOKS, LOOK_WEIGHTS)


def _backdrop(rng: np.random.Generator, ground: str) -> str:
    weights = {
        "meadow": (0.35, 0.3, 0.2, 0.15),
        "hills": (0.5, 0.35, 0.0, 0.15),
        "snow": (0.25, 0.45, 0.15, 0.15),
        "desert": (0.6, 0.3, 0.1, 0.0),
        "sea": (0.75, 0.15, 0.1, 0.0),
        "lake": (0.05, 0.5, 0.2, 0.25),
        "city": (0.75, 0.25, 0.0, 0.0),
    }[ground]
    return _pick(rng, BACKDROPS, weights)


def _tree_kind(rng: np.random.Generator, ground: str) -> str:
    weights = {
        "snow": (0.0, 0.7, 0.0, 0.3, 0.0),
        "desert": (0.0, 0.0, 0.9, 0.1, 0.0),
        "sea": (0.1, 0.0, 0.9, 0.0, 0.0),
    }.get(ground, (0.5, 0.25, 0.0, 0.08, 0.17))
    return _pick(rng, TREE_KINDS, weights)


def _trees(rng: np.random.Generator, ground: str, horizon: float) -> list[Thing]:
    chance = {"sea": 0.0, "city": 0.25, "desert": 0.35}.get(ground, 0.7)
    if rng.random() > chance:
        return []
    number = int(rng.choice([1, 2, 3, 5, 8], p=[0.35, 0.2, 0.15, 0.15, 0.15]))
    kind = _tree_kind(rng, ground)
    trees = []
    for _ in range(number):
        depth = float(rng.uniform(0.1, 0.75))
        largest = 0.55 if number == 1 else 0.38
        trees.append(
            Thing(
                "tree",
                float(rng.uniform(0.06, 0.94)),
                horizon + depth * (1 - horizon),
                (0.35 + depth) * largest * float(rng.uniform(0.75, 1.1)),
                kind,
            )
        )
    return trees


def _buildings(rng: np.random.Generator, ground: str, horizon: float) -> list[Thing]:
    things = []
    chance = {"sea": 0.0, "city": 0.0, "desert": 0.15}.get(ground, 0.42)
    if rng.random() < chance:
        depth = float(rng.uniform(0.15, 0.55))
        things.append(
            Thing(
                "house",
                float(rng.uniform(0.15, 0.85)),
                horizon + depth * (1 - horizon),
                (0.55 + depth) * float(rng.uniform(0.24, 0.36)),
                str(rng.choice(list(HOUSE_COLOURS))),
            )
        )
    if ground == "sea" and rng.random() < 0.25:
        side = float(rng.choice([rng.uniform(0.08, 0.25), rng.uniform(0.75, 0.92)]))
        height = float(rng.uniform(0.35, 0.5))
        things.append(Thing("lighthouse", side, horizon + 0.08, height))
    if ground == "sea" and rng.random() < 0.15:
        things.append(Thing("island", float(rng.uniform(0.25, 0.75)), horizon + 0.06, 0.3))
    if ground in ("hills", "meadow") and rng.random() < 0.1:
        things.append(Thing("castle", float(rng.uniform(0.25, 0.75)), horizon + 0.03, 0.34))
    if ground == "desert" and rng.random() < 0.35:
        depth = float(rng.uniform(0.2, 0.7))
        foot = horizon + depth * (1 - horizon)
        things.append(Thing("cactus", float(rng.uniform(0.1, 0.9)), foot, 0.18 + 0.2 * depth))
    return things


def _boats(rng: np.random.Generator, ground: str, horizon: float) -> list[Thing]:
    if ground not in ("sea", "lake") or rng.random() > 0.5:
        return []
    boats = []
    for _ in range(int(rng.choice([1, 2], p=[0.75, 0.25]))):
        depth = float(rng.uniform(0.2, 0.5) if ground == "lake" else rng.uniform(0.12, 0.6))
        span = (0.35, 0.65) if ground == "lake" else (0.15, 0.85)
        boats.append(
            Thing(
                "boat",
                float(rng.uniform(*span)),
                horizon + depth * (1 - horizon),
                (0.5 + depth) * float(rng.uniform(0.24, 0.34)),
                str(rng.choice(list(SAIL_COLOURS))),
            )
        )
    return boats


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw one scene by lot, with things that belong on its ground."""
    time = _pick(rng, TIMES, TIME_WEIGHTS)
    ground = _pick(rng, GROUNDS, GROUND_WEIGHTS)
    low, high = {"city": (0.62, 0.8), "sea": (0.35, 0.65)}.get(ground, (0.4, 0.66))
    horizon = float(rng.uniform(low, high))
    disc_chance = {"day": 0.55, "sunset": 0.85, "night": 0.75, "dawn": 0.6}.get(time, 0.0)
    disc = None
    if rng.random() < disc_chance:
        height = (0.55, 0.95) if time in ("sunset", "dawn") else (0.15, 0.6)
        disc = (
            float(rng.uniform(0.12, 0.88)),
            horizon * float(rng.uniform(*height)),
            float(rng.uniform(0.045, 0.095)),
        )
    clouds = {"storm": 5, "fog": 0}.get(time, int(rng.choice([0, 1, 2, 4])))
    things = _trees(rng, ground, horizon) + _buildings(rng, ground, horizon)
    things += _boats(rng, ground, horizon)
    open_land = ground in ("meadow", "hills", "snow")
    way = float(rng.random())
    return Scene(
        time=time,
        ground=ground,
        backdrop=_backdrop(rng, ground),
        horizon=horizon,
        disc=disc,
        clouds=clouds,
        path=open_land and way < 0.2,
        river=open_land and way > 0.84,
        birds=time != "night" and rng.random() < 0.12,
        flowers=ground in ("meadow", "hills") and rng.random() < 0.25,
        things=tuple(sorted(things, key=lambda thing: thing.y)),
        seed=int(rng.integers(2**31)),
    )

"""What is in a picture: a scene is drawn by lot here, painted by paint.py, told by captions.py."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

TIMES = ("day", "dawn", "sunset", "night", "storm", "fog")
TIME_WEIGHTS = (0.26, 0.14, 0.22, 0.2, 0.1, 0.08)
GROUNDS = (
    "meadow",
    "hills",
    "mountains",
    "sea",
    "lake",
    "river",
    "desert",
    "snow",
    "wood",
    "city",
)
GROUND_WEIGHTS = (0.1, 0.11, 0.12, 0.15, 0.11, 0.08, 0.08, 0.1, 0.07, 0.08)
BACKDROPS = ("none", "mountains", "hills", "forest")
TREE_KINDS = ("round", "pine", "palm", "bare", "autumn", "blossom")
HOUSE_COLOURS = {
    "red": (196, 58, 46),
    "white": (240, 236, 226),
    "blue": (74, 118, 190),
    "yellow": (238, 196, 84),
    "brown": (146, 98, 60),
}
SAIL_COLOURS = {"white": (246, 244, 236), "red": (212, 56, 46), "yellow": (246, 204, 70)}
BALLOON_COLOURS = {"red": (214, 52, 44), "yellow": (246, 200, 60), "blue": (60, 112, 200)}
FLOWER_COLOURS = {"red": (222, 48, 46), "yellow": (250, 206, 60), "purple": (150, 84, 190)}
COLOURS: dict[str, dict[str, tuple[int, int, int]]] = {
    "house": HOUSE_COLOURS,
    "boat": SAIL_COLOURS,
    "balloon": BALLOON_COLOURS,
    "flowers": FLOWER_COLOURS,
}
# What can be the main thing on each ground, by weight.
MAIN_WEIGHTS: dict[str, dict[str, float]] = {
    "meadow": {"none": 2, "tree": 2, "house": 4, "windmill": 2, "flowers": 3, "balloon": 1},
    "hills": {"none": 2, "tree": 2, "house": 4, "castle": 2, "windmill": 1, "balloon": 1},
    "mountains": {"none": 4, "house": 3, "castle": 2, "balloon": 1, "tree": 1},
    "sea": {"none": 2, "boat": 5, "lighthouse": 4, "balloon": 0.5},
    "lake": {"none": 2, "boat": 4, "house": 2, "castle": 1, "tree": 1},
    "river": {"none": 1, "bridge": 5, "house": 2, "tree": 1, "windmill": 1},
    "desert": {"none": 2, "cactus": 3, "tree": 2, "balloon": 1},
    "snow": {"none": 2, "house": 4, "tree": 3, "castle": 1},
    "wood": {"none": 3, "house": 2, "tree": 2, "bridge": 1},
    "city": {"none": 4, "bridge": 2, "balloon": 1, "boat": 1},
}
MAINS = (
    "none",
    "tree",
    "house",
    "castle",
    "windmill",
    "lighthouse",
    "boat",
    "bridge",
    "balloon",
    "flowers",
    "cactus",
)
SIZES = {  # height of the main thing as a share of the picture's
    "tree": (0.42, 0.62),
    "house": (0.28, 0.44),
    "castle": (0.34, 0.5),
    "windmill": (0.36, 0.52),
    "lighthouse": (0.46, 0.64),
    "boat": (0.32, 0.5),
    "bridge": (0.16, 0.24),
    "balloon": (0.28, 0.44),
    "flowers": (0.26, 0.4),
    "cactus": (0.28, 0.44),
}


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
    """One landscape. Fractions are of the picture's side; `seed` drives the small details.

    The places do not hang on `time`, so that one scene can be painted at every time of day.
    """

    time: str
    ground: str
    backdrop: str
    horizon: float
    disc: tuple[float, float, float] | None
    clouds: int
    path: bool
    birds: bool
    flowers: bool
    main: Thing | None
    things: tuple[Thing, ...] = field(default_factory=tuple)
    seed: int = 0

    @property
    def main_kind(self) -> str:
        """The kind of the main thing, or "none"."""
        return self.main.kind if self.main else "none"

    @property
    def shows_disc(self) -> bool:
        """Whether sun or moon can be seen."""
        return self.disc is not None and self.time not in ("storm", "fog")

    def at(self, time: str) -> Scene:
        """The same place at another time."""
        return replace(self, time=time)


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One of the names, by weight."""
    share = np.asarray(list(weights.values()), dtype=float)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]


def pick_time(rng: np.random.Generator) -> str:
    """A time of day or weather, by its weight."""
    return pick(rng, dict(zip(TIMES, TIME_WEIGHTS, strict=True)))


def _backdrop(rng: np.random.Generator, ground: str) -> str:
    weights = {
        "meadow": (0.3, 0.3, 0.22, 0.18),
        "hills": (0.5, 0.35, 0.0, 0.15),
        "snow": (0.2, 0.45, 0.15, 0.2),
        "desert": (0.6, 0.4, 0.0, 0.0),
        "sea": (0.7, 0.18, 0.12, 0.0),
        "lake": (0.0, 0.55, 0.2, 0.25),
        "river": (0.2, 0.35, 0.25, 0.2),
        "city": (0.8, 0.2, 0.0, 0.0),
    }.get(ground, (1.0, 0.0, 0.0, 0.0))
    return pick(rng, dict(zip(BACKDROPS, weights, strict=True)))


def _tree_kind(rng: np.random.Generator, ground: str) -> str:
    weights = {
        "snow": (0.0, 0.75, 0.0, 0.25, 0.0, 0.0),
        "desert": (0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
        "wood": (0.0, 0.0, 0.0, 0.1, 0.9, 0.0),
        "mountains": (0.15, 0.7, 0.0, 0.05, 0.1, 0.0),
    }.get(ground, (0.42, 0.18, 0.0, 0.08, 0.18, 0.14))
    return pick(rng, dict(zip(TREE_KINDS, weights, strict=True)))


def _main(rng: np.random.Generator, ground: str, horizon: float) -> Thing | None:
    kind = pick(rng, MAIN_WEIGHTS[ground])
    if kind == "none":
        return None
    size = float(rng.uniform(*SIZES[kind]))
    x = float(rng.uniform(0.24, 0.76))
    depth = {
        "lighthouse": (0.12, 0.3),
        "boat": (0.3, 0.65),
        "bridge": (0.3, 0.45),
        "flowers": (0.9, 1.0),
        "castle": (0.15, 0.4),
    }.get(kind, (0.28, 0.62))
    if ground == "city":
        depth = (0.5, 0.7)
    y = horizon + float(rng.uniform(*depth)) * (1 - horizon)
    if kind == "balloon":
        y = float(rng.uniform(size + 0.06, max(size + 0.08, horizon + 0.04)))
    if kind == "lighthouse":
        x = float(rng.choice([rng.uniform(0.16, 0.34), rng.uniform(0.66, 0.84)]))
    if kind == "bridge":
        x = float(rng.uniform(0.42, 0.58))
    variant = _tree_kind(rng, ground) if kind == "tree" else ""
    if kind in COLOURS:
        variant = str(rng.choice(list(COLOURS[kind])))
    return Thing(kind, x, y, size, variant)


def _trees(
    rng: np.random.Generator, ground: str, horizon: float, main: Thing | None
) -> list[Thing]:
    if ground == "wood":
        return _framing_trees(rng, horizon, main)
    chance = {"sea": 0.0, "city": 0.0, "desert": 0.2, "lake": 0.5}.get(ground, 0.6)
    if rng.random() > chance:
        return []
    kind = main.variant if main and main.kind == "tree" else _tree_kind(rng, ground)
    trees: list[Thing] = []
    for _ in range(int(rng.choice([1, 2, 3, 5], p=[0.3, 0.3, 0.25, 0.15]))):
        depth = float(rng.uniform(0.08, 0.55))
        x = float(rng.uniform(0.05, 0.95))
        if ground in ("lake", "river"):
            x = float(rng.choice([rng.uniform(0.03, 0.2), rng.uniform(0.8, 0.97)]))
        if main and abs(x - main.x) < 0.16:
            continue
        size = (0.4 + depth) * 0.36 * float(rng.uniform(0.8, 1.2))
        trees.append(Thing("tree", x, horizon + depth * (1 - horizon), size, kind))
    return trees


def _framing_trees(rng: np.random.Generator, horizon: float, main: Thing | None) -> list[Thing]:
    """The trees of a wood: small ones behind, tall ones at both sides."""
    trees: list[Thing] = []
    for number in range(int(rng.integers(4, 7))):
        side = 0.04 + 0.26 * float(rng.random()) ** 1.3
        x = side if number % 2 else 1 - side
        depth = float(rng.uniform(0.15, 0.7))
        if main and abs(x - main.x) < 0.14:
            continue
        size = (0.34 + 0.5 * depth) * float(rng.uniform(0.9, 1.15))
        trees.append(Thing("tree", x, horizon + depth * (1 - horizon), size, "autumn"))
    return trees


def sample_scene(rng: np.random.Generator) -> Scene:
    """Draw one scene by lot, with things that belong on its ground."""
    ground = pick(rng, dict(zip(GROUNDS, GROUND_WEIGHTS, strict=True)))
    low, high = {
        "city": (0.62, 0.74),
        "sea": (0.42, 0.62),
        "mountains": (0.56, 0.7),
        "lake": (0.44, 0.56),
        "wood": (0.5, 0.6),
    }.get(ground, (0.42, 0.62))
    horizon = float(rng.uniform(low, high))
    disc = None
    if rng.random() < 0.72:
        disc = (
            float(rng.uniform(0.1, 0.9)),
            horizon * float(rng.uniform(0.22, 0.85)),
            float(rng.uniform(0.05, 0.1)),
        )
    main = _main(rng, ground, horizon)
    things = _trees(rng, ground, horizon, main)
    if main:
        things.append(main)
    open_land = ground in ("meadow", "hills", "snow", "wood", "mountains")
    return Scene(
        time=pick_time(rng),
        ground=ground,
        backdrop=_backdrop(rng, ground),
        horizon=horizon,
        disc=disc,
        clouds=int(rng.choice([0, 1, 2, 3], p=[0.3, 0.25, 0.25, 0.2])),
        path=open_land and rng.random() < 0.3,
        birds=rng.random() < 0.12,
        flowers=ground in ("meadow", "hills") and rng.random() < 0.25,
        main=main,
        things=tuple(sorted(things, key=lambda thing: thing.y)),
        seed=int(rng.integers(2**31)),
    )

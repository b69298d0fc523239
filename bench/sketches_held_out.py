"""How well ``prepare: auto`` tells drawings on paper from other pictures it was never tuned on.

Its thresholds were set on the pictures of ``tests/unit/reader/apart.py``. Here are others, made by
other people: photographs, scans of books and maps, and line drawings. They lie in packages, which
are not part of this project; unpack them into one folder, each into its own:

- ``opencv``: Debian's opencv-doc 4.6.0 (``dpkg-deb -x``)
- ``tuxpaint``: Debian's tuxpaint-data 0.9.28 (``dpkg-deb -x``)
- ``leptonica``: the source of leptonica 1.82.0
- ``skimage``, ``sklearn``: the wheels of scikit-image 0.26.0 and scikit-learn 1.9.1 (``unzip``)

Drawings are Tux Paint's pictures to be coloured in, and lines found in photographs (a difference
of Gaussians, as Winnemöller's XDoG), inked, pencilled or coloured, on a sheet that is scanned or
photographed by ``tools/phone.py``, which the thresholds were not set on either. One is a true scan
of a true pencil drawing. Printed pictures in books, and maps, are drawings on paper to some and
none to others, so they are counted apart.

Run: ``python bench/sketches_held_out.py FOLDER``; ``--keep FOLDER`` stores all the pictures, and
``--seed`` draws other papers and lights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.papers import as_jpeg
from tools.phone import Light, Shot, photograph_of

from img2imgd.reader import preparing
from img2imgd.reader.protocol import SizeRule

COLOURED_IN = ["chicken", "frog", "jetplane", "rocket", "shipwreck", "street", "nagasaki",
               "carcassone", "pansy", "worldmap_europe", "worldmap_africa", "hat"]  # fmt: skip
TRACED = ["skimage/chelsea.png", "skimage/coffee.png", "skimage/astronaut.png",
          "skimage/rocket.jpg", "skimage/camera.png", "sklearn/flower.jpg", "sklearn/china.jpg",
          "opencv/fruits.jpg", "opencv/butterfly.jpg", "opencv/building.jpg", "opencv/home.jpg",
          "opencv/messi5.jpg"]  # fmt: skip
TRUE_DRAWINGS = ["leptonica/dave-orig.png"]
PRINTED = ["leptonica/" + name for name in (
    "brev.06.75.jpg", "brev.10.75.jpg", "brev.36.75.jpg", "candelabrum.011.jpg",
    "cavalerie.11.jpg", "lyra.005.jpg", "lyra.036.jpg", "pancrazi.15.jpg", "copernicus.png",
    "dreyfus8.png", "tickets.tif", "patent.png", "lion-page.00010.jpg", "lion-page.00016.jpg",
    "map.057.jpg", "map1.jpg", "comap.063.jpg", "comap.100.jpg", "comap.118.jpg", "rgb16.tif",
    "warped_paper.jpg", "warped_sudoku.jpg")]  # fmt: skip
TEXT = [
    "leptonica/" + name
    for name in (
        "1555.003.jpg",
        "1555.007.jpg",
        "amoris.2.150.jpg",
        "binding-example.45.jpg",
        "boxedpage.jpg",
        "brev.14.75.jpg",
        "brev.20.75.jpg",
        "brev.53.75.jpg",
        "brev.56.75.jpg",
        "breviar.38.150.jpg",
        "brothers.150.jpg",
        "cat.007.jpg",
        "cat.035.jpg",
        "cavalerie.29.jpg",
        "colorpage.030.jpg",
        "contrast-orig-60.jpg",
        "cootoots.png",
        "feyn.tif",
        "form1.tif",
        "german.png",
        "harmoniam-11.tif",
        "harmoniam100-11.png",
        "italic.png",
        "keystone.png",
        "lapide.052.100.jpg",
        "lighttext.jpg",
        "lion-page.00013.png",
        "lucasta.047.jpg",
        "lucasta.150.jpg",
        "pageseg2.tif",
        "pageseg3.tif",
        "pedante.079.jpg",
        "scots-frag.tif",
        "shearer.148.tif",
        "stampede2.jpg",
        "table.15.tif",
        "table.27.tif",
        "w91frag.jpg",
        "witten.tif",
        "zanotti-78.jpg",
        "zier.jpg",
        "lion-page.00017.png",
        "arabic.png",
    )
] + [
    "skimage/page.png",
    "skimage/text.png",
    "opencv/text_defocus.jpg",
    "opencv/imageTextN.png",
    "opencv/imageTextR.png",
    "opencv/sudoku.png",
    "opencv/LR_05.png",
    "opencv/notes.png",
]
PHOTOGRAPHS = [*("skimage/" + name for name in (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png",
    "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
    "moon.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg")),
    "sklearn/china.jpg", "sklearn/flower.jpg",
    *("opencv/" + name for name in (
    "plant.jpg", "scenetext01.jpg", "scenetext02.jpg", "scenetext03.jpg", "scenetext04.jpg",
    "scenetext05.jpg", "scenetext06.jpg", "scenetext_segmented_word02.jpg", "fruits.jpg",
    "baboon.jpg", "left11.jpg", "left05.jpg", "leuvenA.jpg", "squirrel_cls.jpg", "home.jpg",
    "aloeL.jpg", "basketball2.png", "orange.jpg", "chicky_512.png", "stuff.jpg",
    "rubberwhale2.png", "messi5.jpg", "ela_original.jpg", "graf1.png", "aero1.jpg", "aero3.jpg",
    "apple.jpg", "butterfly.jpg", "building.jpg", "box_in_scene.png", "box.png",
    "starry_night.jpg", "pca_test1.jpg", "smarties.png", "cards.png", "blox.jpg", "ml.png",
    "licenseplate_motion.jpg")),
    *("leptonica/" + name for name in (
    "church.png", "juditharismax.jpg", "karen8.jpg", "marge.jpg", "rock.png", "tetons.jpg",
    "wyom.jpg", "wet-day.jpg", "fish24.jpg", "greencover.jpg", "feynman-stamp.jpg")),
    *(f"tuxpaint/{name}.jpg" for name in (
    "burnt_bark", "cliff", "corn_maze", "jellyfish", "lighthouse", "mossy_bark", "mossy_log",
    "mudstone", "ocean_splash", "ocean_waves", "redwoods_above", "rocks", "sheep", "spiders_web",
    "sun_behind_clouds", "sun_behind_leaves", "trees_above", "trees_at_dusk",
    "wool_mill_machine"))]  # fmt: skip
DESKS = ["burnt_bark", "rocks", "mudstone", "mossy_log", "wool_mill_machine"]
PAPERS = [(1.0, 1.0, 1.0), (0.99, 0.97, 0.90), (0.93, 0.93, 0.95), (0.95, 0.86, 0.66)]


class Packages:
    """The files of the packages, by the package's folder and their own name."""

    def __init__(self, root: Path) -> None:
        self._files: dict[str, Path] = {}
        for path in sorted(root.rglob("*")):
            if path.is_file():
                key = f"{path.relative_to(root).parts[0]}/{path.name}"
                if key not in self._files or "/html/" not in str(path):
                    self._files[key] = path

    def picture(self, key: str) -> Image.Image:
        """On white where it is transparent."""
        with Image.open(self._files[key]) as image:
            if image.mode in ("I;16", "I"):
                return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
            seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")


def traced(photo: Image.Image) -> Light:
    """Darkness of the lines that someone would ink along; what is dark all over stays bare."""
    photo = photo.copy()
    photo.thumbnail((640, 640), Image.Resampling.LANCZOS)
    grey = np.asarray(photo.convert("L"), np.float32) / 255
    edges = gaussian_filter(grey, 2.3) - gaussian_filter(grey, 1.4)
    return np.asarray((60 * (edges - 0.006)).clip(0, 1), np.float32)


def reflectance(
    lines: Light, rng: np.random.Generator, colours: Image.Image | None = None
) -> Light:
    """A sheet (linear, 1000 × 1400 or lying) with the lines on it, somewhere, in some medium."""
    high, wide = (1400, 1000) if lines.shape[0] > 0.8 * lines.shape[1] else (1000, 1400)
    share = rng.uniform(0.45, 0.85)
    scale = share * min(wide / lines.shape[1], high / lines.shape[0])
    size = (round(lines.shape[1] * scale), round(lines.shape[0] * scale))
    left = round(rng.uniform(0.06, 0.94) * (wide - size[0]))
    top = round(rng.uniform(0.06, 0.94) * (high - size[1]))
    drawn = np.zeros((high, wide), np.float32)
    resized = Image.fromarray(lines).resize(size, Image.Resampling.BICUBIC)
    drawn[top : top + size[1], left : left + size[0]] = np.asarray(resized).clip(0, 1)
    tooth = gaussian_filter(rng.standard_normal((high, wide)), 0.9) * 3
    pencilled = rng.random() < 0.5
    strength = rng.uniform(0.45, 0.8) if pencilled else rng.uniform(0.85, 0.97)
    if pencilled:
        drawn = gaussian_filter(drawn, 0.7) * (1 - 0.35 * (tooth > 0.4))
    found = 1 - strength * drawn[..., None] * np.asarray((1.0, 0.99, 0.96))
    if colours is not None:  # pale, as with a coloured pencil or a wash
        tone = colours.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.MedianFilter(9))
        pale = 1 - 0.6 * (1 - np.asarray(tone, np.float32) / 255)
        found[top : top + size[1], left : left + size[0]] *= pale
    paper = np.asarray(PAPERS[int(rng.integers(len(PAPERS)))])
    cloud = gaussian_filter(rng.standard_normal((high, wide)), 4) * 8
    fibre = 1 + 0.008 * tooth + 0.006 * cloud
    return np.asarray((found * paper * fibre[..., None]).clip(0, 1) ** 2.2, np.float32)


def scanned(sheet: Light, rng: np.random.Generator) -> Image.Image:
    """By a flatbed: its lamp falls off to one side, its lens is a little soft, and it sharpens."""
    high, wide = sheet.shape[:2]
    ramp = 1 - rng.uniform(0, 0.12) * np.linspace(0, 1, wide) ** 2
    seen = (sheet * ramp[None, :, None]).clip(0, 1) ** (1 / 2.2) * rng.uniform(0.92, 0.99)
    soft = gaussian_filter(seen, (0.8, 0.8, 0))
    seen = seen + 0.6 * (seen - soft) + rng.normal(0, 0.006, (high, wide, 3))
    image = Image.fromarray((seen.clip(0, 1) * 255).astype(np.uint8))
    turned = float(rng.uniform(-3, 3))
    corner = image.getpixel((5, 5))
    image = image.rotate(turned, Image.Resampling.BICUBIC, fillcolor=corner)
    return as_jpeg(image, int(rng.integers(70, 95)))


def phoned(sheet: Light, rng: np.random.Generator, desk: Image.Image | None) -> Image.Image:
    """By a phone, held somehow."""
    size = (900, 1200) if sheet.shape[0] > sheet.shape[1] else (1200, 900)
    corners = [(x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.05, 0.05))
               for x, y in ((0.12, 0.11), (0.87, 0.1), (0.9, 0.9), (0.1, 0.88))]  # fmt: skip
    shot = Shot(
        size, corners, shadow=float(rng.choice([0.0, 0.3, 0.5])),
        penumbra=float(rng.uniform(0.004, 0.03)), falloff=float(rng.uniform(0.2, 0.8)),
        warmth=float(rng.uniform(-0.03, 0.16)), blur=float(rng.uniform(0, 1.2)),
        noise=float(rng.uniform(0.008, 0.03)), seed=int(rng.integers(1 << 30)),
    )  # fmt: skip
    around = None
    if desk is not None:
        around = (np.asarray(desk.resize(size), np.float32) / 255) ** np.float32(2.2)
    return photograph_of(sheet, shot, around)[0]


def drawings(packages: Packages, seed: int) -> Iterator[tuple[str, Image.Image]]:
    """Each subject scanned, and photographed; half of the traced ones in colours."""
    for key in TRUE_DRAWINGS:
        yield key, packages.picture(key)
    rng = np.random.default_rng(seed)
    for number, key in enumerate((*(f"tuxpaint/{n}.png" for n in COLOURED_IN), *TRACED)):
        source, colours = packages.picture(key), None
        if key.startswith("tuxpaint"):
            lines = 1 - np.asarray(source.convert("L"), np.float32) / 255
        else:
            lines, colours = traced(source), source if number % 3 == 0 else None
        yield f"scan: {key}", scanned(reflectance(lines, rng, colours), rng)
        desk = packages.picture(f"tuxpaint/{DESKS[number % 5]}.jpg") if number % 2 else None
        yield f"photo: {key}", phoned(reflectance(lines, rng, colours), rng, desk)


def acts(picture: Image.Image) -> bool:
    """Whether ``prepare: auto`` would make a clean drawing of it."""
    return preparing.drawn_on(picture, picture.size, SizeRule(512, prepare="auto")) is not None


def main() -> None:
    """Judge all, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    packages, results = Packages(options.packages), {}
    kinds = {
        "drawings": drawings(packages, options.seed),
        "photographs and paintings": ((key, packages.picture(key)) for key in PHOTOGRAPHS),
        "pages of text, forms": ((key, packages.picture(key)) for key in TEXT),
        "pictures printed in books, maps": ((key, packages.picture(key)) for key in PRINTED),
    }
    print("| pictures | how many | taken for a drawing |\n| --- | ---: | ---: |")
    for kind, pictures in kinds.items():
        judged: dict[str, bool] = {}
        for name, picture in pictures:
            judged[name] = acts(picture)
            if options.keep:
                options.keep.mkdir(exist_ok=True)
                stem = f"{kind[:5]}-{'y' if judged[name] else 'n'}-{name}"
                picture.save(options.keep / (stem.replace("/", "_").replace(": ", "-") + ".png"))
        results[kind] = judged
        print(f"| {kind} | {len(judged)} | {sum(judged.values())} |", flush=True)
        for name in sorted(n for n, yes in judged.items() if yes != (kind == "drawings")):
            print(f"    {name}: {'taken for one' if judged[name] else 'left alone'}")
    target = Path(__file__).parent / "results" / "sketches_held_out.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

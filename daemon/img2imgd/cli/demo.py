"""``demo``: sample sketches through the real daemon path, with the embedded model."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from msgspec import structs
from rich.console import Console

from img2imgd import log
from img2imgd.app import Outcome, serve_once
from img2imgd.cli.progress import ProgressBars
from img2imgd.cli.serving import print_outcome
from img2imgd.cli.story import Chapter, tell
from img2imgd.config import Config, load_config
from img2imgd.errors import Exit
from img2imgd.sketches import SKETCHES

STYLES = ("turner", "andy warhol", "hokusai", "van gogh")
_PICTURES = {"house.png": 1, "boat.png": len(STYLES), "hills.png": 31}
_SHOWN = (0, 8, 14, 19, 30)  # the strengths of the sweep that the sheet shows
SIDECARS = {
    "house": """\
# A sketch becomes a picture.
prompt: a watercolour of a red house and a tree in the hills on a sunny day
strength: 0.7
guidance_scale: 6
seed: 187
""",
    "boat": f"""\
# One sketch and one seed in several styles: " by hokusai" and so on is added to the prompt.
prompt: a sailing boat on the sea at sunset
style: [{", ".join(STYLES)}]
strength: 0.65
guidance_scale: 6
seed: 187
""",
    "hills": """\
# A sweep: from the sketch to the prompt in 31 steps, one seed, with a GIF of the morph.
prompt: an oil painting of a lake with mountains at sunset
guidance_scale: 6
seed: 187
sweep:
  strength: {from: 0.05, to: 0.95, step: 0.03}
""",
}


def demo(arguments: argparse.Namespace) -> Exit:
    """Draw, drop, serve, and say where to look."""
    root: Path = arguments.folder.absolute()
    config = _config(root)
    log.configure("WARNING")
    console = Console(stderr=True)
    inbox = config.inboxes[0].path
    _drop(inbox)
    console.print(f"Dropped {len(SIDECARS)} sketches with their sidecars into {inbox}")
    console.print("Painting them on this machine with the embedded model …")
    with ProgressBars(console) as bars:
        outcome = serve_once(config, timeout=60, watch=bars.update)
    _say(config, outcome)
    return outcome.exit_code


def _config(root: Path) -> Config:
    """The default config; nobody is still writing the files, so they settle at once."""
    config = load_config(None, root, env=os.environ)
    inboxes = tuple(replace(inbox, settle=0.2) for inbox in config.inboxes)
    limits = structs.replace(config.limits, min_free_gb=0.1)
    return replace(config, inboxes=inboxes, limits=limits)


def _drop(inbox: Path) -> None:
    inbox.mkdir(parents=True, exist_ok=True)
    for name, sidecar in SIDECARS.items():
        SKETCHES[name]().save(inbox / f"{name}.png")
        (inbox / f"{name}.yaml").write_text(sidecar, encoding="utf-8")


def _say(config: Config, outcome: Outcome) -> None:
    """What was made and which files to open, in plain words."""
    program = "img2imgd" if shutil.which("img2imgd") else sys.argv[0]
    root = shlex.quote(str(config.root))
    made = {row.spec.rel: config.outbox / row.published for row in outcome.jobs if row.published}
    if any(len(_pictures(made.get(name))) < number for name, number in _PICTURES.items()):
        print("Not everything could be painted.")
        print_outcome(outcome)
        if outcome.exit_code is Exit.ENVIRONMENT:
            print(f"To paint what is still open:\n\n  {program} once --root {root}")
        else:
            print(f"See {config.failed}")
        return
    gif = next(made["hills.png"].glob("*.gif"))
    story = config.root / "story.png"
    tell(_chapters(config.done, made), story)
    print(f"""
Done. Everything on one sheet:
    {story}

  A sketch became a picture:
    {made["house.png"]}
  One sketch in {len(STYLES)} styles, a picture each, in the folder:
    {made["boat.png"]}
  A morph from sketch to painting, 31 strengths from 0.05 to 0.95:
    {gif}
    (every picture of it lies beside it, and all of them on a contact sheet)

The sketches and sidecars you started from are in {config.done}.
The embedded model is a toy for trying and testing: it knows landscapes and nothing else. Name a
look, a place and a time of day; a strength of 0.6 to 0.7 keeps your drawing. For real work use
Stable Diffusion; this writes a config to name it in:

  {program} init DIR

To go on with this folder:

  {program} run --root {root}

then drop a picture and a sidecar into {config.inboxes[0].path}.""")


def _pictures(published: Path | None) -> list[Path]:
    """What one job made: its one picture, or those in its folder in order."""
    if published is None:
        return []
    if not published.is_dir():
        return [published]
    return sorted(path for path in published.glob("*.png") if not path.stem.endswith("_sheet"))


def _chapters(done: Path, made: dict[str, Path]) -> list[Chapter]:
    """The sheet's rows: sketch to picture, one sketch in several styles, the morph."""
    styles, strengths = _pictures(made["boat.png"]), _pictures(made["hills.png"])
    told = {
        "house.png": ("A sketch becomes a picture", [(made["house.png"], "painted")]),
        "boat.png": ("One sketch, several styles", list(zip(styles, STYLES, strict=True))),
        "hills.png": (
            "A sweep over strengths",
            [(strengths[at], f"strength {0.05 + 0.03 * at:.2f}") for at in _SHOWN],
        ),
    }
    return [
        Chapter(title, SIDECARS[name.removesuffix(".png")], done / name, pictures)
        for name, (title, pictures) in told.items()
    ]

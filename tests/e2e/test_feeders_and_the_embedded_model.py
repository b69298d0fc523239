"""Scanner, tablet and names as prompts, with the real engine and the embedded model."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageStat
from served_root import ServedRoot
from tools.papers import CREAM, Light, Sheet, hills, scanned
from tools.papers import house as drawn_house

import documents
from img2imgd.sketches import house
from waiting import wait_until

CONFIG = """\
root: {root}
engine: {{device: cpu}}
limits: {{min_free_gb: 0}}
defaults: {{steps: 12, strength: 0.6}}
inboxes:
  - path: {root}/scans
    profile: scanner
    settle: 0.4
    pair_wait: 0.2
    defaults: {{prompt: "a watercolour of a {{folder}}, soft light"}}
  - path: {root}/tablet
    profile: tablet
    rescan: 1
    defaults: {{prompt: an oil painting of a red house in a green meadow}}
  - path: {root}/named
    settle: 0.4
    pair_wait: 0.2
    prompt_from_name: true
"""


def _two_sheets() -> bytes:
    """A scan of two drawings on cream paper, in shade."""
    sheets = [
        scanned(Sheet(subject, size=(500, 700), paper=CREAM), 1.5, Light(0.35, 0.3)).picture
        for subject in (drawn_house(), hills())
    ]
    file = io.BytesIO()
    sheets[0].save(file, "TIFF", compression="tiff_lzw", save_all=True, append_images=sheets[1:])
    return file.getvalue()


def test_scans_drawings_and_named_pictures_are_painted(root: ServedRoot) -> None:
    for name in ("scans/cottage", "tablet", "named"):
        (root.path / name).mkdir(parents=True)
    root.config.write_text(CONFIG.format(root=root.path))
    daemon = root.start()

    (root.path / "scans/cottage/SCAN0001.tif").write_bytes(_two_sheets())
    (root.path / "named/a red house__s0.7__seed12.kra").write_bytes(documents.layered(house()))
    drawing = root.path / "tablet/art.png"
    for save in range(3):
        sketch = house()
        sketch.paste((250, 220, 40), (10, 10, 40 + 20 * save, 40 + 20 * save))
        sketch.save(drawing)
    latest = root.outbox / "art.latest.png"
    wait_until(latest.exists, "the drawing is painted", 120)
    wait_until((root.done / "cottage/SCAN0001.tif").exists, "both pages are painted", 120)
    wait_until((root.done / "a red house__s0.7__seed12.kra").exists, "the Krita file is", 120)
    assert daemon.stop() == 0

    pages = sorted(root.outbox.glob("cottage/SCAN0001_p*.png"))
    assert [page.name[:11] for page in pages] == ["SCAN0001_p1", "SCAN0001_p2"]
    told = [root.command("recipe", page).stdout for page in pages]
    assert all("a watercolour of a cottage, soft light" in text for text in told)
    for page in pages:
        with Image.open(page) as image:
            assert ImageStat.Stat(image.convert("L")).stddev[0] > 10, "it is no empty sheet"
    (named,) = root.outbox.glob("a red house*.png")
    recipe = root.command("recipe", named).stdout
    assert "prompt: a red house\n" in recipe
    assert "strength: 0.7" in recipe
    assert "seed: 12\n" in recipe

    newest = max(root.outbox.glob("art_*.png"), key=lambda path: path.stat().st_mtime_ns)
    assert latest.read_bytes() == newest.read_bytes()
    with Image.open(latest) as image, Image.open(drawing) as sketch:
        change = ImageChops.difference(
            image.convert("RGB"), sketch.convert("RGB").resize(image.size)
        )
    assert 10 < sum(ImageStat.Stat(change).mean) / 3 < 90, "a painting of that sketch"

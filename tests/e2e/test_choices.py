"""``img2imgd once`` and ``check`` on drops with choices, styles by name and prompts by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from accounting import reasons
from PIL import Image
from sample_drops import drop
from served_root import ServedRoot

from img2imgd.job import JobState, plan_frames
from img2imgd.ledger import JobRow
from img2imgd.request import canonical_keys, frame_keys, sidecar_text

LISTS = {
    "_prompts.txt": "# places\na cottage\n\na {misty|clear} lake\na boat\n",
    "artists.csv": "artist,born\ncarl rungius,1869\nthomas moran,1837\nwinslow homer,1836\n",
    "styles.csv": '\ufeffname,prompt,negative_prompt\r\nWatercolour,"watercolour of {prompt},\r\n'
    'soft","photo, 3d"\r\n',
    "sub/styles.csv": 'name,prompt\nOil,"oil\n',
}
DROPS = {
    "choice.png": 'prompt: "a {oil|ink|gouache} lake, {bright|dark}"\nseed: 1\nn: 6\nsteps: 2\n',
    "lines.png": "prompt: {from: _prompts.txt}\nseed: 3\nsteps: 2\nstrength: 0.9\n",
    "artists.png": "prompt: a lake\nstyle: {choose: 2, from: artists.csv}\nsteps: 2\n",
    "named.png": "prompt: a lake\nnegative_prompt: ugly\nstyle: watercolour\nsteps: 2\n",
    "sub/broken.png": "prompt: a lake\nstyle: Oil\nsteps: 2\n",
    "braces.png": "prompt: '{cat'\nseed: 5\nsteps: 2\n",
    "missing.png": "prompt: {from: _promts.txt}\nsteps: 2\n",
}


@dataclass(frozen=True)
class Served:
    """A root that was served once, and its jobs by picture."""

    root: ServedRoot
    jobs: dict[str, JobRow]

    def published(self, picture: str) -> list[str]:
        """Names of the pictures that a job published."""
        path = self.root.outbox / self.jobs[picture].published
        return sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    base = tmp_path_factory.mktemp("choices")
    root = ServedRoot(base / "root", base / "config.yaml")
    root.write_config()
    for name, sidecar in DROPS.items():
        path = root.inbox / name
        drop(path.parent, path.name, sidecar)
    for name, text in LISTS.items():
        (root.inbox / name).write_bytes(text.encode())
    result = root.once()
    assert result.returncode == 3, result.stderr
    return Served(root, {row.spec.rel: row for row in root.jobs()})


def test_lists_stay_and_everything_else_was_served(served: Served) -> None:
    assert set(served.jobs) == set(DROPS)
    left = [p for p in served.root.inbox.rglob("*") if p.is_file() and ".img2imgd" not in p.parts]
    assert {str(p.relative_to(served.root.inbox)): p.read_bytes() for p in left} == {
        name: text.encode() for name, text in LISTS.items()
    }
    failed = {rel for rel, row in served.jobs.items() if row.state is JobState.FAILED}
    assert failed == {"sub/broken.png", "missing.png"}


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()


def test_each_variation_is_published_under_the_words_it_drew(served: Served) -> None:
    frames = plan_frames(served.jobs["choice.png"].spec.asked)
    *names, sheet = served.published("choice.png")
    assert sheet.endswith("_sheet.png")
    assert names == [
        f"choice_{frame.index:02}_{frame.words.replace(', ', '-').replace(' ', '-')}"
        f"_{frame.seed}.png"
        for frame in frames
    ]
    assert len({frame.words for frame in frames}) > 2


def test_the_lines_of_a_list_are_published_in_their_order(served: Served) -> None:
    names = served.published("lines.png")
    assert names[::2] == ["lines_00_a-cottage_3.png", "lines_02_a-boat_3.png"]
    assert names[1] in ("lines_01_a-misty-lake_3.png", "lines_01_a-clear-lake_3.png")


def test_styles_of_lists_and_of_the_table_are_in_the_request(served: Served) -> None:
    chosen = served.jobs["artists.png"].spec.asked.styles
    assert len(set(chosen)) == 2
    assert set(chosen) < {"carl rungius", "thomas moran", "winslow homer"}
    (frame,) = plan_frames(served.jobs["named.png"].spec.asked)
    assert (frame.prompt, frame.negative_prompt) == (
        "watercolour of a lake, soft",
        "ugly, photo, 3d",
    )


def test_a_broken_table_and_a_missing_list_are_explained(served: Served) -> None:
    said = {name: text.replace("\n", " ") for name, text in reasons(served.root).items()}
    assert "styles.csv cannot be used: line 2: a quote is opened" in said["sub/broken.png"]
    assert "Did you mean `_prompts.txt`?" in said["missing.png"]


def test_a_recipe_without_the_lists_makes_the_same_pictures(served: Served, tmp_path: Path) -> None:
    again = ServedRoot(tmp_path / "again", tmp_path / "config.yaml")
    again.write_config()
    names = ("choice.png", "lines.png", "artists.png", "named.png", "braces.png")
    for name in names:
        keys = canonical_keys(served.jobs[name].spec.asked)
        drop(again.inbox, name, sidecar_text(keys))
    request = served.jobs["lines.png"].spec.asked
    alone = frame_keys(request, plan_frames(request)[1])
    picture = (served.root.done / "lines.png").read_bytes()
    drop(again.inbox, "alone.png", sidecar_text(alone), picture)
    assert again.once().returncode == 0
    jobs = Served(again, {row.spec.rel: row for row in again.jobs()})
    for name in names:
        assert jobs.published(name) == served.published(name)
        one, two = (s.root.outbox / s.jobs[name].published for s in (served, jobs))
        for frame in served.published(name):
            first, second = (pixels(p / frame if p.is_dir() else p) for p in (one, two))
            assert first == second, frame
    frame = served.root.outbox / served.jobs["lines.png"].published
    same = pixels(frame / served.published("lines.png")[1])
    assert pixels(again.outbox / jobs.jobs["alone.png"].published) == same


def test_check_describes_what_would_be_drawn(root: ServedRoot) -> None:
    for name, text in LISTS.items():
        path = root.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    sidecar = root.inbox / "sub" / "cat.yaml"
    sidecar.write_text("prompt: {from: _prompts.txt}\nstyle: {prompt: x}\nseed: 3\n")
    told = root.command("check", sidecar, root.inbox / "artists.csv", "-c", root.config)
    assert told.returncode == 0, told.stdout
    assert "“a cottage”, “a " in told.stdout
    assert "{misty" not in told.stdout
    assert "for example" not in told.stdout
    assert "artists.csv: fine: a list of 3 lines" in told.stdout
    broken = root.command("check", root.inbox / "sub" / "styles.csv", "-c", root.config)
    assert broken.returncode == 2
    assert "styles.csv: line 2: a quote is opened" in broken.stdout
    (root.inbox / "sub" / "styles.csv").unlink()
    sidecar.write_text("prompt: a lake\nstyle: {from: artists.csv, choose: 2}\n")
    told = root.command("check", sidecar, "-c", root.config)
    assert "fine: for example “a lake”, 2 frames, style " in told.stdout

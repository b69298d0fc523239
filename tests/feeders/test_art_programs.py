"""Each save of an art program into a tablet's inbox is painted once, whole, and nothing else is."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from saving import PROGRAMS, GimpExport, Krita, Program, pause
from served_root import ServedRoot

from img2imgd.job import JobState
from img2imgd.ledger import JobRow, read_ledger
from waiting import wait_until

CONFIG = """\
root: {root}
engine: {{backend: fake, device: cpu}}
limits: {{min_free_gb: 0}}
inboxes:
  - path: {root}/inbox
    profile: tablet
    defaults: {{prompt: a lake, steps: 4, seed: 1}}
"""
_MADE_FROM = re.compile(rb"input\W.{1,80}\Wsha256\W.{1,20}?([0-9a-f]{64})\W")  # in the XMP packet
COLOURS = ("crimson", "seagreen", "royalblue")


def drawing(colour: str, of: str) -> bytes:
    """A PNG of its own for every colour and program, of several of a program's writes."""
    side = (160, 120)
    noise = Image.effect_noise(side, 90).convert("RGB")
    grey = sum(of.encode()) % 200
    picture = Image.blend(noise, Image.new("RGB", side, colour), 0.6)
    picture.putpixel((0, 0), (grey, grey, grey))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@contextmanager
def tablet(folder: Path) -> Iterator[ServedRoot]:
    """A tablet's inbox and a running daemon, which is ended after."""
    root = ServedRoot(folder / "root", folder / "config.yaml")
    root.inbox.mkdir(parents=True)
    root.config.write_text(CONFIG.format(root=root.path))
    daemon = root.start()
    try:
        yield root
        assert daemon.stop() == 0, daemon.log
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(10)


def jobs_of(root: ServedRoot, rel: str) -> list[JobRow]:
    """The jobs of one picture, oldest first."""
    return [row for row in root.jobs() if row.spec.rel == rel]


def painted(root: ServedRoot, rel: str) -> list[str]:
    """The SHA-256 of each picture that was painted, as the output itself tells it."""
    return [_made_from(root, row) for row in jobs_of(root, rel) if row.published]


def _made_from(root: ServedRoot, row: JobRow) -> str:
    assert row.published
    told = _MADE_FROM.search((root.outbox / row.published).read_bytes())
    assert told, row.published
    return told[1].decode("ascii")


def sha256(content: bytes) -> str:
    """As outputs tell what they were made from."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Saved:
    """What was saved by each program into the folder of its name, and what waited meanwhile."""

    root: ServedRoot
    contents: dict[str, list[bytes]] = field(default_factory=lambda: dict[str, list[bytes]]())
    waited: set[str] = field(default_factory=lambda: set[str]())
    waiting_after: list[str] = field(default_factory=lambda: list[str]())

    def note_waiting(self) -> list[str]:
        """Ask what waits, by path."""
        ledger = read_ledger(self.root.path / "state" / "ledger.sqlite")
        assert ledger is not None
        try:
            waiting = [row.rel for row in ledger.waiting_files()]
        finally:
            ledger.close()
        self.waited.update(waiting)
        return waiting


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    """All programs save three times each, side by side; each waits until it has been painted."""
    with tablet(tmp_path_factory.mktemp("tablet")) as root:
        saved = Saved(root)
        for program in PROGRAMS:
            (root.inbox / program.name).mkdir()
        for colour in COLOURS:
            _save_all(saved, colour)
        wait_until(lambda: not saved.note_waiting(), "nothing waits")
        yield saved


def _save_all(saved: Saved, colour: str) -> None:
    def save(program: Program, content: bytes) -> None:
        program.save(saved.root.inbox / program.name / "art.png", content)

    threads: list[threading.Thread] = []
    for program in PROGRAMS:
        content = drawing(colour, program.name)
        saved.contents.setdefault(program.name, []).append(content)
        threads.append(threading.Thread(target=save, args=(program, content)))
        threads[-1].start()
    while any(thread.is_alive() for thread in threads):
        saved.note_waiting()
        pause(0.05)
    count = len(PROGRAMS) * len(saved.contents[PROGRAMS[0].name])
    saved.root.wait_served(count)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_save_is_painted_once_and_whole(saved: Saved, program: Program) -> None:
    rel = f"{program.name}/art.png"
    contents = saved.contents[program.name]
    assert [row.state for row in jobs_of(saved.root, rel)] == [JobState.DONE] * 3
    assert painted(saved.root, rel) == [sha256(content) for content in contents]
    assert (saved.root.inbox / rel).read_bytes() == contents[-1]


def test_what_programs_write_beside_is_no_job_and_waits_for_nobody(saved: Saved) -> None:
    pictures = {f"{program.name}/art.png" for program in PROGRAMS}
    assert {row.spec.rel for row in saved.root.jobs()} == pictures
    assert saved.waited <= pictures
    assert not list(saved.root.failed.glob("*"))


@pytest.mark.parametrize("program", [GimpExport(), Krita()], ids=lambda program: program.name)
def test_of_hasty_saves_whole_ones_are_painted_and_the_last(
    program: Program, tmp_path: Path
) -> None:
    contents = [drawing(colour, f"hasty {n}") for n in range(2) for colour in COLOURS]
    with tablet(tmp_path) as root:
        for number, content in enumerate(contents):
            program.save(root.inbox / "art.png", content)
            pause(0.55 + 0.08 * number)  # some find their claim at work, some come before
        last = sha256(contents[-1])
        wait_until(lambda: last in painted(root, "art.png"), "the last save is painted")
        wait_until(lambda: root.served(len(root.jobs())), "every job has ended")
        seen = painted(root, "art.png")
        assert set(seen) <= {sha256(content) for content in contents}
        assert len(seen) == len(set(seen))
        assert not [row for row in root.jobs() if row.state is JobState.FAILED]


def test_gimp_itself_saves_into_an_inbox(tmp_path: Path) -> None:
    gimp = shutil.which("gimp-console")
    assert gimp, "this test needs GIMP: apt-get install gimp"
    script = "".join(
        f"""(let* ((image (car (gimp-image-new 320 240 RGB)))
             (layer (car (gimp-layer-new image 320 240 RGB-IMAGE "a" 100 LAYER-MODE-NORMAL))))
          (gimp-image-insert-layer image layer 0 0)
          (gimp-context-set-foreground '({red} 40 40))
          (gimp-drawable-fill layer FILL-FOREGROUND)
          (plug-in-rgb-noise RUN-NONINTERACTIVE image layer TRUE TRUE 0.2 0.2 0.2 0)
          (gimp-file-save RUN-NONINTERACTIVE image layer "{{path}}" "{{path}}")
          (usleep 1500000))"""
        for red in (60, 220)
    )
    with tablet(tmp_path) as root:
        code = script.format(path=root.inbox / "art.png")
        _run([gimp, "-i", "-d", "-f", "-b", f"(begin {code} (gimp-quit 0))"], tmp_path)
        _assert_painted(root, 2)


def test_krita_itself_saves_into_an_inbox(tmp_path: Path) -> None:
    krita, xvfb = shutil.which("krita"), shutil.which("xvfb-run")
    assert krita, "this test needs Krita: apt-get install krita"
    assert xvfb, "this test needs xvfb-run: apt-get install xvfb xauth"
    source = tmp_path / "source.png"
    source.write_bytes(drawing("seagreen", "krita"))
    with tablet(tmp_path) as root:
        art = root.inbox / "art.png"
        art.write_bytes(drawing("crimson", "krita"))
        root.wait_served(1)
        export = ["--nosplash", "--export", "--export-filename", art, source]
        _run([xvfb, "-a", krita, *export], tmp_path)  # seconds: of a new home it makes an index
        _assert_painted(root, 2)


def _run(command: Sequence[str | os.PathLike[str]], home: Path) -> None:
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(
        command, check=True, timeout=200, stdin=subprocess.DEVNULL, capture_output=True,
        env={**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)},
    )  # fmt: skip


def _assert_painted(root: ServedRoot, count: int) -> None:
    root.wait_served(count)
    assert {row.spec.rel for row in root.jobs()} == {"art.png"}
    assert [row.state for row in root.jobs()] == [JobState.DONE] * count
    assert painted(root, "art.png")[-1] == sha256((root.inbox / "art.png").read_bytes())

"""The replayed programs take the very steps that were recorded of the real ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORDED = (HERE / "saves_of_art_programs.trace").read_text(encoding="utf-8")
TRACED = "openat,write,sendfile,linkat,rename,unlink,fsync,fdatasync,chmod,fchmod"
SAVE = """\
import sys
from pathlib import Path
import saving
getattr(saving, sys.argv[1])().save(Path(sys.argv[2]), bytes(100_000))
"""


def steps(text: str) -> list[str]:
    """What was done to files of the folder, in order: calls with what of a name is no chance.

    A row of writes is one step. What reads only, or failed, changes nothing and is left out.
    """
    done: list[str] = []
    for line in text.splitlines():
        if "writes," in line:
            done.append("write")
            continue
        call = re.search(r"\b(\w+)\((.*)\) += (\S+)", line)
        if call is None or call[1] == "close" or call[3] == "-1":
            continue
        name, arguments = call[1], call[2]
        if name == "openat" and not re.search("O_CREAT|O_TMPFILE|O_WRONLY", arguments):
            continue
        if name in ("sendfile", "write"):
            if done[-1:] != [name]:
                done.append(name)
            continue
        flags = " ".join(re.findall("O_TRUNC|O_EXCL|O_TMPFILE|O_NOFOLLOW", arguments))
        named = [
            re.sub(r"[A-Za-z0-9]{6}$", "XXXXXX", Path(path).name)
            if re.search(r"(\.goutputstream-|\.png\.)\w{6}$", path)
            else Path(path).name
            for path in re.findall(r'"([^"]*)"', arguments)
            if "/proc/" not in path
        ]
        files = [] if "O_TMPFILE" in flags else named
        done.append(" ".join([name, *files, *filter(None, [flags])]))
    return done


@pytest.mark.parametrize(
    ("program", "title", "file"),
    [
        ("Krita", "Krita 5.1.5, File > Save", "art.png"),
        ("GimpExport", "GIMP 2.10.34, gimp-file-save to an a.png", "a.png"),
        ("GimpThroughGio", "GIMP 2.10.34, gimp-file-save to an a.xcf", "a.xcf"),
        ("GimpThroughGio", "GIMP 2.10.34, gimp-file-save to an a.tif", "a.tif"),
    ],
)
def test_a_replayed_save_takes_the_recorded_steps(
    program: str, title: str, file: str, tmp_path: Path
) -> None:
    strace = shutil.which("strace")
    assert strace, "this test needs strace: apt-get install strace"
    path, trace = tmp_path / file, tmp_path / "trace"
    path.write_bytes(b"before")
    if program == "Krita":
        (tmp_path / f"{file}~").write_bytes(b"long before")
    subprocess.run(
        [strace, "-f", "-y", "-s", "8", "-e", f"trace={TRACED}", "-o", trace,
         sys.executable, "-B", "-c", SAVE, program, path],
        check=True, cwd=HERE, timeout=60,
    )  # fmt: skip
    ours = [
        re.sub(r"<[^>]*>(\(deleted\))?", "", line)
        for line in trace.read_text(errors="replace").splitlines()
        if f"{tmp_path}" in line and f'"{trace}"' not in line
    ]
    (recorded,) = re.findall(
        rf"^== {re.escape(title)}.*\n((?:.+\n)+)", RECORDED, flags=re.MULTILINE
    )
    assert steps("\n".join(ours)) == _with_unseen_writes(steps(recorded), program)


def _with_unseen_writes(recorded: list[str], program: str) -> list[str]:
    """Krita's save on screen was recorded without its writes; --export's shows where they are."""
    if program != "Krita":
        return recorded
    at = max(number for number, step in enumerate(recorded) if step == "fdatasync")
    return [*recorded[:at], "write", *recorded[at:]]

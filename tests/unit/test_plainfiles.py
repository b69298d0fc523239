"""Files that somebody else put there are opened only if they are plain."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from img2imgd import plainfiles


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert plainfiles.read_regular(tmp_path / "file", 4) == b"01234", "one more than asked for"
    assert plainfiles.read_regular(tmp_path / "file", 99) == b"0123456789"
    for name in ("link", "pipe", "."):
        with pytest.raises(OSError, match=r"."):
            plainfiles.read_regular(tmp_path / name, 4)


def test_a_copy_never_lets_others_run_it_as_the_daemons_user(tmp_path: Path) -> None:
    for name in ("drop", "copy"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "drop").chmod(0o6755)
    with (tmp_path / "drop").open("rb") as drop, (tmp_path / "copy").open("wb") as copy:
        plainfiles.copy_status(drop.fileno(), copy.fileno())
    assert (tmp_path / "copy").stat().st_mode & 0o7777 == 0o755


def test_a_writer_is_noticed_and_a_reader_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    assert not plainfiles.has_writer(path)
    with path.open("rb"):
        assert not plainfiles.has_writer(path)
    with path.open("ab"):
        assert plainfiles.has_writer(path)
    assert not plainfiles.has_writer(path)
    assert not plainfiles.has_writer(tmp_path / "gone")


def test_a_writer_that_comes_while_it_is_asked_for_does_not_end_the_process(
    tmp_path: Path,
) -> None:
    """The kernel signals the holder of a lease; SIGIO would kill it (fcntl(2), "Leases")."""
    (tmp_path / "a").write_bytes(b"x")
    script = """
        import fcntl, os, sys
        from pathlib import Path
        from img2imgd import plainfiles
        path = Path(sys.argv[1])
        real = fcntl.fcntl
        def with_writer(descriptor, what, value):
            if (what, value) == (fcntl.F_SETLEASE, fcntl.F_UNLCK):
                try:
                    os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                except BlockingIOError:
                    print("the writer had to wait")
            return real(descriptor, what, value)
        fcntl.fcntl = with_writer
        plainfiles.has_writer(path)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "a")],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(plainfiles.__file__).parents[1])},
    )  # fmt: skip
    assert (run.returncode, run.stdout.strip()) == (0, "the writer had to wait"), run.stderr

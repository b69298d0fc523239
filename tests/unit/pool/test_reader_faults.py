"""A reader that dies, hangs, says half a word or is stopped: who is blamed, and what goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from descriptors import descriptors_left

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.pool.reader_child import ReaderChild
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import ReaderLimits, SizeRule
from waiting import wait_until

# Stands for the interpreter, and so for a reader that a picture took over.
TAKEN_OVER = """\
#!{python}
import os, socket, struct, sys, time
us = socket.socket(fileno=int(sys.argv[4]))
us.sendall(struct.pack("!i", 15) + b'{{"missing": []}}')
us.recv(100_000)
{then}
"""


def busy_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy(process: ReaderProcess, before: float) -> bool:
    return process.pid is not None and busy_seconds(process.pid) > before + 0.1


def kill_while_reading(process: ReaderProcess, slow: Path, number: int) -> list[Exception]:
    """Ask for the slow picture in a thread, and end the child amid it."""
    caught: list[Exception] = []

    def ask() -> None:
        try:
            process.prepare(slow, slow.with_name("out.png"), SizeRule("keep", multiple=8))
        except (PictureError, EnvironmentFault) as fault:
            caught.append(fault)

    assert process.pid is not None
    before = busy_seconds(process.pid)
    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: busy(process, before), "the reader is busy")
    os.kill(process.pid, number)
    thread.join(30)
    assert not thread.is_alive()
    return caught


def asking(process: ReaderProcess, path: Path) -> tuple[threading.Thread, list[Exception]]:
    """Ask for a picture in a thread that is under way."""
    caught: list[Exception] = []

    def ask() -> None:
        try:
            process.inspect(path)
        except (PictureError, EnvironmentFault) as fault:
            caught.append(fault)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, caught


@pytest.fixture
def take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ReaderProcess]:
    """A maker of readers that do something else when they are asked."""

    def make(then: str) -> ReaderProcess:
        program = tmp_path / "python"
        program.write_text(TAKEN_OVER.format(python=sys.executable, then=then))
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return ReaderProcess(timeout=1)

    return make


def hang(reader: ReaderProcess, cat: Path) -> None:
    """Stop the child, so that it answers nothing any more."""
    reader.inspect(cat)
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGSTOP)


def test_a_crash_blames_the_picture_and_the_next_is_read(
    reader: ReaderProcess, cat: Path, slow: Path
) -> None:
    reader.inspect(cat)
    (fault,) = kill_while_reading(reader, slow, signal.SIGSEGV)
    assert isinstance(fault, PictureError)
    assert "slow.png crashed the reader (killed by SIGSEGV)" in fault.message
    assert reader.inspect(cat).width == 96


def test_being_stopped_blames_nobody(reader: ReaderProcess, cat: Path, slow: Path) -> None:
    reader.inspect(cat)
    (fault,) = kill_while_reading(reader, slow, signal.SIGTERM)
    assert isinstance(fault, EnvironmentFault)


def test_only_the_second_kill_in_a_row_blames_the_picture(
    reader: ReaderProcess, cat: Path, slow: Path
) -> None:
    reader.inspect(cat)
    (first,) = kill_while_reading(reader, slow, signal.SIGKILL)
    assert isinstance(first, EnvironmentFault)
    reader.inspect(cat)
    (second,) = kill_while_reading(reader, slow, signal.SIGKILL)
    assert isinstance(second, PictureError)


def test_only_the_second_time_that_a_reader_hangs_blames_the_picture(cat: Path) -> None:
    """A share that is away for a minute, or a machine that has no time, is not the picture."""
    reader = ReaderProcess(timeout=1)
    try:
        hang(reader, cat)
        with pytest.raises(EnvironmentFault, match=r"cat\.png took more than 1 s, but only 0\.0 s"):
            reader.inspect(cat)
        hang(reader, cat)
        with pytest.raises(PictureError, match=r"cat\.png took more than 1 s\."):
            reader.inspect(cat)
        hang(reader, cat)
        with pytest.raises(EnvironmentFault):
            reader.inspect(cat)
    finally:
        reader.close()


def test_a_picture_on_which_the_reader_computed_all_the_time_is_blamed_at_once(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ReaderProcess(timeout=1)
    try:
        hang(reader, cat)
        used = iter([2.0, 2.0 + ReaderLimits().cpu_seconds * 0.6])
        monkeypatch.setattr(ReaderChild, "cpu_seconds", property(lambda _: next(used)))
        with pytest.raises(PictureError, match="took more than 1 s"):
            reader.inspect(cat)
    finally:
        reader.close()


def test_storage_that_does_not_answer_is_never_the_pictures_fault(
    cat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReaderChild, "waits_for_disk", property(lambda _: True))
    reader = ReaderProcess(timeout=1)
    try:
        for _ in range(3):
            hang(reader, cat)
            with pytest.raises(EnvironmentFault, match="its storage does not answer"):
                reader.inspect(cat)
    finally:
        reader.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "then",
    ["time.sleep(600)", "while True: time.sleep(0.1); us.sendall(b' ')"],
    ids=["nothing more", "a byte now and then"],
)
def test_half_an_answer_holds_nobody_up(
    take_over: Callable[[str], ReaderProcess], cat: Path, then: str
) -> None:
    reader = take_over("us.sendall(struct.pack('!i', 1000) + b'{')\n" + then)
    with pytest.raises(EnvironmentFault, match="took more than 1 s"):
        reader.inspect(cat)
    assert reader.pid is None


def test_an_endless_answer_is_not_taken(
    take_over: Callable[[str], ReaderProcess], cat: Path
) -> None:
    reader = take_over("us.sendall(struct.pack('!i', 2_000_000_000)); time.sleep(600)")
    with pytest.raises(PictureError, match="answer nonsense"):
        reader.inspect(cat)
    assert reader.pid is None


def test_a_reader_that_just_ends_is_no_proof_against_the_picture(
    take_over: Callable[[str], ReaderProcess], cat: Path
) -> None:
    all_heard = "us.settimeout(0.5)\ntry:\n    while us.recv(100_000): pass\nexcept TimeoutError: "
    reader = take_over(f"{all_heard}os._exit(0)")
    with pytest.raises(EnvironmentFault, match="The reader ended while it read"):
        reader.inspect(cat)
    with pytest.raises(PictureError, match="exit status 0"):
        reader.inspect(cat)


@pytest.mark.parametrize("running", [True, False])
def test_a_supervisor_without_free_descriptors_blames_no_picture(
    reader: ReaderProcess, cat: Path, running: bool
) -> None:
    faults: list[Exception] = []
    for left in range(10):
        reader.inspect(cat) if running else reader.close()
        with descriptors_left(left):
            try:
                reader.inspect(cat)
            except EnvironmentFault as fault:
                faults.append(fault)
    assert faults
    assert reader.inspect(cat).width == 96


def test_a_stop_does_not_wait_for_a_question_and_blames_nobody(
    reader: ReaderProcess, cat: Path
) -> None:
    hang(reader, cat)
    thread, caught = asking(reader, cat)
    wait_until(reader._lock.locked, "the question is asked")
    reader.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(fault) for fault in caught] == [EnvironmentFault]
    with pytest.raises(EnvironmentFault, match="is being stopped"):
        reader.inspect(cat)
    assert reader.pid is None


def test_a_stop_does_not_wait_for_a_reader_that_starts(
    reader: ReaderProcess, cat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    thread, caught = asking(reader, cat)
    wait_until(lambda: reader.pid is not None, "the reader starts")
    reader.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(fault) for fault in caught] == [EnvironmentFault]

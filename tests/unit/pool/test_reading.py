"""The reader's child process: a real one, asked, starved, killed and replaced."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image

from img2imgd.errors import EnvironmentFault, PictureError
from img2imgd.pool import reading
from img2imgd.pool.reader_child import ReaderChild
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import PictureInfo, ReaderLimits, SizeRule
from waiting import wait_until

RULE = SizeRule(64, multiple=8)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def busy_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_pictures_are_inspected_and_prepared(
    reader: ReaderProcess, cat: Path, tmp_path: Path
) -> None:
    assert reader.inspect(cat) == PictureInfo(96, 48, "PNG", 1, "RGB", None)
    target = tmp_path / "plain.png"
    report = reader.prepare(cat, target, SizeRule((64, 64), "contain", multiple=8))
    assert (report.width, report.height, report.notes) == (64, 64, ())
    with Image.open(target) as image:
        assert image.size == (64, 64)


@pytest.mark.parametrize("side", [16, 400])
@pytest.mark.parametrize("do", ["view", "prepare"])
def test_a_full_disk_is_told_by_a_child_that_lives_on(tmp_path: Path, do: str, side: int) -> None:
    """Few bytes stay in a file's buffer, and would be written once more when it is closed."""
    picture = tmp_path / "noise.png"
    Image.effect_noise((side, side), 99).convert("RGB").save(picture)
    question = {"path": str(picture), "do": do, "side": side, "size": "keep", "fit": "cover",
                "multiple": 8, "whole": True, "prepare": "none"}  # fmt: skip
    child = ReaderChild(ReaderLimits())
    try:
        assert child.missing() is not None
        for _ in range(2):
            with picture.open("rb") as source, Path("/dev/full").open("wb") as full:
                child.send(json.dumps(question).encode(), [source, full])
            answer = json.loads(child.receive(30, 10_000))
            assert answer["error"] == "environment"
            assert "No space left" in answer["message"]
    finally:
        child.end()


def test_one_child_serves_many_questions_and_threads(reader: ReaderProcess, cat: Path) -> None:
    reader.inspect(cat)
    first, answers = reader.pid, []
    threads = [
        threading.Thread(target=lambda: answers.append(reader.inspect(cat))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert reader.pid == first


def test_errors_come_through_as_they_are(reader: ReaderProcess, tmp_path: Path) -> None:
    bad = tmp_path / "cat.png"
    bad.write_bytes(b"%PDF-1.4")
    with pytest.raises(PictureError, match=r"cat\.png is a PDF document") as caught:
        reader.prepare(bad, tmp_path / "out.png", RULE)
    assert caught.value.advice
    assert reader.pid is not None


def test_a_target_on_a_failing_disk_is_no_fault_of_the_picture(
    reader: ReaderProcess, cat: Path, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        reader.prepare(cat, tmp_path / "absent" / "out.png", RULE)


def test_names_with_broken_bytes_and_newlines_are_read(
    reader: ReaderProcess, cat: Path, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ca\xfft\n.png"))
    odd.write_bytes(cat.read_bytes())
    assert reader.inspect(odd).width == 96
    assert reader.prepare(odd, odd.with_name("out\udcff.png"), RULE).width == 64
    odd.write_bytes(b"")
    with pytest.raises(PictureError, match=r"\\udcff") as caught:
        reader.inspect(odd)
    caught.value.message.encode()


def test_the_child_imports_neither_torch_nor_msgspec(reader: ReaderProcess, cat: Path) -> None:
    reader.inspect(cat)
    libraries = Path(f"/proc/{reader.pid}/maps").read_text()
    assert "_imaging" in libraries
    assert "torch" not in libraries
    assert "msgspec" not in libraries
    assert "numpy" not in libraries


def test_the_child_is_confined(reader: ReaderProcess, cat: Path) -> None:
    reader.inspect(cat)
    limits = Path(f"/proc/{reader.pid}/limits").read_text()
    assert f"Max address space         {3200 * 1_000_000}" in limits
    assert "Max core file size        0  " in limits
    assert "Max open files            64 " in limits
    assert "Max file size             401000000 " in limits


def test_the_child_is_in_its_sandbox_and_has_no_tokens(
    cat: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    reader = ReaderProcess()
    try:
        reader.inspect(cat)
        status = Path(f"/proc/{reader.pid}/status").read_text()
        environment = Path(f"/proc/{reader.pid}/environ").read_bytes()
    finally:
        reader.close()
    if "seccomp" not in caplog.text:
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
    assert b"HF_TOKEN" not in environment


def test_a_sandbox_that_cannot_be_had_is_told_once(
    reader: ReaderProcess, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        reader._tell_missing(["Landlock", "seccomp"])
    assert caplog.messages == [
        "this kernel has no Landlock and no seccomp: pictures are read with less of a sandbox"
    ]


@pytest.mark.parametrize(
    "answer",
    [[], {"ok": 5}, {"ok": {"width": "wide"}}, {"ok": {}}, {"error": "picture"}, {"error": []},
     {"error": "picture", "message": 5, "advice": ""}],
)  # fmt: skip
def test_a_child_that_was_taken_over_can_answer_nothing_that_harms(
    reader: ReaderProcess, cat: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    reader.inspect(cat)
    with monkeypatch.context() as patch:
        receive = ReaderChild.receive

        def taken_over(child: ReaderChild, seconds: float, most: int) -> bytes:
            receive(child, seconds, most)
            return json.dumps(answer).encode()

        patch.setattr(ReaderChild, "receive", taken_over)
        with pytest.raises(PictureError, match=r"cat\.png"):
            reader.inspect(cat)
    assert reader.inspect(cat).width == 96


def test_too_little_memory_is_said_and_the_next_picture_is_read(
    cat: Path, slow: Path, tmp_path: Path
) -> None:
    reader = ReaderProcess(ReaderLimits(memory_mb=250))
    try:
        with pytest.raises(PictureError, match=r"slow\.png needs more than 250 MB"):
            reader.prepare(slow, tmp_path / "out.png", SizeRule("keep", multiple=8))
        assert reader.inspect(cat).width == 96
    finally:
        reader.close()


def test_too_much_computing_is_said_and_the_next_picture_is_read(cat: Path, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    # 400 million pixels of nothing: half a megabyte, and many seconds of work.
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 1)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(20_000_000)) for _ in range(61)) + packer.flush()
    path = tmp_path / "work.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    limits = ReaderLimits(max_pixels=400_000_000, memory_mb=8000, cpu_seconds=1)
    reader = ReaderProcess(limits, timeout=60)
    try:
        reader.inspect(cat)
        with pytest.raises(PictureError, match="took more than 1 s of computing time"):
            reader.prepare(path, tmp_path / "out.png", RULE)
        assert reader.inspect(cat).width == 96
    finally:
        reader.close()


def test_the_time_allowed_is_for_each_picture(cat: Path, tmp_path: Path) -> None:
    Image.new("RGB", (600, 600)).save(tmp_path / "some.png", compress_level=1)
    reader = ReaderProcess(ReaderLimits(cpu_seconds=1), timeout=60)
    try:
        reader.inspect(cat)
        first = reader.pid
        assert first is not None
        while busy_seconds(first) < 3:
            reader.prepare(tmp_path / "some.png", tmp_path / "out.png", SizeRule(1024))
        assert reader.pid == first
    finally:
        reader.close()


def test_a_child_that_died_between_pictures_is_replaced(reader: ReaderProcess, cat: Path) -> None:
    reader.inspect(cat)
    first = reader.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not alive(first), "the first reader ended")
    assert reader.inspect(cat).width == 96
    assert reader.pid != first


def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next(
    reader: ReaderProcess, cat: Path, slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.inspect(cat)
    with monkeypatch.context() as patch:

        def interrupt(child: ReaderChild, seconds: float, most: int) -> bytes:
            raise KeyboardInterrupt

        patch.setattr(ReaderChild, "receive", interrupt)
        with pytest.raises(KeyboardInterrupt):
            reader.inspect(slow)
    assert reader.inspect(cat).width == 96


def test_control_c_does_not_end_the_child(reader: ReaderProcess, cat: Path) -> None:
    reader.inspect(cat)
    first = reader.pid
    assert first is not None
    os.kill(first, signal.SIGINT)
    assert reader.inspect(cat).width == 96
    assert reader.pid == first


def test_close_ends_the_child_and_a_later_question_starts_another(
    reader: ReaderProcess, cat: Path
) -> None:
    assert reader.pid is None
    reader.inspect(cat)
    first = reader.pid
    assert first is not None
    reader.close()
    assert not alive(first)
    assert reader.pid is None
    assert reader.inspect(cat).width == 96
    reader.close()
    reader.close()


def test_the_child_ends_when_its_parent_is_killed(cat: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from img2imgd.pool.reading import ReaderProcess\n"
        "reader = ReaderProcess(); reader.inspect(Path(sys.argv[1]))\n"
        "print(reader.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(cat)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(reading.__file__).parents[2])},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_until(lambda: not alive(child), "the reader ended with its parent")


def test_an_interpreter_that_cannot_start_blames_the_environment(
    cat: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(EnvironmentFault, match="cannot be started"):
        ReaderProcess().inspect(cat)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EnvironmentFault, match="did not start"):
        ReaderProcess().inspect(cat)


def test_nothing_is_left_open(cat: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = ReaderProcess()
    reader.inspect(cat)
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_parent_needs_no_pillow() -> None:
    program = "import json, sys, img2imgd.pool.reading; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(reading.__file__).parents[2])},
    )
    modules = json.loads(shown.stdout)
    assert "img2imgd.reader.protocol" in modules
    assert not {"PIL", "torch", "msgspec"} & set(modules)

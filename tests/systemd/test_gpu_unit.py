"""The service on an NVIDIA card: gpu.conf lets CUDA in, and nothing else.

Elsewhere these are skipped: no step of an installation gives a machine a card.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from installing import follow
from probing import probe_while_painting
from served_machine import UNIT, Service

from waiting import wait_until

pytestmark = pytest.mark.skipif(
    not Path("/dev/nvidiactl").exists(), reason="there is no NVIDIA card here"
)

ONE = "prompt: an oil painting of a lake at sunset\nsteps: 20\nsize: 256\n"
LONG = ONE + "n: 400\n"


@pytest.fixture
def gpu(service: Service) -> Service:
    """The service as the README says for a GPU, not started yet."""
    service.write_config(backend="diffusers", device="cuda")
    follow(service.machine, "A GPU")
    service.systemctl("stop", UNIT)
    return service


def holders(service: Service) -> set[str]:
    """The processes of the machine that have a card open."""
    script = "ls -l /proc/[0-9]*/fd 2>/dev/null | awk '/^.proc/{at=$1} /nvidia/{print at}'"
    return set(service.machine.shell(script).split())


def test_it_paints_on_the_card(gpu: Service) -> None:
    gpu.start()
    gpu.drop("lake.png", ONE)
    gpu.wait_done("lake.png", seconds=90)
    assert " device=cuda (engine.device) dtype=float16 " in gpu.log, gpu.log
    assert gpu.journal(4) == ""


def test_without_the_drop_in_the_card_cannot_be_used(gpu: Service) -> None:
    gpu.machine.shell(f"rm /etc/systemd/system/{UNIT}.d/gpu.conf; systemctl daemon-reload")
    gpu.start()
    gpu.drop("lake.png", ONE)
    wait_until(lambda: "needs gpu.conf" in gpu.show("StatusText"), "it says what is missing", 60)
    assert gpu.done() == []
    [line] = [line for line in doctor(gpu).splitlines() if " service " in line]
    assert "hides the NVIDIA card" in line


def test_nothing_else_is_let_in(gpu: Service) -> None:
    found = probe_while_painting(gpu, LONG)
    before, after = found["staged"]
    assert 1 <= before <= after < 400
    assert [what for what, told in found["attempts"].items() if told == "DONE"] == []
    assert holders(gpu), "nobody had the card meanwhile"


def test_a_pause_frees_the_card(gpu: Service) -> None:
    gpu.start()
    gpu.drop("lake.png", LONG)
    wait_until(gpu.staged, "it paints", 60)
    assert holders(gpu)
    tell = "runuser -u img2imgd -- /opt/img2imgd/bin/img2imgd {} -c /etc/img2imgd/config.yaml"
    gpu.machine.shell(tell.format("pause"))
    wait_until(lambda: not holders(gpu), "nobody has the card open", 30)
    gpu.machine.shell(tell.format("resume"))
    gpu.wait_done("lake.png", seconds=120)


def doctor(service: Service) -> str:
    """What it says to root, who is not in the sandbox."""
    program = "/opt/img2imgd/bin/img2imgd", "doctor", "-c", "/etc/img2imgd/config.yaml"
    return service.machine.run(*program, check=False).stdout


def test_the_doctor_knows_the_card(gpu: Service) -> None:
    [line] = [line for line in doctor(gpu).splitlines() if " device " in line]
    print(line)
    assert line.startswith("fine")
    assert "cuda (engine.device), float16" in line


def test_compiled_code_is_kept_where_the_service_may_write(gpu: Service) -> None:
    config = gpu.machine.root / "etc/img2imgd/config.yaml"
    config.write_text(config.read_text().replace("device: cuda", "device: cuda, compile: true"))
    gpu.start()
    gpu.drop("lake.png", ONE)
    gpu.wait_done("lake.png", seconds=200)
    assert "speed=compiled blocks" in gpu.log, gpu.log
    assert gpu.journal(4) == ""
    assert list((gpu.machine.root / "var/cache/img2imgd/triton").iterdir())

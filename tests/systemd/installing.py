"""The program and its units in a machine, put there by the commands of systemd/README.md.

One thing differs: `pip install` would download gigabytes, so the environment at /opt/img2imgd is a
real one whose path leads to this repository's package and to the packages that the tests use.
"""

from __future__ import annotations

import re

from machine import REPOSITORY, Machine

README = REPOSITORY / "systemd" / "README.md"

_ENVIRONMENT = """
ldconfig
/opt/python/bin/python3 -m venv --without-pip /opt/img2imgd
cd /opt/img2imgd
printf '/opt/source/daemon\\n/opt/packages\\n' > "$(echo lib/python3*)/site-packages/img2imgd.pth"
cat > bin/img2imgd <<END
#!/opt/img2imgd/bin/python
import sys
from img2imgd.__main__ import main
sys.exit(main())
END
chmod +x bin/img2imgd
"""
_ENVIRONMENT_LINES = re.compile(r"^(python3 -m venv|/opt/img2imgd/bin/pip) .*\n", re.MULTILINE)


def commands(heading: str) -> str:
    """The shell commands below a heading of the README, all blocks together."""
    section = re.split(r"^## ", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    [text] = [part for part in section if part.startswith(f"{heading}\n")]
    return "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def follow(machine: Machine, heading: str) -> str:
    """Run the README's commands below a heading as it says: as root, in the repository."""
    script = _ENVIRONMENT_LINES.sub("", commands(heading))
    return machine.shell(f"cd /opt/source\n{script}")


def install(machine: Machine) -> None:
    """Do what the README says under Install, on a machine where anna has an account."""
    left_out = _ENVIRONMENT_LINES.findall(commands("Install"))
    assert len(left_out) == 2, "the README makes the environment in other ways than the tests know"
    machine.shell(_ENVIRONMENT)
    machine.shell("useradd --create-home anna")
    follow(machine, "Install")

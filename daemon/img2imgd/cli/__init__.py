"""The command line: parse, print, exit codes. The only place that prints or decides an exit code.

Commands import what they need when they run, so that ``--help``, ``status``, ``check`` and
``schema`` answer at once; none of those imports torch.
"""

from img2imgd.cli.main import run

__all__ = ["run"]

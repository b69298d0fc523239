"""Arguments, and the edge where errors become messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from img2imgd import __version__
from img2imgd.errors import Exit, Img2imgdError

_EPILOG = """\
exit codes: 0 fine, 2 wrong usage or config, 3 some drops failed, 4 another img2imgd holds the
folders, 5 disk, device or model files did not allow the work, 1 a fault of img2imgd itself"""


def run(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    # Python has none where its caller has closed it (``>&-``).
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # a terminal of few signs is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        code = int(_command(arguments))
        sys.stdout.flush()
        return code
    except Img2imgdError as error:
        print(f"img2imgd: {error}", file=sys.stderr)
        return int(error.exit_code)
    except BrokenPipeError:
        return 0  # the reader of our output (head, a pager) had enough
    except OSError as error:
        if error.errno == errno.ENOENT and error.filename is None and not _is_anywhere():
            print("img2imgd: The folder that you are in is gone: cd elsewhere.", file=sys.stderr)
            return int(Exit.USAGE)
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor can the rest of it be written at exit
        print(f"img2imgd: The answer could not be written: {error.strerror}.", file=sys.stderr)
        return int(Exit.ENVIRONMENT)
    except KeyboardInterrupt:
        return 130


def _is_anywhere() -> bool:
    """False where somebody has removed the current folder."""
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _command(arguments: argparse.Namespace) -> Exit:
    """Import the command's module and call it."""
    name: str = arguments.command
    if name in ("run", "once"):
        from img2imgd.cli import serving

        return serving.run(arguments) if name == "run" else serving.once(arguments)
    if name == "demo":
        from img2imgd.cli import demo

        return demo.demo(arguments)
    if name == "fetch":
        from img2imgd.cli import fetch

        return fetch.fetch(arguments)
    if name == "status":
        from img2imgd.cli import status

        return status.status(arguments)
    if name in ("cancel", "retry", "pause", "resume"):
        from img2imgd.cli import orders

        given = {"cancel": orders.cancel, "retry": orders.retry, "pause": orders.pause}
        return given.get(name, orders.resume)(arguments)
    if name == "doctor":
        from img2imgd.cli import doctor

        return doctor.doctor(arguments)
    if name == "recipe":
        from img2imgd.cli import recipe

        return recipe.recipe(arguments)
    from img2imgd.cli import documents

    commands = {"init": documents.init, "check": documents.check, "schema": documents.schema}
    return commands[name](arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="img2imgd",
        description="A watch-folder daemon for image-to-image diffusion: drop a picture and a "
        "sidecar with a prompt into an inbox, find the results in the outbox.",
        epilog=_EPILOG,
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"img2imgd {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="img2imgd"
    )
    add = partial(commands.add_parser, formatter_class=_Help)
    _add_serving(add)
    _add_orders(add)
    _add_fetch(add)
    _add_documents(add)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal; argparse would import shutil to ask, at every start."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 80
        super().__init__(prog, width=columns - 2)


def _add_serving(add: Callable[..., argparse.ArgumentParser]) -> None:
    run = add("run", help="the daemon, in the foreground")
    _add_config(run)
    once = add("once", help="serve what is in the inboxes now, then exit")
    _add_config(once)
    once.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS",
        help="give up when no work was possible for so long (default: 60)",
    )  # fmt: skip
    for command in (run, once):
        command.add_argument(
            "--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"],
            help="what the log on stderr tells (default: INFO)",
        )  # fmt: skip
        command.add_argument(
            "--log-format", default="auto", choices=["auto", "text", "json", "journal"],
            help="auto: as text, for the journal with its priorities where stderr goes there",
        )  # fmt: skip
    demo = add("demo", help="draw sample sketches and serve them: see it work")
    demo.add_argument(
        "folder", nargs="?", type=Path, default=Path("img2imgd-demo"), metavar="DIR",
        help="default: ./img2imgd-demo",
    )  # fmt: skip
    status = add("status", help="queue, running job, last results, failures")
    _add_config(status)
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("--watch", action="store_true", help="go on until Ctrl-C")
    doctor = add("doctor", help="what works here, what does not, and what mends it")
    _add_config(doctor)
    doctor.add_argument(
        "--user", metavar="NAME",
        help="try as this user, as root (default: the service's, or you)",
    )  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="for programs")


def _add_orders(add: Callable[..., argparse.ArgumentParser]) -> None:
    cancel = add("cancel", help="give jobs up; what is painted of them is kept")
    retry = add("retry", help="have jobs that failed or were cancelled served once more")
    for command in (cancel, retry):
        command.add_argument(
            "jobs", nargs="*", metavar="JOB",
            help="an id, its beginning or its end, or the picture's path in the inbox",
        )  # fmt: skip
        _add_config(command)
    cancel.add_argument("--all", action="store_true", help="every job that has not ended")
    retry.add_argument("--failed", action="store_true", help="every job that failed")
    _add_config(add("pause", help="paint nothing and free the device, until `resume`"))
    _add_config(add("resume", help="go on after `pause`"))


def _add_fetch(add: Callable[..., argparse.ArgumentParser]) -> None:
    fetch = add("fetch", help="download models of the config ahead; goes on where it was stopped")
    fetch.add_argument(
        "models", nargs="*", metavar="MODEL",
        help="a name of the models table or an id of the hub (default: the whole table)",
    )  # fmt: skip
    _add_config(fetch)
    fetch.add_argument("--dry-run", action="store_true", help="say what would be downloaded")


def _add_documents(add: Callable[..., argparse.ArgumentParser]) -> None:
    init = add("init", help="write a commented config and make the folders")
    init.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="default: ~/img2imgd")
    check = add(
        "check", help="check sidecars or a config: all errors at once, and what would be made"
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_config(check)
    recipe = add("recipe", help="the sidecar that made an output, from the output itself")
    recipe.add_argument("image", type=Path, metavar="IMAGE")
    recipe.add_argument(
        "--job", action="store_true", help="that of the whole job, not of one frame"
    )
    schema = add("schema", help="JSON Schema of a sidecar or the config")
    schema.add_argument("what", choices=["sidecar", "config"])


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="the config (default: config.yaml in the root, if it is there)",
    )
    parser.add_argument(
        "--root", type=Path, metavar="DIR",
        help="the folder that holds inbox, outbox, done, failed and state (default: ~/img2imgd)",
    )  # fmt: skip

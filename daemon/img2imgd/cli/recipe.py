"""``recipe``: the sidecar that made a picture, from what the picture tells."""

from __future__ import annotations

import argparse
from pathlib import Path

from img2imgd.errors import Exit, PictureError, UsageError, shown
from img2imgd.outputs.recipe import Recipe
from img2imgd.pool.reading import ReaderProcess
from img2imgd.reader.protocol import PictureInfo
from img2imgd.request import parse_infotext, sidecar_text


def recipe(arguments: argparse.Namespace) -> Exit:
    """Print a sidecar that makes this frame (or its whole job) again from the original picture."""
    path: Path = arguments.image
    print(_sidecar(path, _inspect(path), whole_job=arguments.job), end="")
    return Exit.OK


def _inspect(path: Path) -> PictureInfo:
    reader = ReaderProcess()
    if not path.exists():
        raise UsageError(f"There is no {shown(str(path))}.")
    try:
        return reader.inspect(path)
    except PictureError as error:
        raise UsageError(error.message, error.advice) from None
    finally:
        reader.close()


def _sidecar(path: Path, info: PictureInfo, *, whole_job: bool) -> str:
    name = shown(path.name)
    if info.recipe is not None:
        return Recipe.from_json(info.recipe, name).sidecar(whole_job=whole_job)
    if info.infotext is None:
        raise UsageError(
            f"{name} does not tell how it was made.",
            "Only outputs written with `metadata: full`, and pictures with parameters of "
            "AUTOMATIC1111's kind, do; other programs may remove them when they save.",
        )
    keys = parse_infotext(info.infotext, name)
    passed_over = shown(", ".join(keys.passed_over))
    remark = f"# passed over: {passed_over}\n" if passed_over else ""
    return f"# from the parameters in {name}\n{remark}{sidecar_text(keys)}"

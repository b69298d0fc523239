"""What a view is made of: found through the ledger, opened where nobody is led astray."""

from __future__ import annotations

import os
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.ledger import JobRow
from img2imgd.page.books import Books
from img2imgd.page.files import open_below
from img2imgd.page.inputs import input_of
from img2imgd.page.outputs import JobOutputs
from img2imgd.page.views import Key, NoView, Source

_GONE = "It is not there any more."


def find_source(books: Books, outbox: Path, key: Key) -> Source:
    """Open the picture that a view shows.

    Raises:
        NoView: there is no such job or frame, or its file is gone.
        EnvironmentFault, OSError: the ledger or a disk does not answer.
    """
    with books.reading() as ledger:
        row = ledger.job(key.job)
    if row is None:
        raise NoView("There is no such job.")
    try:
        if key.frame is None:
            return _input(row)
        return _frame(row, outbox, key.frame)
    except FileNotFoundError:
        raise NoView(_GONE) from None


def _input(row: JobRow) -> Source:
    path = input_of(row)
    if path is None:
        raise NoView(_GONE)
    return Source(path, os.fdopen(plainfiles.open_regular(path), "rb"))


def _frame(row: JobRow, outbox: Path, index: int) -> Source:
    outputs = JobOutputs(outbox, row)
    path = outputs.published(index)
    if path is None:
        staged = outputs.staged(index)
        if staged is None:
            raise NoView("It is not painted, or not there any more.")
        path = str(staged.relative_to(outbox))
    return Source(outbox / path, open_below(outbox, os.fsencode(path).split(b"/")).file)

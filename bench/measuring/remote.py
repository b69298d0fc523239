"""An object in a process of its own, with an environment of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Self


class Remote:
    """Made there by ``factory(*arguments)``; its methods are called by name and waited for.

    Variables of the environment that are None are unset there.
    """

    def __init__(
        self,
        factory: Callable[..., object],
        *arguments: object,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, factory, arguments), daemon=True
        )
        before = dict(os.environ)
        try:
            for name, value in (environment or {}).items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self._answer()

    def call(self, method: str, *arguments: object) -> Any:
        """What the method gives back."""
        self._pipe.send((method, arguments))
        return self._answer()

    def _answer(self) -> Any:
        error, value = self._pipe.recv()
        if error:
            raise RuntimeError(f"in the other process: {error}")
        return value

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(
    pipe: Connection[Any, Any], factory: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    made = None
    method: Callable[..., object] = factory
    while True:
        try:
            value = method(*arguments)
            if made is None:
                made, value = value, None
            pipe.send(("", value))
        except Exception as error:  # noqa: BLE001 - told where it was asked for
            pipe.send((f"{type(error).__name__}: {error}", None))
        try:
            name, arguments = pipe.recv()
        except EOFError:
            return
        method = getattr(made, name)

"""What a drop asks for: its sidecar, its folder's defaults and the config's, as one request."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from img2imgd import plainfiles
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import DocumentError, shown
from img2imgd.inbox.lists import NOT_ALLOWED, InboxLists
from img2imgd.inbox.scan import Found
from img2imgd.request import Request, RequestKeys, read_defaults, read_sidecar, resolve
from img2imgd.settle import Signature

MAX_SIDECAR_BYTES = 64 * 1024


@dataclass(frozen=True)
class FolderDefaults:
    """The ``_defaults.yaml`` files that hold for a folder, nearest first, or why they cannot."""

    folder: str = ""
    layers: tuple[RequestKeys, ...] = ()
    broken: DocumentError | None = None
    where: str = ""


class Drops:
    """Reads sidecars and defaults of one inbox, again only when they have changed.

    The lists that they name are read with each request, from ``lists``.
    """

    def __init__(self, config: Config, inbox: InboxConfig, lists: InboxLists) -> None:
        self._config = config
        self._inbox = inbox
        self._lists = lists
        self._read: dict[str, tuple[Signature, RequestKeys | DocumentError]] = {}

    def sidecar(self, rel: str, signature: Signature) -> RequestKeys | DocumentError:
        """A sidecar's keys, or all that is wrong with it."""
        read = partial(read_sidecar, models=self._config.models)
        return self._cached(rel, signature, read)

    def defaults(self, folder: str, found: Mapping[str, Found]) -> FolderDefaults:
        """The defaults for a folder; ``found`` are the ``_defaults.yaml`` seen, by folder."""
        layers: list[RequestKeys] = []
        asked = folder
        while True:
            file = found.get(folder)
            if file is not None:
                keys = self._cached(file.rel, file.signature, read_defaults)
                if isinstance(keys, DocumentError):
                    return FolderDefaults(asked, broken=keys, where=file.rel)
                layers.append(keys)
            if not folder:
                return FolderDefaults(asked, tuple(layers))
            folder = folder.rpartition("/")[0]

    def request(
        self, name: str, layers: Sequence[RequestKeys], folder: FolderDefaults, rel: str
    ) -> Request:
        """The request of a drop; ``layers`` are its own keys, strongest first.

        In a live inbox the seed that nobody gave belongs to ``rel``, the path of the picture, so
        that strokes change it and not the dice.

        Raises:
            DocumentError: it cannot be served as asked.
            NotYet: a list that it names is still being written, or may still come.
        """
        return resolve(
            [*layers, *self._below(folder)],
            default_model=self._config.model,
            models=self._config.models,
            draw_seed=partial(_seed_of, rel) if self._inbox.live else _any_seed,
            max_frames=self._config.limits.max_frames,
            name=name,
            outputs=self._config.outputs,
            lists=self._lists.of(folder.folder),
            folder=folder.folder.rpartition("/")[2] or self._inbox.path.name,
        )

    def has_prompt(self, folder: FolderDefaults) -> bool:
        """True when pictures of a folder have a prompt without any sidecar."""
        return any(layer.has_prompt for layer in self._below(folder))

    def _below(self, folder: FolderDefaults) -> Sequence[RequestKeys]:
        """What holds for a folder's pictures whatever they ask for themselves."""
        inbox = self._inbox
        return (*folder.layers, inbox.defaults, self._config.defaults, inbox.usual)

    def forget_missing(self, present: set[str]) -> None:
        """Forget what was read of files that are gone."""
        for gone in self._read.keys() - present:
            del self._read[gone]

    def _cached(
        self, rel: str, signature: Signature, read: Callable[[str, bytes], RequestKeys]
    ) -> RequestKeys | DocumentError:
        known = self._read.get(rel)
        if known is not None and known[0] == signature:
            return known[1]
        result = _read(self._inbox.path / rel, read)
        if isinstance(result, RequestKeys):
            result.looking_in(self._lists.of(rel.rpartition("/")[0], rel))
        self._read[rel] = (signature, result)
        return result


def _any_seed() -> int:
    return secrets.randbelow(2**32)


def _seed_of(rel: str) -> int:
    """A seed that a path has for ever, on any machine."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(rel), digest_size=4).digest())


def _read(path: Path, read: Callable[[str, bytes], RequestKeys]) -> RequestKeys | DocumentError:
    name = shown(path.name)
    try:
        return read(name, plainfiles.read_regular(path, MAX_SIDECAR_BYTES))
    except DocumentError as error:
        return error
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise
        return DocumentError(name, [NOT_ALLOWED])

"""What a row of the models table asks of the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from img2imgd.hub.known import MOVED, is_hub_id

_URI = re.compile(
    r"hf://(?P<repo>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<path>[^\s]+?))?/?"
)

Kind = Literal["pipeline", "part", "lora", "configs"]
"""A whole pipeline; one part of one, such as a VAE; a LoRA's single file; a pipeline without its
weights but those of a safety checker, for the configs of a single file."""


@dataclass(frozen=True)
class HubSource:
    """A repository of the hub, or with ``path`` a file or folder in it.

    ``revision`` is a branch, tag or commit; None is the branch main.
    """

    repo: str
    revision: str | None = None
    path: str = ""

    def __str__(self) -> str:
        return f"{self.repo}/{self.path}" if self.path else self.repo


@dataclass(frozen=True)
class Wanted:
    """Files of a repository for one use; parts named in ``without`` are left out of a pipeline."""

    source: HubSource
    kind: Kind
    variant: str | None = None
    without: frozenset[str] = frozenset()

    @property
    def moved(self) -> Wanted | None:
        """The same where the repository has moved to; None where it has not."""
        if (repo := MOVED.get(self.source.repo)) is None:
            return None
        return replace(self, source=replace(self.source, repo=repo))


@dataclass(frozen=True)
class ModelSources:
    """The sources that a row of the models table names, as they are written there.

    Without ``decodes`` the model's own autoencoder is not needed.
    """

    source: str
    revision: str | None = None
    variant: str | None = None
    config: str | None = None
    vae: str | None = None
    loras: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    safety_checker: bool = False
    refiner: ModelSources | None = None
    decodes: bool = True

    def wanted(self) -> dict[str, Wanted]:
        """What of the hub it takes, by the key of the row: ``source``, ``vae``, ``loras.0`` …"""
        no_checker = frozenset[str]() if self.safety_checker else frozenset({"safety_checker"})
        no_vae = frozenset({"vae"} if self.vae or not self.decodes else ())
        found: dict[str, Wanted] = {}
        for key, text in self._named():
            source = hub_source(text, self.revision if key == "source" else None)
            if source is None:
                continue
            match key:
                case "source":
                    found[key] = Wanted(source, "pipeline", self.variant, no_checker | no_vae)
                case "config":
                    found[key] = Wanted(source, "configs", without=no_checker)
                case "vae":
                    found[key] = Wanted(source, "part", self.variant)
                case _:
                    found[key] = Wanted(source, "lora")
        if self.refiner is not None:
            found |= {f"refiner.{key}": wanted for key, wanted in self.refiner.wanted().items()}
        return found

    def local(self) -> dict[str, Path]:
        """The files and folders of this machine that it names, by the same keys."""
        found = {key: Path(text) for key, text in self._named() if hub_source(text) is None}
        if self.refiner is not None:
            found |= {f"refiner.{key}": path for key, path in self.refiner.local().items()}
        return found

    def _named(self) -> Iterator[tuple[str, str]]:
        """Every source but those of the refiner, by its key."""
        for key, text in (("source", self.source), ("config", self.config), ("vae", self.vae)):
            if text:
                yield key, text
        for key, adapters in (("loras", self.loras), ("embeddings", self.embeddings)):
            for number, adapter in enumerate(adapters):
                yield f"{key}.{number}", adapter


def hub_source(text: str, revision: str | None = None) -> HubSource | None:
    """What a source of the models table names on the hub; None for files and folders here.

    ``OWNER/NAME`` is a repository, ``hf://OWNER/NAME/PATH`` a file or folder in one, and
    ``hf://OWNER/NAME@REVISION`` another state of it; that is how the hub itself writes them.
    ``revision`` counts where the text names none.
    """
    if (uri := _URI.fullmatch(text)) is not None:
        return HubSource(uri["repo"], uri["revision"] or revision, uri["path"] or "")
    if text.startswith("hf://"):
        return HubSource(text.removeprefix("hf://"))  # the hub says what is wrong with it
    return HubSource(text, revision) if is_hub_id(text) else None

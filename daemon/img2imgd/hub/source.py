"""What a row of the models table asks of the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from img2imgd.hub.known import MOVED

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_URI = re.compile(
    r"hf://(?P<repo>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:@(?P<revision>[^/\s]+))?(?:/(?P<path>[^\s]+?))?/?"
)

Kind = Literal["pipeline", "part", "lora", "configs"]
"""A whole pipeline; one part of one, such as a VAE; a LoRA's single file; a pipeline without its
weights, for the configs of a single file."""


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
        left_out = {"safety_checker"} if not self.safety_checker else set[str]()
        if self.vae or not self.decodes:
            left_out.add("vae")
        found: dict[str, Wanted] = {}
        if (source := hub_source(self.source, self.revision)) is not None:
            found["source"] = Wanted(source, "pipeline", self.variant, frozenset(left_out))
        if self.config and (source := hub_source(self.config)) is not None:
            found["config"] = Wanted(source, "configs")
        if self.vae and (source := hub_source(self.vae)) is not None:
            found["vae"] = Wanted(source, "part")
        for key, adapters in (("loras", self.loras), ("embeddings", self.embeddings)):
            for number, adapter in enumerate(adapters):
                if (source := hub_source(adapter)) is not None:
                    found[f"{key}.{number}"] = Wanted(source, "lora")
        if self.refiner is not None:
            found |= {f"refiner.{key}": wanted for key, wanted in self.refiner.wanted().items()}
        return found


def hub_source(text: str, revision: str | None = None) -> HubSource | None:
    """What a source of the models table names on the hub; None for files and folders here.

    ``OWNER/NAME`` is a repository, ``hf://OWNER/NAME/PATH`` a file or folder in one, and
    ``hf://OWNER/NAME@REVISION`` another state of it; that is how the hub itself writes them.
    ``revision`` counts where the text names none. Ids that have moved are followed.
    """
    if (uri := _URI.fullmatch(text)) is not None:
        repo = MOVED.get(uri["repo"], uri["repo"])
        return HubSource(repo, uri["revision"] or revision, uri["path"] or "")
    if text.startswith("hf://"):
        return HubSource(text.removeprefix("hf://"))  # the hub says what is wrong with it
    if _ID.fullmatch(text) and not text.lower().endswith(".safetensors"):
        return HubSource(MOVED.get(text, text), revision)
    return None

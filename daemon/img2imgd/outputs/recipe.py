"""Recipes: how an output was made, so that it can be made again from its picture alone.

A recipe is JSON in the output's XMP packet. What it holds is a sidecar for the one frame, what the
sidecar of the whole job has otherwise, and where it all came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from img2imgd.document import Document, validate
from img2imgd.errors import DocumentError, Problem, UsageError, shown
from img2imgd.request import RequestKeys, plain_keys, sidecar_text

_SHORT_HASH = 10  # digits, as A1111 and CivitAI name models


class LoraOrigin(msgspec.Struct, frozen=True):
    """A LoRA that took part: its file's name, its weight, the SHA-256 of its weights."""

    name: str
    weight: float
    sha256: str = ""


class EmbeddingOrigin(msgspec.Struct, frozen=True):
    """A textual inversion that the model knew: its word, the SHA-256 of its weights."""

    token: str
    sha256: str = ""


class ModelOrigin(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model: its name in the config, its family, the SHA-256 that stands for its weights.

    ``vae_sha256`` is empty where the model's own autoencoder is used.
    """

    name: str
    family: str = ""
    sha256: str = ""
    vae_sha256: str = ""
    refiner_sha256: str = ""
    loras: tuple[LoraOrigin, ...] = ()
    embeddings: tuple[EmbeddingOrigin, ...] = ()


class PictureOrigin(msgspec.Struct, frozen=True):
    """The picture that was dropped: its file's name and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """``frame`` and ``job`` are sidecars in full; ``index`` is None for a sheet or an animation.

    ``job`` is None where it was too long to be kept.
    """

    program: str
    picture: PictureOrigin
    model: ModelOrigin
    index: int | None
    frame: RequestKeys
    job: RequestKeys | None
    libraries: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> str:
        """JSON that :meth:`from_json` reads back to an equal recipe."""
        frame = plain_keys(self.frame)
        plain: dict[str, Any] = {
            "program": self.program,
            "libraries": dict(self.libraries),
            "input": msgspec.to_builtins(self.picture),
            "model": msgspec.to_builtins(self.model),
            "index": self.index,
            "frame": frame,
            "job": None if self.job is None else _otherwise(plain_keys(self.job), frame),
        }
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, name: str) -> Recipe:
        """A recipe that was read out of the file ``name``.

        Raises:
            DocumentError: it is no recipe, or one that this version does not understand.
        """
        try:
            plain = cast("dict[str, Any]", json.loads(text))
            json.dumps(plain, ensure_ascii=False).encode()  # JSON may hold halves of characters
            frame = cast("dict[str, Any]", plain["frame"])
            job = None if plain["job"] is None else {**frame, **plain["job"]}
            return cls(
                program=str(plain["program"]),
                picture=msgspec.convert(plain["input"], PictureOrigin),
                model=msgspec.convert(plain["model"], ModelOrigin),
                index=msgspec.convert(plain["index"], int | None),
                frame=validate(Document(name, frame, {}), RequestKeys),
                job=None if job is None else validate(Document(name, job, {}), RequestKeys),
                libraries=msgspec.convert(plain["libraries"], dict[str, str]),
            )
        except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as error:
            problem = Problem(f"its recipe cannot be read ({type(error).__name__}: {error}).")
            raise DocumentError(name, [problem]) from None

    def sidecar(self, *, whole_job: bool) -> str:
        """A YAML sidecar for the frame or the whole job, with where it came from as comments.

        Raises:
            UsageError: the job was too long to be kept in the output.
        """
        keys = self.job if whole_job or self.index is None else self.frame
        if keys is None:
            raise UsageError(
                "Its job asks for so much that the output has no room for it.",
                "Ask a single frame for its own recipe, without --job.",
            )
        comments = "".join(f"# {shown(line)}\n" for line in self._origins(whole_job))
        return comments + sidecar_text(keys)

    def _origins(self, whole_job: bool) -> Iterator[str]:
        what = "this job" if whole_job or self.index is None else f"this frame ({self.index})"
        yield f"{self.program} made {what} from {self.picture.name}"
        yield f"picture: sha256 {self.picture.sha256}"
        weights = f", weights {self.model.sha256[:_SHORT_HASH]}" if self.model.sha256 else ""
        family = f" ({self.model.family})" if self.model.family else ""
        yield f"model: {self.model.name}{family}{weights}"
        for lora in self.model.loras:
            digest = f", weights {lora.sha256[:_SHORT_HASH]}" if lora.sha256 else ""
            yield f"LoRA: {lora.name} at {lora.weight:g}{digest}"
        if self.libraries:
            yield ", ".join(f"{name} {version}" for name, version in self.libraries.items())


def _otherwise(job: dict[str, Any], frame: dict[str, Any]) -> dict[str, Any]:
    """What the job's sidecar has other than the frame's; None for a key that it leaves out."""
    return {key: job.get(key) for key in {**job, **frame} if job.get(key) != frame.get(key)}

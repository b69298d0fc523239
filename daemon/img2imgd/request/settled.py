"""A request with nothing left open: what a job is frozen with, in ``job.json`` and the ledger."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from img2imgd.errors import DocumentError, Problem
from img2imgd.request.drawing import draw, has_choices
from img2imgd.request.gif import GifSettings
from img2imgd.request.outputs import SUFFIXES, FormatName, Metadata, SheetSettings
from img2imgd.request.styles import StyleTexts, join, one_line, text_style


class DrawnTexts(NamedTuple):
    """What was drawn: the prompt alone, and both prompts with the style."""

    words: str
    prompt: str
    negative_prompt: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of one picture. ``sweep`` maps each axis to its values, outermost axis first.

    Prompts and styles are templates: :meth:`drawn` makes their choices. ``prompt`` is the first of
    ``prompts``, ``more_prompts`` are the others. ``styles`` are names, ``style_texts`` what they
    add, "" adds nothing; older job files have names that are the texts themselves.
    ``size`` None means the model's native size, ``scheduler`` None the one it has in the config.
    ``gif`` is None when switched off, else the timing
    to use if one is made; ``gif_asked`` says that one was asked for, whatever the frames are.
    ``sheet`` is None when switched off; ``quality`` is that of JPEG and WebP. ``seed_drawn`` tells
    a drawn seed from a given one. ``asked_of_model`` names the keys that the sidecar itself has, of
    those that not every model can follow.
    """

    prompt: str
    negative_prompt: str
    more_prompts: tuple[str, ...] = ()
    prompt_syntax: Literal["plain", "a1111", "compel"] = "plain"
    styles: tuple[str, ...] = ()
    style_texts: dict[str, StyleTexts] = {}
    strength: float
    guidance_scale: float
    steps: int
    seed: int
    n: int = 1
    size: int | tuple[int, int] | Literal["keep"] | None = None
    fit: Literal["cover", "contain", "stretch"] = "cover"
    prepare: Literal["none", "sketch", "auto"] = "none"
    model: str
    scheduler: str | None = None
    sweep: dict[str, tuple[int | float, ...]] = {}
    gif: GifSettings | None = GifSettings()
    gif_asked: bool = False
    sheet: SheetSettings | None = SheetSettings()
    format: FormatName = "png"
    quality: int = 92
    metadata: Metadata = "full"
    restore_size: bool = False
    seed_drawn: bool = False
    asked_of_model: tuple[str, ...] = ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """All prompts, as templates; at least one."""
        return (self.prompt, *self.more_prompts)

    @property
    def frame_count(self) -> int:
        """How many frames the job has: prompts × styles × variations × the values of every axis."""
        count = len(self.prompts) * max(1, len(self.styles)) * self.n
        for values in self.sweep.values():
            count *= len(values)
        return count

    @property
    def wants_gif(self) -> bool:
        """True if asked for and there are several frames; unasked, for a sweep along one axis."""
        if self.gif is None or self.frame_count < 2:
            return False
        return self.gif_asked or [len(values) > 1 for values in self.sweep.values()] == [True]

    @property
    def wants_sheet(self) -> bool:
        """True if there are several frames, unless it was switched off."""
        return self.sheet is not None and self.frame_count > 1

    @property
    def suffix(self) -> str:
        """The ending of the frames' names, with its dot."""
        return SUFFIXES[self.format]

    @property
    def has_choices(self) -> bool:
        """True when another seed may draw other texts."""
        texts = [self.negative_prompt, *self.prompts]
        for style in self.style_texts.values():
            texts += [style.prompt, style.negative_prompt]
        return any(has_choices(text) for text in texts)

    def drawn(self, prompt: str, style: str, variation: int) -> DrawnTexts:
        """The texts of one of the prompts in a style, as the variation draws them, in one line.

        All styles and all points of the sweep share the draw of a variation.
        """
        seed = (self.seed + variation) % 2**32
        words = one_line(draw(prompt, seed))
        negative = one_line(draw(self.negative_prompt, seed))
        adds = self.style_texts.get(style) or text_style(style)
        return DrawnTexts(
            words,
            one_line(join(words, adds.prompt, seed)),
            one_line(join(negative, adds.negative_prompt, seed)),
        )

    def to_json(self) -> str:
        """JSON text that :meth:`from_json` reads back to an equal request."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Request:
        """A request from :meth:`to_json`; keys it does not know are passed over.

        Raises:
            DocumentError: the text is no request.
        """
        try:
            return _JSON.decode(text)
        except msgspec.DecodeError as error:
            raise DocumentError("request", [Problem(f"{error}.")]) from None


# Made while there is one thread: msgspec (0.22) crashes where two meet a type for the first time.
_JSON = msgspec.json.Decoder(Request)

"""The generation parameters that pictures carry themselves, read anew when a picture changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from img2imgd.config.sections import ModelConfig
from img2imgd.errors import DocumentError, EnvironmentFault, PictureError, shown
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.scan import Found
from img2imgd.log import Lasting
from img2imgd.request import RequestKeys, parse_infotext
from img2imgd.settle import Signature

log = logging.getLogger(__name__)

Parameters = RequestKeys | DocumentError | None


class Embedded:
    """Reads the parameters of an inbox's pictures; ``infotext(path)`` finds their text."""

    def __init__(
        self,
        inbox: Path,
        models: Mapping[str, ModelConfig],
        infotext: Callable[[Path], str | None],
    ) -> None:
        self._inbox = inbox
        self._models = models
        self._infotext = infotext
        self._known: dict[str, tuple[Signature, Parameters]] = {}
        self._lasting = Lasting(log)

    def keep_only(self, present: Collection[str]) -> None:
        """Forget the pictures that are gone."""
        self._known = {rel: known for rel, known in self._known.items() if rel in present}

    def keys(self, file: Found) -> Parameters:
        """What a picture says, or what is wrong with that; None where it says nothing.

        Raises:
            NotYet: its disk does not allow to read it now.
        """
        known = self._known.get(file.rel)
        if known is None or known[0] != file.signature:
            self._known[file.rel] = known = (file.signature, self._read(file))
        return known[1]

    def _read(self, file: Found) -> Parameters:
        try:
            text = self._infotext(self._inbox / file.rel)
            return parse_infotext(text, shown(file.name), self._models) if text else None
        except DocumentError as error:
            return error
        except PictureError as error:
            log.info("%s: its embedded parameters are not read: %s", file.rel, error)
            return None
        except EnvironmentFault as fault:  # of this file, perhaps: others are served
            self._lasting.say(file.rel, str(fault))
            raise NotYet(f"waits until it can be read: {fault.message}") from fault

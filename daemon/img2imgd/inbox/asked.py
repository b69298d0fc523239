"""What a picture asks for, by its sidecar, its own parameters, its name, and its folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from img2imgd.config import Config, InboxConfig
from img2imgd.errors import DocumentError, shown
from img2imgd.inbox.claim import Drop
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.embedded import Embedded, Parameters
from img2imgd.inbox.lists import NotYet
from img2imgd.inbox.scan import Found
from img2imgd.job import equal_strengths_note
from img2imgd.pairing.kinds import split_suffix
from img2imgd.request import Request, RequestKeys, asked_of_model, read_name

_RENAME = (
    "Give it another name and put it back into the inbox yourself; a retry finds it only under the "
    "name that it has."
)


@dataclass(frozen=True)
class Sidecar:
    """A claimed sidecar: its file, and its keys or what is wrong with it."""

    file: Found
    keys: RequestKeys | DocumentError


class Asked:
    """Settles the requests of an inbox's drops; ``infotext(path)`` reads a picture's parameters."""

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        drops: Drops,
        infotext: Callable[[Path], str | None],
    ) -> None:
        self._inbox = inbox
        self._drops = drops
        self._embedded = Embedded(inbox.path, config.models, infotext)

    def keep_only(self, present: Collection[str]) -> None:
        """Forget the pictures that are gone."""
        self._embedded.keep_only(present)

    def sidecar(self, file: Found) -> Sidecar:
        """A sidecar with what it says."""
        return Sidecar(file, self._drops.sidecar(file.rel, file.signature))

    def has_prompt(self, file: Found, defaults: FolderDefaults) -> bool:
        """True when a picture needs no sidecar."""
        if self._drops.has_prompt(defaults):
            return True
        try:
            embedded = self._embedded_keys(file)
        except NotYet:
            return True  # to be claimed it is read once more, and waits with a reason
        if isinstance(embedded, DocumentError):
            return True  # it is claimed, and its owner told what is wrong
        if embedded is not None and embedded.has_prompt:
            return True
        named = self._named_keys(file.name)
        return isinstance(named, DocumentError) or (named is not None and named.has_prompt)

    def settle(
        self,
        drop: Drop,
        sidecar: Sidecar | None,
        defaults: FolderDefaults,
        picture: Found | None = None,
        *,
        named: str = "",
    ) -> Drop:
        """The drop with its request, or with the reason why it has none.

        The own parameters of a ``picture`` count where it has no sidecar. ``named`` is what asks
        where names do, if that is not its own one: that of a page may be a document's cut short.

        Raises:
            NotYet: it, or a list that is named, cannot be read now.
        """
        if sidecar is not None and isinstance(sidecar.keys, DocumentError):
            return replace(drop, error=str(sidecar.keys))
        name = drop.rel.rpartition("/")[2]
        layers = [sidecar.keys] if sidecar and isinstance(sidecar.keys, RequestKeys) else []
        embedded = self._embedded_keys(picture) if picture and sidecar is None else None
        named_keys = self._named_keys(named or name)
        if isinstance(named_keys, DocumentError) and sidecar is None:
            return replace(drop, error=f"{named_keys}\n{_RENAME}")
        for keys in (embedded, named_keys):
            if isinstance(keys, RequestKeys):
                layers.append(keys)
            elif keys is not None and sidecar is None:
                return replace(drop, error=str(keys))
        try:
            label = shown(sidecar.file.name if sidecar else name)
            request = self._drops.request(label, layers, defaults, drop.rel)
            if sidecar is not None:
                asked = asked_of_model(layers[0])
                request = structs.replace(request, asked_of_model=asked)
            return replace(drop, request=request, notes=_notes(label, layers, request))
        except DocumentError as error:
            return replace(drop, error=str(error))

    def _embedded_keys(self, file: Found) -> Parameters:
        """The picture's own generation parameters, where the inbox says to read them."""
        return self._embedded.keys(file) if self._inbox.read_metadata else None

    def _named_keys(self, name: str) -> Parameters:
        """What a picture's name asks for, where the inbox says that names do."""
        if not self._inbox.prompt_from_name:
            return None
        try:
            return read_name(split_suffix(name)[0], shown(name))
        except DocumentError as error:
            return error


def _notes(label: str, layers: Sequence[RequestKeys], request: Request) -> tuple[str, ...]:
    """What a person should know of how the drop's own keys were read, and of what they give."""
    passed_over = ", ".join(shown(word) for keys in layers for word in keys.passed_over)
    told = f"Of {label}, this has no meaning here: {passed_over}." if passed_over else ""
    return tuple(note for note in (told, equal_strengths_note(request)) if note)

"""What to do with each file of one inbox folder, from what a scan saw. No file is touched here.

The rules are those of ``docs/sidecar.md`` ("Which sidecar belongs to which picture"): a sidecar in
either order, precedence by name, lists and globs, late sidecars, orphans.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import replace

from img2imgd.pairing.decisions import Claim, Decision, Entry, Late, Reject, Rules, Wait
from img2imgd.pairing.kinds import (
    PICTURE_SUFFIXES,
    SIDECAR_SUFFIXES,
    Kind,
    fold,
    split_suffix,
    stem_of_unfinished,
)
from img2imgd.pairing.listing import listing
from img2imgd.pairing.not_read import not_read


def decide(
    entries: Sequence[Entry], rules: Rules, has_prompt: Callable[[str], bool]
) -> list[Decision]:
    """Decide on every picture, sidecar and foreign file of one folder.

    ``has_prompt(picture)`` tells whether a picture without a sidecar has a prompt from elsewhere
    (folder defaults, config, its own metadata); it is asked of settled pictures only.
    """
    pairing = _Folder(entries, rules, has_prompt)
    return [*pairing.pictures(), *pairing.others(), *pairing.lone_sidecars()]


class _Folder:
    """One pass over a folder; holds the look-ups the rules need."""

    def __init__(
        self, entries: Sequence[Entry], rules: Rules, has_prompt: Callable[[str], bool]
    ) -> None:
        self.rules = rules
        self.has_prompt = has_prompt
        self.entries = {entry.name: entry for entry in entries}
        self.picture_entries = [e for e in entries if e.kind is Kind.PICTURE]
        sidecars = [e for e in entries if e.kind is Kind.SIDECAR]
        self.folds = {e.name: fold(e.name) for e in self.picture_entries}
        self.folded_pictures = frozenset(self.folds.values())
        self.lists = [e for e in sidecars if e.images is not None]
        self.plain = {e.name for e in sidecars if e.images is None}
        self.folded = {fold(name): name for name in sorted(self.plain, reverse=True)}
        self.used: set[str] = set()  # sidecars that some picture here points to

    def pictures(self) -> Iterable[Decision]:
        """Group the pictures by their sidecar and decide on each group."""
        groups: dict[str, list[Entry]] = defaultdict(list)
        alone: list[Entry] = []
        losers: dict[str, set[str]] = defaultdict(set)
        for picture in self.picture_entries:
            found = self._sidecars_of(picture.name)
            if found:
                groups[found[0]].append(picture)
                losers[found[0]].update(found[1:])
            else:
                alone.append(picture)
        winners = set(groups)
        alone = yield from self._listed(alone)
        for sidecar, members in groups.items():
            also = sorted(losers[sidecar] - winners - self.used)
            self.used.update((sidecar, *also))
            yield from self._group(sidecar, members, also)
        for picture in alone:
            yield self._alone(picture)

    def lone_sidecars(self) -> Iterable[Decision]:
        """Decide on sidecars that no picture here points to."""
        unfinished = {
            fold(stem_of_unfinished(e.name))
            for e in self.entries.values()
            if e.kind is Kind.UNFINISHED
        }
        for name in sorted(self.plain - self.used):
            entry = self.entries[name]
            if entry.settled is None:
                yield self._unsettled(entry)
            elif fold(_picture_stem(name)) in unfinished:
                yield Wait(name, "its picture is still being written")
            elif entry.settled < self.rules.pair_wait:
                rest = self.rules.pair_wait - entry.settled
                left = self.rules.orphan_after - entry.settled
                ends_in = None if self.rules.keep else max(rest, left)  # kept ones stay for good
                yield Wait(name, "waits for its picture", rest, ends_in=ends_in)
            else:
                left = self.rules.orphan_after - entry.settled
                yield Late(name, orphan=left <= 0, rest=max(left, 0.0))

    def others(self) -> Iterable[Decision]:
        """Decide on files that are neither; in keep mode they are none of our business.

        But for pictures that an art program saved in its own format and did not export.
        """
        if self.rules.keep and self.rules.tell_unread:
            stems = {fold(split_suffix(name)[0]) for name in self.folds}
            for entry in self.entries.values():
                known = not_read(entry.name) if entry.kind is Kind.OTHER else None
                if known and known.is_picture and fold(split_suffix(entry.name)[0]) not in stems:
                    why = f"is {known.name}, and is not read: {known.advice}"
                    yield Wait(entry.name, why, for_a_person=True)
        if self.rules.keep:
            return
        for entry in self.entries.values():
            if entry.kind is Kind.OTHER:
                yield self._unsettled(entry) if entry.settled is None else _foreign(entry.name)
            elif entry.kind is Kind.SPECIAL and entry.settled is not None:
                yield from self._special(entry.name)

    def _special(self, name: str) -> Iterable[Decision]:
        """A link or the like; a sidecar of it alone is part of the same drop."""
        also = [sidecar for sidecar in self._sidecars_of(name) if sidecar not in self.used]
        self.used.update(also)
        waiting = [sidecar for sidecar in also if self.entries[sidecar].settled is None]
        if waiting:
            yield Wait(name, f"waits until {', '.join(waiting)} is whole")
            yield from (self._unsettled(self.entries[sidecar]) for sidecar in waiting)
            return
        yield Reject(
            name,
            "It is not a plain file but a link, a pipe or a device; those are not read.",
            "Copy the picture itself into the inbox.",
            tuple(also),
        )

    def _sidecars_of(self, picture: str) -> list[str]:
        """The plain sidecars for a picture, best first: by exact case, then without case."""
        stem = split_suffix(picture)[0]
        names = [f"{base}{suffix}" for base in (picture, stem) for suffix in SIDECAR_SUFFIXES]
        exact = [name for name in names if name in self.plain]
        loose = [self.folded[fold(name)] for name in names if fold(name) in self.folded]
        return list(dict.fromkeys(exact + loose))

    def _group(self, sidecar: str, members: list[Entry], also: Sequence[str]) -> Iterable[Decision]:
        waiting = [e for e in (*members, self.entries[sidecar]) if e.settled is None]
        if not waiting:
            yield Claim(tuple(e.name for e in members), sidecar, tuple(also))
            return
        for entry in waiting:
            decision = self._unsettled(entry)
            if isinstance(decision, Reject) and [entry] == waiting == members:
                decision = replace(decision, also=(sidecar, *also))
            yield decision
        names = ", ".join(entry.name for entry in waiting)
        for entry in members:
            if entry.settled is not None:
                yield Wait(entry.name, f"waits until {names} is whole")

    def _listed(self, alone: list[Entry]) -> Generator[Decision, None, list[Entry]]:
        """Decide on lists; the generator's value is the pictures that no list names."""
        free = {entry.name: entry for entry in alone}
        for sidecar in self.lists:
            self.used.add(sidecar.name)
            wanted = listing(sidecar.images or ())
            literal, missing = self._named(wanted.names, free)
            matched = [name for name in free if wanted.matches(self.folds[name])]
            members = [free.pop(name) for name in dict.fromkeys([*literal, *matched])]
            yield from self._list(sidecar, members, missing, wanted.globs is not None)
        return list(free.values())

    def _named(
        self, names: Iterable[tuple[str, str]], free: Collection[str]
    ) -> tuple[list[str], list[str]]:
        """Names of a list, as listed and folded, that are here, and those that are missing."""
        by_fold = {self.folds[name]: name for name in free}
        here: list[str] = []
        missing: list[str] = []
        for name, folded in names:
            if name in free or folded in by_fold:
                here.append(name if name in free else by_fold[folded])
            elif folded not in self.folded_pictures:  # one that is here has a sidecar of its own
                missing.append(name)
        return here, missing

    def _list(
        self, sidecar: Entry, members: list[Entry], missing: list[str], globbed: bool
    ) -> Iterable[Decision]:
        names = tuple(entry.name for entry in members)
        unsettled = [e for e in members if e.settled is None]
        if unsettled:
            yield from (self._unsettled(entry) for entry in unsettled)
            return
        since = sidecar.settled or 0.0
        quiet = min((e.settled or 0.0 for e in (*members, sidecar)), default=0.0)
        if missing or not members:
            if since < self.rules.orphan_after:
                what = ", ".join(missing) or "a picture that its pattern matches"
                rest = self.rules.orphan_after - since
                yield Wait(sidecar.name, f"waits for {what}", rest, ends_in=rest)
            elif members:
                yield Claim(names, sidecar.name, missing=tuple(missing))
            elif self.rules.keep:
                yield Wait(sidecar.name, "lists pictures that are not here", for_a_person=True)
            else:
                yield _list_without_pictures(sidecar.name, missing)
        elif globbed and quiet < self.rules.pair_wait:
            rest = self.rules.pair_wait - quiet
            yield Wait(sidecar.name, "waits for more pictures of its pattern", rest, ends_in=rest)
        else:
            yield Claim(names, sidecar.name)

    def _alone(self, picture: Entry) -> Decision:
        if picture.settled is None:
            return self._unsettled(picture)
        if self.has_prompt(picture.name):
            wait = self.rules.prompted_wait
            rest = (self.rules.pair_wait if wait is None else wait) - picture.settled
            if rest <= 0 or self.rules.keep:
                return Claim((picture.name,))
            return Wait(picture.name, "waits a moment for a sidecar", rest, ends_in=rest)
        stem = split_suffix(picture.name)[0]
        if self.rules.keep or picture.settled < self.rules.orphan_after:
            rest = None if self.rules.keep else self.rules.orphan_after - picture.settled
            why = f"has no prompt yet: {self._how_to_add_one(stem)}"
            return Wait(picture.name, why, rest, for_a_person=self.rules.keep, ends_in=rest)
        return Reject(
            picture.name,
            "There was no prompt for this picture: no sidecar came, and the folder has no default.",
            f"Put the picture back into the inbox together with a file {stem}.yaml that says, for "
            "example,\n\n    prompt: a cottage by a lake at sunset\n\nor give the folder a "
            "_defaults.yaml with a prompt.",
        )

    def _how_to_add_one(self, stem: str) -> str:
        """Windows hides the last suffix: what Notepad saved as cat.yaml is cat.yaml.txt."""
        hidden = self.folded.get(fold(f"{stem}.yaml.txt"))
        return f"rename {hidden} to {stem}.yaml" if hidden else f"add {stem}.yaml beside it"

    def _unsettled(self, entry: Entry) -> Decision:
        if entry.empty and entry.unchanged >= self.rules.empty_after and not self.rules.keep:
            return Reject(entry.name, "The file is empty.", "Copy it into the inbox once more.")
        return Wait(entry.name, "is empty" if entry.empty else "is still being written")


def _picture_stem(sidecar: str) -> str:
    """``cat.yaml`` and ``cat.png.yaml`` → ``cat``."""
    stem = split_suffix(sidecar)[0]
    inner, suffix = split_suffix(stem)
    return inner if suffix in PICTURE_SUFFIXES else stem


def _foreign(name: str) -> Reject:
    if (known := not_read(name)) is not None:
        return Reject(
            name, f"Judging by its name, it is {known.name}; those are not read here.", known.advice
        )
    formats = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
    return Reject(
        name,
        "It is neither a picture nor a sidecar, judging by its name.",
        f"Pictures end in {formats}; sidecars in yaml, yml or txt; lists in csv.",
    )


def _list_without_pictures(sidecar: str, missing: list[str]) -> Reject:
    what = ", ".join(missing) if missing else "no file of the folder matches its pattern"
    return Reject(
        sidecar,
        f"None of the pictures it lists came: {what}.",
        "Put the pictures and this file into the same inbox folder, then it is served.",
    )

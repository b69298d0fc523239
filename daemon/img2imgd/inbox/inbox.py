"""One inbox: scan, settle, pair, act. ``step`` is the unit; a thread only repeats it."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from img2imgd import filesystems
from img2imgd.config import Config, InboxConfig
from img2imgd.errors import EnvironmentFault, LedgerDamaged
from img2imgd.inbox.acts import Acts
from img2imgd.inbox.claim import Claims
from img2imgd.inbox.defaults import Defaults
from img2imgd.inbox.documents import Documents, PageReader
from img2imgd.inbox.drops import Drops, FolderDefaults
from img2imgd.inbox.lists import InboxLists
from img2imgd.inbox.notes import ListNotes
from img2imgd.inbox.recover import adopt_spool, repair_claims
from img2imgd.inbox.retrying import Retries
from img2imgd.inbox.scan import Found, Scanner
from img2imgd.inbox.setbacks import Setbacks
from img2imgd.inbox.stillness import Stillness
from img2imgd.ledger import Ledger
from img2imgd.ledger.marker import mark, served_by, spool_id
from img2imgd.log import Lasting
from img2imgd.pairing.decide import decide
from img2imgd.pairing.decisions import Claim, Entry, Late, Reject, Rules, Wait
from img2imgd.pairing.kinds import Kind
from img2imgd.reader.protocol import Glance
from img2imgd.request import RequestKeys
from img2imgd.settle import Signature

log = logging.getLogger(__name__)

_SAME_TIME = 2.0  # seconds that the two clocks' times of a wait may differ
_SOON = 0.05  # seconds: never look again sooner, whatever a rule says


class Inbox:
    """Turns what lies in one inbox into jobs of the ledger.

    ``drain`` is the way of ``once``: what was there at the first scan is served without waiting for
    partners, and nothing that comes later is touched. ``infotext(path)`` reads a picture's embedded
    parameters in the reader process, ``glance(path)`` what it looks like, and ``pages`` takes
    documents apart there. Once ``stopping`` says so, nothing more is claimed. A step may take long;
    ``progress`` is called all the while, as long as it gets on. ``before`` is the same inbox by
    other rules: what is known of its folder stays known.
    """

    def __init__(
        self,
        config: Config,
        inbox: InboxConfig,
        ledger: Ledger,
        infotext: Callable[[Path], str | None],
        glance: Callable[[Path], Glance],
        *,
        pages: PageReader | None = None,
        drain: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        progress: Callable[[], None] = lambda: None,
        before: Inbox | None = None,
    ) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._drain = drain
        self._stopping = stopping
        self._progress = progress
        self._first: frozenset[str] | None = None
        self._still = Stillness(inbox)
        self._lists = InboxLists(inbox.path, self._still.is_whole, self._is_late)
        self._drops = Drops(config, inbox, self._lists)
        self._claims = Claims(config, inbox, ledger, progress)
        self._list_notes = ListNotes(config.failed)
        self._documents = Documents(config, inbox, self._claims.spool, pages, progress)
        self._acts = Acts(
            config, inbox, ledger, self._drops, self._claims, self._list_notes,
            infotext, glance, self._still.restart, self._documents,
        )  # fmt: skip
        self._retries = Retries(inbox, config.failed, ledger, self._acts.serve_again, progress)
        self._scanner = Scanner(inbox.path, recursive=inbox.recursive, progress=progress)
        self._last: list[Found] = []
        self._lasting = Lasting(log)
        self._setbacks = Setbacks(inbox.rescan)
        self._now = 0.0
        self._defaults = Defaults(inbox, config.failed, self._drops, self._still.is_whole)
        self._waiting: dict[str, str] | None = None
        self._until: dict[str, float] = {}  # seconds since 1970, of what waits for a time
        self._recovered = False
        self._unrepaired: dict[str, str] = {}  # files of claims that wait for their repair, and why
        self._begun = False
        self._settled = False  # nothing is decided otherwise until a file changes
        self.drained = False
        self.resting = False
        if before is not None:
            self._take_over(before)

    def recover(self) -> None:
        """Repair what an earlier process left: once at start, before the first scan."""
        folder = self._claims.spool
        folder.mkdir(mode=0o700, exist_ok=True)
        before = served_by(folder)
        mark(folder, before or self._ledger_id)  # it has an id from here on
        self._documents.clear()
        adopt_spool(self._inbox.path, self._claims, self._ledger)
        self._unrepaired = repair_claims(self._inbox.path, self._claims, self._ledger)
        self._recovered = not self._unrepaired  # else once more before the next scan
        if self._begun:
            return
        spool = spool_id(folder)
        self._ledger.note_place(spool, str(self._inbox.path))
        if before not in ("", self._ledger_id):
            counts = ", and what lies there counts as served" if self._inbox.mode == "keep" else ""
            log.warning(
                "inbox %s was served with another ledger: jobs are taken up from the folders%s",
                self._inbox.path, counts,
            )  # fmt: skip
            if self._inbox.mode == "keep":
                self._ledger.count_as_served(spool)
            mark(folder, self._ledger_id)
        self._acts.begin(spool)
        self._still.begin(local=filesystems.kind_of(self._inbox.path).local)
        self._last = []  # the next scan is of another folder, even if it finds nothing new
        self._begun = True

    @property
    def _ledger_id(self) -> str:
        return self._ledger.facts().get("ledger_id", "")

    def was_replaced(self) -> None:
        """Another folder has the inbox's name: its spool may hold jobs, of this ledger or not."""
        self._recovered = self._begun = False

    def _take_over(self, before: Inbox) -> None:
        self._still.take_over(before._still)
        self._begun, self._recovered = before._begun, before._recovered
        self._acts.take_over(before._acts)

    def step(self, now: float) -> float:
        """Scan once and act on what may be acted on; returns seconds until the next look.

        ``resting`` is True after a scan that found everything as it was, with nothing to decide.

        Raises:
            EnvironmentFault: the inbox is unavailable; nothing was decided.
        """
        self._now = now
        self._still.begin_step(now)
        if not self._inbox.path.is_dir():
            raise EnvironmentFault(f"The inbox {self._inbox.path} is not there.")
        if not self._recovered:
            self.recover()
        if not self._drain or self._first is None:
            if self._retries.step():
                self._settled = False
            while self._drain and self._retries.more:  # `once` looks one time: all of them
                self._retries.step()
        next_look = _SOON if self._retries.more else self._inbox.rescan
        found = self._scan()
        self.resting = self._settled and found is self._last
        if self.resting:
            return next_look
        self._last, self._settled = found, False  # nor is it if a fault ends this step
        open_waits = timed = False
        waiting: dict[str, str] = {}
        until: dict[str, float] = {}
        self._acts.lacking = ""
        for folder, files in _by_folder(found).items():
            entries = [self._entry(file) for file in files]
            unsettled = [
                self._still.until_settled(_below(folder, entry.name), entry.unchanged)
                for entry in entries
                if entry.settled is None and not entry.empty
            ]
            next_look = min([next_look, *unsettled])
            timed = timed or bool(unsettled)
            for wait in self._serve(folder, entries):
                rel = _below(folder, wait.name)
                waiting[rel] = wait.why
                open_waits = open_waits or not wait.for_a_person
                if wait.ends_in is not None:
                    until[rel] = time.time() + wait.ends_in
                if wait.seconds is not None:
                    timed = True
                    next_look = min(next_look, max(wait.seconds, _SOON))
        if self._acts.lacking:
            self._lasting.say("room", f"inbox {self._inbox.path}: {self._acts.lacking}")
        else:
            self._lasting.over("room", f"inbox {self._inbox.path}: all its drops have room")
        noted = self._defaults.end_scan()
        noted = self._list_notes.write() and noted
        held = self._retries.held
        self._remember(waiting | self._unreadable() | self._unrepaired | held, until)
        self.drained = not open_waits
        whole = self._recovered and not held
        self._settled = not open_waits and not timed and whole and noted
        return next_look

    def _scan(self) -> list[Found]:
        found = self._scanner.scan()
        if found is self._last:
            return found
        if self._drain:
            if self._first is None:
                self._first = frozenset(file.rel for file in found)
            found = [
                file
                for file in found
                if file.rel in self._first or self._acts.brought_back(file.rel)
            ]
        present = {file.rel for file in found}
        self._still.keep_only(present)
        self._drops.forget_missing(present)
        self._acts.begin_scan(found, self._scanner.unreadable)
        self._lists.begin_scan(found)
        self._defaults.begin_scan(found)
        self._setbacks.keep_only(found)
        return found

    def _unreadable(self) -> dict[str, str]:
        """What of the inbox cannot be looked at, and why; the log says it as well."""
        waiting: dict[str, str] = {}
        for rel, why in self._scanner.unreadable.items():
            waiting[rel] = f"cannot be read: {why}"
            self._lasting.say(rel, f"inbox {self._inbox.path}: {rel} cannot be read: {why}")
        return waiting

    def _serve(self, folder: str, entries: list[Entry]) -> list[Wait]:
        """Act on one folder's files; returns those that stay, with the reason."""
        waits = self._defaults.passed_over(folder, entries)
        held = self._defaults.of(folder)
        if isinstance(held, Wait):
            return waits + [
                replace(held, name=entry.name)
                for entry in entries
                if entry.kind in (Kind.PICTURE, Kind.SIDECAR)
            ]
        decisions = decide(
            entries, self._rules(), lambda name: self._acts.has_prompt(folder, name, held)
        )
        for decision in decisions:
            if isinstance(decision, Wait):
                waits.append(decision)
                continue
            waits.extend(self._act(decision, folder, held))
        return waits

    def _act(
        self, decision: Claim | Late | Reject, folder: str, defaults: FolderDefaults
    ) -> list[Wait]:
        """Carry out one decision; a fault of one file never stops the others.

        What a fault leaves of a claim is repaired before the next scan, as after a crash.
        """
        names = decision.names
        self._progress()
        if self._stopping():
            return [Wait(name, "waits for the next start: img2imgd stops") for name in names]
        files = [self._acts.file(folder, name) for name in names]
        if setback := self._setbacks.of(files, self._now):
            rest = setback.again_at - self._now
            return [Wait(name, setback.why, rest, ends_in=rest) for name in names]
        recovered, self._recovered = self._recovered, False
        try:
            waits = self._acts.act(decision, folder, defaults)
        except (FileNotFoundError, NotADirectoryError):
            return []  # taken away under our hands; the next scan knows
        except (EnvironmentFault, LedgerDamaged):
            raise
        except Exception as error:  # noqa: BLE001 - one drop's edge
            strerror = error.strerror if isinstance(error, OSError) else None
            why = f"could not be taken: {strerror or error}"
            what = f"inbox {self._inbox.path}: {names[0]} {why}"
            self._lasting.say(f"{folder}/{names[0]}", what, trace=not strerror)
            pause = self._setbacks.note(files, why, self._now).pause
            return [Wait(name, why, max(pause, self._inbox.rescan)) for name in names]
        self._recovered = recovered
        return waits

    def _entry(self, file: Found) -> Entry:
        self._progress()
        unchanged = self._still.unchanged(file)
        empty = file.signature.size == 0 and file.kind in (Kind.PICTURE, Kind.SIDECAR)
        settled = unchanged - self._still.settle(file.rel)
        held = file.rel in self._unrepaired or file.rel in self._retries.held
        at_rest = settled >= 0 and not empty and not held
        images = None
        if at_rest and file.kind is Kind.SIDECAR:
            try:
                keys = self._drops.sidecar(file.rel, file.signature)
            except OSError as error:  # taken away, or on a bad sector: the others are served
                self._lasting.say(file.rel, f"{file.rel} cannot be read: {error.strerror}")
                at_rest = False
            else:
                images = keys.images if isinstance(keys, RequestKeys) else None
        return Entry(file.name, file.kind, unchanged, settled if at_rest else None, images, empty)

    def _is_late(self, rel: str, signature: Signature) -> bool:
        """True when what a file names has had as long to come as a picture's sidecar has."""
        return self._still.has_settled_for(self._rules().pair_wait, rel, signature)

    def _rules(self) -> Rules:
        inbox = self._inbox
        return Rules(
            pair_wait=0 if self._drain else inbox.pair_wait,
            orphan_after=0 if self._drain else inbox.orphan_after,
            empty_after=max(inbox.settle, 0 if self._drain else inbox.orphan_after),
            keep=inbox.mode == "keep",
            prompted_wait=0 if self._drain else inbox.prompted_wait,
            tell_unread=not self._drain,
        )

    def _remember(self, waiting: dict[str, str], until: dict[str, float]) -> None:
        """Tell the ledger what waits; times are told again only if they are other ones."""
        moved = any(abs(until[rel] - self._until.get(rel, 0.0)) > _SAME_TIME for rel in until)
        if waiting != self._waiting or moved or until.keys() != self._until.keys():
            self._ledger.set_waiting(str(self._inbox.path), waiting, until)
            self._waiting, self._until = waiting, until


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _by_folder(found: list[Found]) -> dict[str, list[Found]]:
    folders: dict[str, list[Found]] = defaultdict(list)
    for file in found:
        folders[file.folder].append(file)
    return folders

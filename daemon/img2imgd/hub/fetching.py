"""From what a model needs to a folder that holds it: what there is here, and what must come."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from img2imgd.filesystems import free_bytes
from img2imgd.hub.choosing import choose
from img2imgd.hub.client import Hub, RepoFile, read_json
from img2imgd.hub.faults import HubFault
from img2imgd.hub.partial import PAUSES, Advance, bytes_here, download_blob
from img2imgd.hub.sizes import in_words
from img2imgd.hub.source import Wanted


@dataclass(frozen=True)
class Plan:
    """The files of ``wanted`` at a commit, and for those not whole here the bytes to come."""

    wanted: Wanted
    commit: str
    files: tuple[RepoFile, ...]
    missing: Mapping[RepoFile, int]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def to_come(self) -> int:
        """Bytes that are not here."""
        return sum(self.missing.values())


def plan(hub: Hub, wanted: Wanted) -> Plan:
    """Ask the hub what ``wanted`` consists of now, and see what of it is here.

    Raises:
        HubFault: the hub cannot be asked, or does not hold it.
    """
    source = wanted.source
    listing = hub.listing(source)
    names = choose(
        wanted,
        {file.name for file in listing.files},
        lambda name: hub.read_json(source, listing.commit, name),
    )
    files = tuple(file for file in listing.files if file.name in names)
    folder = hub.folder(source)
    missing = {
        file: file.size - bytes_here(folder / "blobs" / file.digest, file.size)
        for file in files
        if not _is_here(folder, listing.commit, file)
    }
    return Plan(wanted, listing.commit, files, missing)


def require_space(hub: Hub, plans: Sequence[Plan], keep_free: float) -> int:
    """The bytes that are free for the cache.

    Raises:
        HubFault: so few that less than ``keep_free`` would be left.
    """
    existing = next(path for path in (hub.cache, *hub.cache.parents) if path.exists())
    free = free_bytes(existing)
    needed = sum(
        {file.digest: rest for plan in plans for file, rest in plan.missing.items()}.values()
    )
    if needed and needed + keep_free > free:
        kept = f", and {in_words(int(keep_free))} are to stay free" if keep_free else ""
        raise HubFault(
            f"{in_words(needed)} are to be downloaded to {hub.cache}, where {in_words(free)} are "
            f"free{kept}.",
            "Free some space, or set HF_HOME to a folder on a larger disk.",
        )
    return free


def download(hub: Hub, planned: Plan, advance: Advance, pauses: tuple[float, ...] = PAUSES) -> Path:
    """Bring what is missing; the folder here that holds it, of a LoRA its file.

    Raises:
        HubFault: it cannot be had; what has come stays, and the next call goes on from there.
    """
    source = planned.wanted.source
    folder = hub.folder(source)
    with hub.asked_for(source):
        for file, to_come in planned.missing.items():
            if _is_here(folder, planned.commit, file):  # it came for another model meanwhile
                advance(to_come)
                continue
            blob = folder / "blobs" / file.digest
            for stale in (blob, folder / "snapshots" / planned.commit / file.name):
                stale.unlink(missing_ok=True)
            url = hub.url(source, planned.commit, file.name)
            download_blob(url, file, blob, advance, pauses)
    names = [file.name for file in planned.files]
    return _place(planned.wanted, hub.register(source, names), names)


def local_copy(hub: Hub, wanted: Wanted) -> Path:
    """What :func:`download` would give, without asking the hub.

    Raises:
        HubFault: it is not, or not wholly, in the cache; tells what is missing.
    """
    source = wanted.source
    snapshot = _snapshot(hub, wanted)
    sizes = _sizes(hub, wanted, snapshot)
    names = choose(wanted, sizes, lambda name: read_json(snapshot / name))
    missing = sorted(name for name in names if not _has_size(snapshot / name, sizes[name]))
    if missing:
        more = f" and {len(missing) - 2} more" if len(missing) > 2 else ""
        raise HubFault(f"{source} is here in part: {', '.join(missing[:2])}{more} missing.")
    return _place(wanted, snapshot, names)


def followed(hub: Hub, wanted: Wanted) -> Wanted:
    """The same where its repository has moved to, unless a whole copy by the old id is here."""
    if wanted.moved is None:
        return wanted
    try:
        local_copy(hub, wanted)
    except HubFault:
        return wanted.moved
    return wanted


def _place(wanted: Wanted, snapshot: Path, names: Collection[str]) -> Path:
    if wanted.kind == "lora":
        (name,) = names
        return snapshot / name
    return snapshot / wanted.source.path


def _snapshot(hub: Hub, wanted: Wanted) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    source = wanted.source
    absent = HubFault(f"{source} is not on this machine.")
    try:
        revision = huggingface_hub.resolve_revision(
            source.repo, revision=source.revision, cache_dir=hub.cache, local_files_only=True
        )
    except (RevisionResolutionError, HFValidationError):
        raise absent from None
    snapshot = hub.folder(source) / "snapshots" / revision.resolved
    if not snapshot.is_dir():
        raise absent
    return snapshot


def _sizes(hub: Hub, wanted: Wanted, snapshot: Path) -> dict[str, int | None]:
    """The repository's files and their sizes, as noted when it was downloaded.

    Other programs may have left no note: then the files that are there, of any size.
    """
    import huggingface_hub
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        tree = huggingface_hub.get_cached_repo_tree(
            wanted.source.repo, revision=snapshot.name, cache_dir=hub.cache
        )
    except CachedRepoTreeNotFoundError:
        files = (path for path in snapshot.rglob("*") if path.is_file())
        return {path.relative_to(snapshot).as_posix(): None for path in files}
    return {file.path: file.size for file in tree}


def _is_here(folder: Path, commit: str, file: RepoFile) -> bool:
    """True for a file whose content the cache has, by itself or linked into the snapshot."""
    places = (folder / "blobs" / file.digest, folder / "snapshots" / commit / file.name)
    return any(_has_size(place, file.size) for place in places)


def _has_size(path: Path, size: int | None) -> bool:
    try:
        found = path.stat().st_size
    except OSError:
        return False
    return size is None or found == size

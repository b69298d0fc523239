"""The hub itself, asked through its own library, and where that keeps its files here."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from img2imgd.hub.faults import HubFault, explain
from img2imgd.hub.known import WELL_KNOWN, near
from img2imgd.hub.source import HubSource

_SEARCHED = 50  # answers of the hub's search that a wrong id is compared with


@dataclass(frozen=True)
class RepoFile:
    """A file of a repository. ``digest`` is the hub's name for its content: SHA-256 in hex of a
    large file, git's SHA-1 of a small one."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Listing:
    """What a repository holds at a commit."""

    commit: str
    files: tuple[RepoFile, ...]


class Hub:
    """The hub at ``endpoint`` and its cache; where none are named, as HF_ENDPOINT and HF_HOME say.

    Its methods raise HubFault for what a person can do something about.
    """

    def __init__(self, endpoint: str | None = None, cache: Path | None = None) -> None:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when it is imported
        import huggingface_hub
        from huggingface_hub import constants
        from huggingface_hub.utils import disable_progress_bars, logging

        disable_progress_bars()
        logging.set_verbosity_error()  # it tells of each retry; this program tells once
        self.endpoint = endpoint or constants.ENDPOINT
        self.cache = cache or Path(constants.HF_HUB_CACHE)
        self._api = huggingface_hub.HfApi(self.endpoint)

    @property
    def token(self) -> str | None:
        """The token of HF_TOKEN or of ``hf auth login``; never to be logged or printed.

        Raises HubFault when it cannot be one: the HTTP library would print it in its complaint.
        """
        import huggingface_hub

        token = huggingface_hub.get_token()
        if token is not None and not re.fullmatch(r"[!-~]+", token):
            raise HubFault(
                "the token in HF_TOKEN holds characters that no token has.", "Copy it again, alone."
            )
        return token

    @contextlib.contextmanager
    def asked_for(self, source: HubSource) -> Generator[None]:
        """Turn what the library, the network and the disk raise into HubFault."""
        from huggingface_hub.utils import get_session

        try:
            _ = self.token
            get_session().timeout = timeout()  # the library would wait for ever
            yield
        except Exception as error:
            fault = explain(self, source, error)
            if fault is None:
                raise
            raise fault from error

    def listing(self, source: HubSource) -> Listing:
        """The files of a repository and the commit that its revision stands for now."""
        with self.asked_for(source):
            info = self._api.model_info(
                source.repo, revision=source.revision, files_metadata=True, timeout=timeout()
            )
        files = (
            RepoFile(
                file.rfilename,
                file.lfs.size if file.lfs else file.size or 0,
                file.lfs.sha256 if file.lfs else file.blob_id or "",
            )
            for file in info.siblings or ()
        )
        return Listing(info.sha or "", tuple(file for file in files if _is_safe(file)))

    def read_json(self, source: HubSource, commit: str, name: str) -> Mapping[str, Any]:
        """A small JSON file of a repository, downloaded into the cache."""
        import huggingface_hub

        with self.asked_for(source):
            path = huggingface_hub.hf_hub_download(  # pyright: ignore[reportUnknownMemberType]
                source.repo, name, revision=commit, cache_dir=self.cache, endpoint=self.endpoint
            )
        return read_json(Path(path))

    def register(self, source: HubSource, names: list[str]) -> Path:
        """Have the library link downloaded files into a snapshot, and say where that is.

        It finds their content in the cache, and downloads what it does not find.
        """
        import glob

        import huggingface_hub

        with self.asked_for(source):
            folder = huggingface_hub.snapshot_download(  # pyright: ignore[reportUnknownMemberType]
                source.repo,
                revision=source.revision,
                cache_dir=self.cache,
                endpoint=self.endpoint,
                allow_patterns=[glob.escape(name) for name in names],
            )
        return Path(folder)

    def url(self, source: HubSource, commit: str, name: str) -> str:
        """Where a file is downloaded from."""
        import huggingface_hub

        return huggingface_hub.hf_hub_url(
            source.repo, name, revision=commit, endpoint=self.endpoint
        )

    def folder(self, source: HubSource) -> Path:
        """The cache's folder of a repository, with ``blobs``, ``refs`` and ``snapshots``."""
        return self.cache / f"models--{source.repo.replace('/', '--')}"

    def near_ids(self, repo: str) -> list[str]:
        """Ids that ``repo`` may have been meant for, from the hub's search and those well known."""
        owner, _, name = repo.partition("/")
        found = list(WELL_KNOWN)
        with _only_a_hint():
            found += [m.id for m in self._api.list_models(search=name, limit=_SEARCHED)]
            found += [m.id for m in self._api.list_models(author=owner, limit=_SEARCHED)]
        return near(repo, found)

    def near_revisions(self, source: HubSource) -> list[str]:
        """Branches and tags that the source's revision may have been meant for, else the first."""
        names: list[str] = []
        with _only_a_hint():
            refs = self._api.list_repo_refs(source.repo)
            names = [ref.name for ref in (*refs.branches, *refs.tags)]
        return near(source.revision or "", names) or names[:8]


def _is_safe(file: RepoFile) -> bool:
    """False for what no hub lists: a name or digest that would lead out of the cache's folders."""
    plain = not {"", ".", ".."}.intersection(file.name.split("/"))
    return plain and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", file.digest) is not None


def _only_a_hint() -> contextlib.AbstractContextManager[None]:
    """What cannot be had inside is done without."""
    import httpx2

    return contextlib.suppress(httpx2.HTTPError, OSError, ValueError)


def read_json(path: Path) -> Mapping[str, Any]:
    """The content of a JSON file; empty where it is none."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def timeout() -> float:
    """Seconds of silence after which the hub counts as gone; HF_HUB_DOWNLOAD_TIMEOUT sets it."""
    from huggingface_hub import constants

    return constants.HF_HUB_DOWNLOAD_TIMEOUT

"""A small Hugging Face hub on loopback: as much of its API as downloads and error messages need.

Large files (safetensors) are given as the real one does: by a redirect to a content network, here
the same server under another name and so another origin, which serves ranges.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """A repository with one commit; ``token`` is what private and gated ones ask for."""

    files: dict[str, bytes]
    private: bool = False
    gated: bool = False
    branches: tuple[str, ...] = ("main",)
    tags: tuple[str, ...] = ()
    commit: str = COMMIT


@dataclass(frozen=True)
class Request:
    """What was asked, and how many bytes of a file were sent."""

    method: str
    path: str
    begin: int | None
    authorized: bool
    sent: int


@dataclass
class HubServer:
    """The server's state; tests change it between and during requests.

    ``cuts`` and ``statuses`` are used up one by one: after how many bytes the connection of a large
    file's download is cut, and what the next requests are answered with (None: as it should be).
    While ``gate`` is not set such a download stands still after ``stall_after`` bytes.
    """

    port: int
    repositories: dict[str, Repository] = field(default_factory=dict[str, Repository])
    requests: list[Request] = field(default_factory=list[Request])
    cuts: list[int] = field(default_factory=list[int])
    statuses: list[int | None] = field(default_factory=list[int | None])
    token: str = "hf_right"  # noqa: S105 - a test's
    ranges: bool = True
    stall_after: int | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Variables for programs that are to use it, with their cache under ``home``."""
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home)}

    def add(self, repo: str, source: Path | dict[str, bytes], **changes: Any) -> Repository:
        """Serve a folder or files under an id."""
        if isinstance(source, Path):
            source = {
                path.relative_to(source).as_posix(): path.read_bytes()
                for path in sorted(source.rglob("*"))
                if path.is_file()
            }
        self.repositories[repo] = Repository(source, **changes)
        return self.repositories[repo]

    def downloads(self) -> list[Request]:
        """The requests for content of large files."""
        return [request for request in self.requests if request.path.startswith("/content/")]


@contextmanager
def serving() -> Iterator[HubServer]:
    """A server, until the block ends."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    http.hub = HubServer(http.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield http.hub  # type: ignore[attr-defined]
    finally:
        http.hub.gate.set()  # type: ignore[attr-defined]
        http.shutdown()
        thread.join()
        http.server_close()


def digest_of(name: str, content: bytes) -> str:
    """What the hub calls a file's content."""
    if _is_large(name):
        return hashlib.sha256(content).hexdigest()
    blob = f"blob {len(content)}\0".encode() + content
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest()


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin", ".ckpt", ".onnx", ".msgpack"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ThreadingHTTPServer

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self._sent = 0
        url = urlsplit(self.path)
        path = unquote(url.path)
        try:
            self._route(path, {key: values[0] for key, values in parse_qs(url.query).items()})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            asked = self.headers.get("Range")
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else None
            authorized = self.headers.get("Authorization") is not None
            self.hub.requests.append(Request(self.command, path, begin, authorized, self._sent))

    def _route(self, path: str, query: dict[str, str]) -> None:
        status = self.hub.statuses.pop(0) if self.hub.statuses else None
        if status is not None:
            self._error(status)
        elif path == "/api/models":
            self._search(query)
        elif path.startswith("/content/"):
            self._content(path.removeprefix("/content/"))
        elif path.startswith("/api/models/"):
            self._api(*_split(path.removeprefix("/api/models/")))
        else:
            self._file(*_split(path.lstrip("/")))

    def _search(self, query: dict[str, str]) -> None:
        found = [
            {"id": repo, "modelId": repo}
            for repo in self.hub.repositories
            if query.get("search", "").lower() in repo.lower()
            and repo.startswith(query.get("author", ""))
        ]
        self._json(found)

    def _api(self, repo: str, rest: list[str]) -> None:
        repository = self._repository(repo, metadata=True)
        if repository is None:
            return
        what = rest[0] if rest else "revision"
        revision = rest[1] if len(rest) > 1 else "main"
        if what == "refs":
            self._json({
                "branches": [_ref("heads", name) for name in repository.branches],
                "tags": [_ref("tags", name) for name in repository.tags],
                "converts": [],
            })  # fmt: skip
        elif not _has(repository, revision):
            self._error(404, "RevisionNotFound")
        elif what == "tree":
            self._json([_entry(name, content) for name, content in repository.files.items()])
        else:
            files = [_sibling(name, content) for name, content in repository.files.items()]
            self._json({"id": repo, "sha": repository.commit, "siblings": files})

    def _file(self, repo: str, rest: list[str]) -> None:
        repository = self._repository(repo, metadata=False)
        if repository is None:
            return
        _, revision, *pieces = rest
        name = "/".join(pieces)
        if not _has(repository, revision):
            self._error(404, "RevisionNotFound")
        elif name not in repository.files:
            self._error(404, "EntryNotFound")
        else:
            self._give(repository, name)

    def _give(self, repository: Repository, name: str) -> None:
        content = repository.files[name]
        digest = digest_of(name, content)
        headers = {"X-Repo-Commit": repository.commit, "ETag": f'"{digest}"'}
        if _is_large(name):
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
            headers |= {"Location": f"http://localhost:{self.hub.port}/content/{digest}"}
            self._send(302, b"", headers)
        else:
            self._ranged(content, headers)

    def _content(self, digest: str) -> None:
        for repository in self.hub.repositories.values():
            for name, content in repository.files.items():
                if digest_of(name, content) == digest:
                    cut = self.hub.cuts.pop(0) if self.hub.cuts else None
                    self._ranged(content, {"ETag": f'"{digest}"'}, cut)
                    return
        self._error(404)

    def _ranged(self, content: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        asked = self.headers.get("Range")
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.hub.ranges else 0
        status = 206 if begin else 200
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._send(status, content[begin:], headers, cut)

    def _repository(self, repo: str, *, metadata: bool) -> Repository | None:
        """The repository if the request may see it; else it is answered."""
        sent = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        repository = self.hub.repositories.get(repo)
        if sent and sent != self.hub.token:
            self._error(401, message="Invalid credentials in Authorization header")
        elif repository is None or (repository.private and not sent):
            self._error(404 if sent else 401, "RepoNotFound")
        elif repository.gated and not metadata:
            self._error(403 if sent else 401, "GatedRepo")
        else:
            return repository
        return None

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X-Error-Code": code} if code else {}
        headers |= {"X-Error-Message": message} if message else {}
        self._send(status, b"", headers)

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        stall = self.hub.stall_after if self.path.startswith("/content/") else None
        if stall is not None and stall < len(body):
            self._write(body[:stall])
            self.hub.gate.wait()
            body = body[stall:]
        self._write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def _write(self, body: bytes) -> None:
        self.wfile.write(body)
        self.wfile.flush()
        self._sent += len(body)


def _split(path: str) -> tuple[str, list[str]]:
    owner, name, *rest = path.rstrip("/").split("/")
    return f"{owner}/{name}", rest


def _has(repository: Repository, revision: str) -> bool:
    return revision in (*repository.branches, *repository.tags, repository.commit)


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": COMMIT}


def _sibling(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
    if _is_large(name):
        sha256 = digest_of(name, content)
        entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
    else:
        entry["blobId"] = digest_of(name, content)
    return entry


def _entry(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
    if _is_large(name):
        entry["lfs"] = {"oid": digest_of(name, content), "size": len(content), "pointerSize": 130}
    return entry

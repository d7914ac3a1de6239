"""A stand-in on loopback for the parts of two hubs' HTTP APIs that the real clients use."""

import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

REPO = "acme/tiny"


def commit_of(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


@dataclass
class Hub:
    """One repository, model and data set alike: ``commits`` are maps of path to bytes."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    wrong: set[str] = field(default_factory=set)
    down: bool = False
    cut: bool = False
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def commit(self, files: dict[str, bytes], branch: str) -> str:
        name = commit_of(len(self.commits))
        self.commits[name] = files
        self.branches[branch] = name
        return name

    def find(self, revision: str) -> str | None:
        revision = self.branches.get(revision) or self.tags.get(revision) or revision
        return revision if revision in self.commits else None

    def body(self, commit: str, path: str) -> bytes:
        data = self.commits[commit][path]
        return bytes([data[0] ^ 1]) + data[1:] if path in self.wrong else data

    def came_with(self, commit: str, path: str) -> int:
        """The number of the first commit that holds the file as it is."""
        data = self.commits[commit][path]
        names = list(self.commits)
        return next(n for n, name in enumerate(names) if self.commits[name].get(path) == data)


def is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".bin", ".jsonl"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined]

    def log_message(self, *_args: object) -> None:
        """Silent: pytest shows the requests that matter."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def answer(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        if self.hub.down:
            return self.send(503, b"down")
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts[:2] == ["api", "v1"]:
            return self.modelscope(parts[2:], query)
        return self.huggingface(parts)

    def refused(self) -> bool:
        given = f"{self.headers.get('Authorization', '')} {self.headers.get('Cookie', '')}"
        return self.hub.token is not None and self.hub.token not in given

    # Hugging Face

    def huggingface(self, parts: list[str]) -> None:
        if parts[0] == "api":
            return self.hf_api(parts[2:])
        rest = parts[1:] if parts[0] == "datasets" else parts
        return self.hf_file(rest[:2], rest[3], "/".join(rest[4:]))

    def hf_api(self, parts: list[str]) -> None:
        if self.hf_refuses(parts[:2]):
            return None
        what = parts[2] if len(parts) > 2 else "revision"
        if what == "refs":
            return self.json(
                {
                    "branches": _refs("heads", self.hub.branches),
                    "tags": _refs("tags", self.hub.tags),
                    "converts": [],
                }
            )
        commit = self.hub.find(parts[3] if len(parts) > 3 else "main")
        if commit is None:
            return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        siblings = [_hf_entry(p, d) for p, d in self.hub.commits[commit].items()]
        return self.json({"id": REPO, "sha": commit, "siblings": siblings})

    def hf_refuses(self, repository: list[str]) -> bool:
        if "/".join(repository) != REPO:
            self.send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return True
        if self.refused():
            self.send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            return True
        return False

    def hf_file(self, repository: list[str], revision: str, path: str) -> None:
        if self.hf_refuses(repository):
            return None
        commit = self.hub.find(revision)
        if commit is None or path not in self.hub.commits[commit]:
            return self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
        etag = hashlib.sha1(self.hub.commits[commit][path]).hexdigest()
        return self.file(commit, path, {"X-Repo-Commit": commit, "ETag": f'"{etag}"'})

    # ModelScope

    def modelscope(self, parts: list[str], query: dict[str, str]) -> None:
        if "/".join(parts[1:3]) != REPO:
            return self.json({"Code": 10010205001, "Message": "not found"}, 404)
        if self.refused():
            return self.json({"Code": 10010105001, "Message": "no access"}, 403)
        what = "/".join(parts[3:])
        if what == "revisions":
            return self.ms(
                {
                    "RevisionMap": {
                        "Branches": [{"Revision": name} for name in self.hub.branches],
                        "Tags": [{"Revision": name} for name in self.hub.tags],
                    }
                }
            )
        commit = self.hub.find(query.get("Revision", "master"))
        if commit is None:
            return self.json({"Code": 10010205002, "Message": "no such revision"}, 404)
        if what in ("repo/files", "repo/tree"):
            return self.ms({"Files": [self.ms_entry(commit, p) for p in self.hub.commits[commit]]})
        if what == "repo" and query["FilePath"] in self.hub.commits[commit]:
            return self.file(commit, query["FilePath"], {})
        return self.json({"Code": 404, "Message": f"{what} is not there"}, 404)

    def ms(self, data: object) -> None:
        self.json({"Code": 200, "Success": True, "Data": data})

    def ms_entry(self, commit: str, path: str) -> dict[str, object]:
        data = self.hub.commits[commit][path]
        number = self.hub.came_with(commit, path)
        return {
            "Path": path,
            "Name": path.rpartition("/")[2],
            "Type": "blob",
            "Size": len(data),
            "Sha256": hashlib.sha256(data).hexdigest() if is_large(path) else "",
            "Revision": commit_of(number),
            "CommittedDate": 1700000000 + number,
        }

    # Both

    def file(self, commit: str, path: str, headers: dict[str, str]) -> None:
        data = self.hub.body(commit, path)
        self.send(200, data, headers, cut=self.hub.cut and is_large(path))

    def json(self, value: object, status: int = 200) -> None:
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut


def _refs(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
        for name, commit in names.items()
    ]


def _hf_entry(path: str, data: bytes) -> dict[str, object]:
    sha = hashlib.sha256(data).hexdigest()
    lfs = {"lfs": {"sha256": sha, "size": len(data), "pointerSize": 130}} if is_large(path) else {}
    oid = hashlib.sha1(data).hexdigest()
    return {"rfilename": path, "size": len(data), "blobId": oid, **lfs}


@contextmanager
def serving(hub: Hub):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()

"""As much of the Hugging Face Hub as one upload and one download need, on this machine.

It refuses whatever else it is asked for, and checks what it is given.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD_ENTRIES = {"library_name", "license", "pipeline_tag", "tags"}
TOKEN = "hf_ofthetest"


@dataclass
class Repository:
    """Files by name, and the messages of its commits."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


class Hub(ThreadingHTTPServer):
    """A server with repositories, and large files by their SHA-256 that no commit has named yet."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.refused: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


class Request(BaseHTTPRequestHandler):
    """The calls of `huggingface_hub`: create a repository, ask how files are uploaded, large files as Git LFS has them,
    commit; and of a download: what there is, and the files."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self._body()
        if self._unauthorised():
            return
        if self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path == "/api/validate-yaml":
            self._validate_card(json.loads(body)["content"])
        elif match := re.fullmatch(r"/api/models/([\w-]+/[\w-]+)/preupload/main", self.path):
            self._preupload(match[1], json.loads(body))
        elif match := re.fullmatch(r"/([\w-]+/[\w-]+)\.git/info/lfs/objects/batch", self.path):
            self._lfs_batch(json.loads(body))
        elif match := re.fullmatch(r"/api/models/([\w-]+/[\w-]+)/commit/main", self.path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._refuse(f"POST {self.path}")

    def do_PUT(self) -> None:
        body = self._body()
        match = re.fullmatch(r"/store/([0-9a-f]{64})", self.path)
        if match is None or hashlib.sha256(body).hexdigest() != match[1]:
            self._refuse(f"PUT {self.path}")
            return
        self.server.stored[match[1]] = body
        self._answer(200, {})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if match := re.fullmatch(r"/api/models/([\w-]+/[\w-]+)(/revision/\w+)?", path):
            self._info(match[1])
        elif match := re.fullmatch(r"/api/models/([\w-]+/[\w-]+)/tree/\w+", path):
            self._tree(match[1])
        elif match := re.fullmatch(r"/([\w-]+/[\w-]+)/resolve/\w+/(.+)", path):
            self._file(match[1], match[2])
        else:
            self._refuse(f"GET {self.path}")

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.server.repositories:
            self._answer(409, {"url": f"{self.server.address}/{name}"})
            return
        self.server.repositories[name] = Repository(
            wanted.get("private") or wanted.get("visibility") == "private"
        )
        self._answer(200, {"url": f"{self.server.address}/{name}"})

    def _validate_card(self, text: str) -> None:
        """What the hub says of the entries at a card's top, as far as it can be known here."""
        _, top, _ = text.split("---\n", 2)
        unknown = sorted(set(yaml.safe_load(top)) - CARD_ENTRIES)
        errors = [{"message": f"unknown entry {name}"} for name in unknown]
        self._answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def _preupload(self, repository: str, asked: dict[str, Any]) -> None:
        """Text in the commit itself, tensors apart, as the hub's .gitattributes have it."""
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for one in asked["files"]
        ]
        self._answer(200, {"files": files} if repository in self.server.repositories else {"files": []})

    def _lfs_batch(self, asked: dict[str, Any]) -> None:
        assert asked["operation"] == "upload"
        objects = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "actions": {"upload": {"href": f"{self.server.address}/store/{one['oid']}", "header": {}}},
            }
            for one in asked["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        header, *changes = lines
        repository = self.server.repositories[name]
        for change in changes:
            value = change["value"]
            if change["key"] == "file":
                assert value["encoding"] == "base64"
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif change["key"] == "lfsFile":
                repository.files[value["path"]] = self.server.stored[value["oid"]]
            else:
                self._refuse(f"a change {change['key']}")
                return
        repository.commits.append(header["value"]["summary"])
        url = f"{self.server.address}/{name}/commit/{COMMIT}"
        self._answer(200, {"success": True, "commitOid": COMMIT, "commitUrl": url})

    def _info(self, name: str) -> None:
        if name not in self.server.repositories:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [{"rfilename": file} for file in sorted(self.server.repositories[name].files)]
        self._answer(200, {"id": name, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings})

    def _tree(self, name: str) -> None:
        files = self.server.repositories[name].files
        entries = [
            {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for file, content in sorted(files.items())
        ]
        self._answer(200, entries)

    def _file(self, name: str, file: str) -> None:
        content = self.server.repositories[name].files.get(file)
        if content is None:
            self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self._send(200, content, headers)

    def _unauthorised(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return False
        self._answer(401, {"error": "Invalid credentials"})
        return True

    def _refuse(self, what: str) -> None:
        self.server.refused.append(what)
        self._answer(501, {"error": f"{what} is nothing that this server knows"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(
            status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

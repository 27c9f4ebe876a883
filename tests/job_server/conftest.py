"""A server without workers, clients of it, and a worker in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the server needs the extra `server`")
pytest.importorskip("python_multipart", reason="the server needs the extra `server`")
pytest.importorskip("prometheus_client", reason="the server needs the extra `server`")
pytest.importorskip("fsspec", reason="the server needs the extra `server`")

from fastapi.testclient import TestClient
from PIL import Image

from followyouremoji.job_server.app import job_app
from followyouremoji.job_server.memory import RememberingFinder
from followyouremoji.job_server.results import Results
from followyouremoji.job_server.server import JobServer
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.job_server.worker import Orders, Post, Worker
from followyouremoji.requests.animation import load_animator
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.request import ModelChoice

ADDRESS = "http://127.0.0.1"
OPEN: list[Any] = []
"""Ends of workers' pipes: one that is closed would end this process."""
SHORT = {"clip": {"duration": "3"}, "settings": {"size": 64}}
"""Settings of a job that is quickly done."""


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A portrait, 128 pixels a side."""
    written = io.BytesIO()
    Image.open(portrait_path("bundled:ada")).convert("RGB").resize((128, 128)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(folder=tmp_path / "serve")


@pytest.fixture
def server(settings: ServerSettings) -> Iterator[JobServer]:
    with JobServer(settings, ModelChoice()) as opened:
        yield opened


@pytest.fixture
def client(server: JobServer) -> Iterator[TestClient]:
    with TestClient(job_app(server), ADDRESS) as opened:
        yield opened


def form(
    portrait: bytes | str = "bundled:ada",
    motion: bytes | str = "bundled:hello",
    settings: dict[str, Any] | None = None,
    names: tuple[str, str] = ("me.png", "clip.mp4"),
) -> dict[str, Any]:
    """A job's form as httpx takes it."""
    parts: dict[str, Any] = {
        part: (None, given) if isinstance(given, str) else (name, given)
        for part, given, name in zip(("portrait", "motion"), (portrait, motion), names, strict=True)
    }
    return parts | {"settings": (None, json.dumps(SHORT if settings is None else settings))}


@pytest.fixture(scope="session")
def animator() -> Any:
    return load_animator(ModelChoice())


@pytest.fixture
def new_worker(server: JobServer, animator: Any) -> Iterator[Callable[..., Worker]]:
    """Makes a worker of this process, which does what `work_off` has it do; its results lie where the server's do, or
    at another address."""
    finders = list[RememberingFinder]()

    def make(store: str | None = None) -> Worker:
        near, far = Pipe()
        OPEN.append(near)
        post = Post(0, replace(server.settings, store=store), ModelChoice())
        finders.append(RememberingFinder())
        return Worker(post, server.queue, Results(post.results), animator, finders[-1], Orders(far))

    yield make
    for finder in finders:
        finder.__exit__()


def work_off(worker: Worker) -> int:
    """Do all jobs that wait; returns how many these were."""
    done = 0
    while (entry := worker.queue.claim(worker.post.name)) is not None:
        worker.do(entry)
        done += 1
    return done

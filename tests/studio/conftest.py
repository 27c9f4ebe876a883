"""A studio as `fye studio` opens it, with the bundled model, and visitors: in a browser, and without one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("gradio", reason="the studio needs Gradio")

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketTestSession

from followyouremoji.requests.request import ModelChoice
from followyouremoji.serving import address_of, listen, server
from followyouremoji.studio.server import studio_app
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.studio.studio import Studio
from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HOST = "127.0.0.1"
PATIENCE = 60_000  # milliseconds; on a busy machine


class Errors(logging.Handler):
    """What is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass(frozen=True)
class Served:
    """A studio that listens.

    Attributes
    ----------
    address : without a slash at its end
    errors : what the server logged as errors
    """

    studio: Studio
    app: FastAPI
    address: str
    errors: list[str]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = StudioSettings(port=0, folder=tmp_path_factory.mktemp("studio"))
    errors = Errors()
    logging.getLogger().addHandler(errors)
    with listen(HOST, 0) as listening, Studio(settings, ModelChoice()) as opened:
        app = studio_app(opened)
        running = server(app)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        yield Served(opened, app, address_of(HOST, listening).rstrip("/"), errors.lines)
        running.should_exit = True
        thread.join()
    logging.getLogger().removeHandler(errors)


@pytest.fixture
def new_client(studio: Served) -> Iterator[Callable[..., TestClient]]:
    """Makes a visitor without a browser, another one at each call."""
    clients: list[TestClient] = []

    def begin(**more: Any) -> TestClient:
        clients.append(TestClient(studio.app, base_url=studio.address, **more))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def client(new_client: Callable[..., TestClient]) -> TestClient:
    return new_client()


def live_socket(client: TestClient, path: str = "/studio/live", **headers: str) -> WebSocketTestSession:
    """A websocket as the page opens it, of a visitor who has seen the page."""
    if not client.cookies:
        client.get("/studio/examples")
    base = str(client.base_url).rstrip("/")
    return client.websocket_connect(base.replace("http", "ws", 1) + path, headers={"origin": base, **headers})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@dataclass
class Watch:
    """What goes wrong in pages. Refusals of `/studio/` are none: the page shows them to the visitor."""

    address: str
    problems: list[str]

    def __call__(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("request", lambda request: self._request(request.url))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))
        page.on("response", lambda response: self._response(response.url, response.status))

    def _console(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith("Failed to load resource"):  # which `_response` judges
            self.problems.append(f"console: {text}")

    def _request(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "data:", "blob:")):
            self.problems.append(f"asked of elsewhere: {url}")

    def _failed(self, url: str, failure: str) -> None:
        if failure != "net::ERR_ABORTED":  # by the page itself, or as it is closed
            self.problems.append(f"failed: {url} {failure}")

    def _response(self, url: str, status: int) -> None:
        if status >= 500 or (status >= 400 and not url.startswith(f"{self.address}/studio/")):
            self.problems.append(f"{status}: {url}")


@pytest.fixture
def problems() -> list[str]:
    """What went wrong in pages; a test that provokes something takes it out."""
    return []


@pytest.fixture
def new_page(studio: Served, browser: Browser, problems: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens the studio as a new visitor, another one at each call; arguments are of the browser's context. In the end
    nothing may have gone wrong in any page, nor in the server."""
    contexts: list[BrowserContext] = []
    watch, before = Watch(studio.address, problems), len(studio.errors)

    def begin(path: str = "/", **more: Any) -> Page:
        more.setdefault("viewport", {"width": 1280, "height": 900})
        context = browser.new_context(base_url=studio.address, **more)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("page", watch)
        page = context.new_page()
        page.goto(path)
        page.locator(".fye-header").wait_for()
        return page

    yield begin
    for context in contexts:
        context.close()
    assert problems == []
    assert studio.errors[before:] == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()

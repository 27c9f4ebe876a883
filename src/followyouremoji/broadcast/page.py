"""The portrait on a page for browsers of this machine.

    GET  /               the page
    GET  /portrait       the portrait, as pictures that replace each other (multipart/x-mixed-replace of JPEG)
    GET  /camera         what the camera sees, likewise, small
    GET  /figures        {"line": "live, 24.6 frames a second, 0.18 s behind"}
    POST /wishes/NAME    "recalibrate" or "end"

Other programs that read such streams, FFmpeg among them, can be given the address of the portrait.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import cv2
import numpy as np
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from followyouremoji.broadcast.output import Moment, Wish, figures_line
from followyouremoji.media.pictures import on_background
from followyouremoji.serving import LOCAL, address_of, server

NAMES = [LOCAL, "localhost"]
"""By which a browser may ask for the page: not by a name that somebody else had lead here."""

QUALITY = 90  # of the JPEGs
CAMERA_HEIGHT = 240  # pixels; the page shows what the camera sees in a corner
BOUNDARY = "next-picture-of-the-portrait"
STREAM = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Newest:
    """The newest picture, for any number of threads that wait for the next one; scaled down to `tallest` pixels."""

    def __init__(self, picture: np.ndarray | None = None, tallest: int | None = None) -> None:
        self._picture, self._tallest = picture, tallest
        self._number = 0 if picture is None else 1
        self._closed = False
        self._changed = threading.Condition()

    def put(self, picture: np.ndarray) -> None:
        """Have a picture, uint8 (height, width, 3 or 4), take the place of the one before."""
        with self._changed:
            self._picture, self._number = picture, self._number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """No more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def jpegs(self) -> Iterator[bytes]:
        """The newest picture whenever there is a new one, until the end: who is slow misses some."""
        seen = 0
        while True:
            with self._changed:
                while self._number == seen and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                picture, seen = self._picture, self._number
            assert picture is not None
            height, width = picture.shape[:2]
            if self._tallest is not None and height > self._tallest:
                smaller = (max(1, round(width * self._tallest / height)), self._tallest)
                picture = cv2.resize(picture, smaller, interpolation=cv2.INTER_AREA)
            in_order = cv2.cvtColor(on_background(picture), cv2.COLOR_RGB2BGR)
            yield cv2.imencode(".jpg", in_order, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def parts(jpegs: Iterator[bytes]) -> Iterator[bytes]:
    """The body of a stream. The head of the next part comes with each picture: Chromium shows one when it sees that."""
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
    yield head
    for jpeg in jpegs:
        yield jpeg + b"\r\n" + head


class Page:
    """The page and its server, as a context manager; `address` is where it is, for a browser of this machine.

    Parameters
    ----------
    title : what is animated.
    still : uint8 (height, width, 3 or 4), what is shown until the first frame comes.
    listening : at `LOCAL`, see `serving.listen`.
    """

    def __init__(self, title: str, still: np.ndarray, listening: socket.socket) -> None:
        self._portrait, self._camera = Newest(still), Newest(tallest=CAMERA_HEIGHT)
        self._figures = ""
        self._asked: SimpleQueue[Wish] = SimpleQueue()
        self.address = address_of(LOCAL, listening)
        self._server = server(self._app(title))
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="page", daemon=True
        )
        self._thread.start()

    def show(self, moment: Moment) -> None:
        """See `Output`."""
        self._portrait.put(moment.frame.picture)
        self._camera.put(moment.seen)
        self._figures = figures_line(moment.figures)

    def wishes(self) -> Collection[Wish]:
        """Those of the page's buttons and keys."""
        asked: list[Wish] = []
        try:
            while True:
                asked.append(self._asked.get_nowait())
        except Empty:
            return asked

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._portrait.close()
        self._camera.close()
        self._server.should_exit = True
        self._thread.join()

    def _app(self, title: str) -> ASGIApp:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")

        @app.get("/")
        def page() -> HTMLResponse:
            nonce = secrets.token_urlsafe(16)
            text = template.replace("{{nonce}}", nonce).replace("{{title}}", escape(title))
            return HTMLResponse(text, headers={"Content-Security-Policy": POLICY.format(nonce=nonce)})

        @app.get("/portrait")
        def portrait() -> StreamingResponse:
            return StreamingResponse(parts(self._portrait.jpegs()), media_type=STREAM)

        @app.get("/camera")
        def camera() -> StreamingResponse:
            return StreamingResponse(parts(self._camera.jpegs()), media_type=STREAM)

        @app.get("/figures")
        def figures() -> dict[str, str]:
            return {"line": self._figures}

        @app.post("/wishes/{wish}", status_code=204)
        def ask(wish: Wish) -> None:
            self._asked.put(wish)

        return TrustedHostMiddleware(Guard(app), allowed_hosts=NAMES, www_redirect=False)


@dataclass(frozen=True)
class Guard:
    """Middleware that lets no page of elsewhere ask for anything, and gives answers their headers."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        elsewhere = origin is not None and urlsplit(origin).netloc != asked.get("host")

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await (Response(status_code=403) if elsewhere else self.app)(scope, receive, headed)

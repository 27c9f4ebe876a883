"""What a browser may ask of the studio, looked at before anything else looks at a request.

- Where only this machine is listened to, a request names this machine: no page of elsewhere reaches the studio under a
  name of its own that leads here (DNS rebinding).
- No page of elsewhere asks for anything. A link to the studio may be followed.
- The studio's own routes are there, and those of Gradio that its layout needs; no other.
- One websocket is there, for a page of the studio's own.
- A body is bounded while it arrives.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from followyouremoji.serving import is_local, name_of
from followyouremoji.studio.visits import CLOSED

UPLOADS = "/studio/materials"
"""Whose bodies are files; the route bounds them."""

WEBSOCKET = "/studio/live"
"""The only one."""

MOST_BYTES = 1_000_000
"""Of any other body."""

ROUTES = [
    ({"GET", "HEAD", "POST", "PUT", "DELETE"}, r"/studio/.+"),
    ({"GET", "HEAD"}, r"/|/theme\.css|/manifest\.json|/favicon\.ico|/(assets|static)/.+"),
    ({"GET"}, r"/gradio_api/queue/data|/gradio_api/heartbeat/\w+"),
    ({"POST"}, r"/gradio_api/queue/join"),
]
"""Methods and paths."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)
"""Of Gradio's page, which makes functions of the text of listeners."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers hide the origin of a form from us, too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
CACHED = {
    "/assets/": "public, max-age=31536000, immutable",
    "/static/": "no-cache",
    "/studio/static/": "no-cache",
}
"""By the beginning of a path; all else is for the visitor alone."""

INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
AGAIN = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Follow Your Emoji</title>'


@dataclass(frozen=True)
class Guard:
    """Middleware that lets through what a browser may ask for.

    Parameters
    ----------
    local : whether only this machine is listened to.
    proxied : host, and port if it has one, that a proxy passes on to here; empty where there is none.
    """

    app: ASGIApp
    local: bool
    proxied: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self.allows_websocket(scope):
                await self.app(scope, receive, send)
            else:
                await send(CLOSED)
        else:
            answer = self.refusal(scope) or self.app
            if scope["path"] == "/":
                answer = WithScripts(answer)
            await answer(scope, bounded(scope, receive), with_headers(scope, send))

    def allows_websocket(self, scope: Scope) -> bool:
        """Whether a websocket may be opened: the page's own, by a browser, which names the page that asks."""
        asked = {**scope, "method": "GET"}
        return scope["path"] == WEBSOCKET and "origin" in Headers(scope=scope) and self.refusal(asked) is None

    def refusal(self, scope: Scope) -> Response | None:
        """The answer to what may not be asked; None where it may."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.local and host != self.proxied and not is_local(name_of(host)):
            return refused(421, "the studio is not at this address")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in (host, self.proxied or host):
            return refused(403, "a page of elsewhere may not ask for this")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            if scope["path"] != "/" or headers.get("sec-fetch-mode") != "navigate":
                return refused(403, "a page of elsewhere may not ask for this")
            # A link was followed, so the browser keeps the visitor's cookie back. It does not when the page asks again.
            return HTMLResponse(AGAIN)
        if not any(
            scope["method"] in methods and re.fullmatch(path, scope["path"]) for methods, path in ROUTES
        ):
            return refused(404, "there is no such thing")
        return None


def refused(status: int, sentence: str) -> Response:
    return JSONResponse({"detail": sentence}, status)


def bounded(scope: Scope, receive: Receive) -> Receive:
    """Of a body that is no upload, no more than `MOST_BYTES` are taken."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES and scope["path"] != UPLOADS:
            raise HTTPException(413, f"this is too large: up to {MOST_BYTES // 1_000_000} MB are taken here")
        return message

    return take


def with_headers(scope: Scope, send: Send) -> Send:
    """Answers get the headers that they do not have."""

    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            cached = (how for path, how in CACHED.items() if scope["path"].startswith(path))
            headers.setdefault("Cache-Control", next(cached, "no-store"))
        await send(message)

    return headed


@dataclass(frozen=True)
class WithScripts:
    """Has a page's own inline scripts run, and no other that might get into it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        page = b""

        async def gather(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message
                return
            page += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body"):
                hashes = (hashlib.sha256(script).digest() for script in INLINE_SCRIPT.findall(page))
                scripts = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes)
                MutableHeaders(scope=start)["Content-Security-Policy"] = PAGE_POLICY.format(scripts=scripts)
                await send(start)
                await send({"type": "http.response.body", "body": page})

        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, gather)

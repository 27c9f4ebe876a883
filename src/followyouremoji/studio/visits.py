"""Who a request comes from: a token in a cookie that no script reads, made at a visitor's first request."""

from __future__ import annotations

import re
import secrets
from http.cookies import SimpleCookie
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from followyouremoji.studio.store import Visitor

COOKIE = "fye_visitor"
TOKEN = re.compile(r"[0-9a-f]{64}")
YEAR = 365 * 24 * 3600


class Visits:
    """Middleware that gives each visitor a token, in `scope["state"]["token"]`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
        known = cookie is not None and TOKEN.fullmatch(cookie.value) is not None
        token = cookie.value if known and cookie is not None else secrets.token_hex(32)
        scope.setdefault("state", {})["token"] = token

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not known:
                words = f"{COOKIE}={token}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Strict"
                message["headers"] = [*message["headers"], (b"set-cookie", words.encode())]
            await send(message)

        await self.app(scope, receive, with_cookie)


def visitor_of(request: Request) -> Visitor:
    """The visitor whom a request comes from."""
    visitor: Visitor = request.app.state.studio.store.visitor(request.state.token)
    return visitor


Visiting = Annotated[Visitor, Depends(visitor_of)]

"""Who a request comes from: a token in a cookie that no script reads, made at a visitor's first request."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from followyouremoji.studio.store import Visitor

COOKIE = "fye_visitor"
TOKEN = re.compile(r"[0-9a-f]{64}")
YEAR = 365 * 24 * 3600

CLOSED: Message = {"type": "websocket.close", "code": 1008}
"""The answer to a websocket that may not be opened: 403."""


@dataclass(frozen=True)
class Visits:
    """Middleware that gives each visitor a token, see `token_of`."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        token = cookie(scope, COOKIE)
        known = token is not None and TOKEN.fullmatch(token) is not None
        if not known and scope["type"] == "websocket":  # a page asks for it, which has a token
            await send(CLOSED)
            return
        if not known:
            token = secrets.token_hex(32)
        scope.setdefault("state", {})["token"] = token

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and not known:
                words = f"{COOKIE}={token}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Strict"
                words += "; Secure" if scope["scheme"] == "https" else ""
                message["headers"] = [*message["headers"], (b"set-cookie", words.encode())]
            await send(message)

        await self.app(scope, receive, with_cookie)


def cookie(scope: Scope, name: str) -> str | None:
    """A cookie of a request."""
    given = dict(scope["headers"]).get(b"cookie", b"")
    return cookie_parser(given.decode("latin-1")).get(name)


def token_of(scope: Scope) -> str:
    """The visitor's."""
    token: str = scope["state"]["token"]
    return token


def visitor_of(connection: HTTPConnection) -> Visitor:
    """The visitor whom a request comes from."""
    visitor: Visitor = connection.app.state.studio.store.visitor(token_of(connection.scope))
    return visitor


Visiting = Annotated[Visitor, Depends(visitor_of)]

"""The password of a studio that others can reach: asked once a visitor, and guessed slowly."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import secrets
from collections import OrderedDict
from importlib.resources import files
from time import monotonic
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from followyouremoji.studio.visits import CLOSED, cookie, token_of

COOKIE = "fye_pass"
LOGIN = "/studio/login"
ASKED = "the studio asks for its password: load the page anew"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

FREE = 5
"""Wrong passwords from an address before it has to wait."""
LONGEST = 300.0
"""Seconds that it waits, at most."""
MOST_ADDRESSES = 10_000
"""That are remembered."""


class Attempts:
    """Wrong passwords by address: after the first few, each makes it wait twice as long as the one before."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and when the latest was

    def wait(self, address: str) -> float:
        """Seconds until a password of an address is looked at; 0 where it is at once."""
        count, latest = self._wrong.get(address, (0, 0.0))
        if count < FREE:
            return 0.0
        return max(0.0, latest + min(LONGEST, 2.0 ** (count - FREE)) - monotonic())

    def wrong(self, address: str) -> None:
        count, _ = self._wrong.pop(address, (0, 0.0))
        self._wrong[address] = count + 1, monotonic()
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        self._wrong.pop(address, None)


class Password:
    """Middleware that lets through who has given the password; inside of `Visits`. Ends with the studio: after a new
    start everybody gives it again."""

    def __init__(self, app: ASGIApp, password: str) -> None:
        self.app = app
        self._password = digest(password)
        self._key = secrets.token_bytes(32)
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = self.app
        if scope["type"] == "http":
            if (scope["method"], scope["path"]) == ("POST", LOGIN):
                answer = await self._login(Request(scope, receive))
            elif not self._has_given_it(scope):
                answer = login_page(401) if scope["path"] == "/" else JSONResponse({"detail": ASKED}, 401)
        elif scope["type"] == "websocket" and not self._has_given_it(scope):
            await send(CLOSED)
            return
        await answer(scope, receive, send)

    def _has_given_it(self, scope: Scope) -> bool:
        given = cookie(scope, COOKIE)
        return given is not None and hmac.compare_digest(given.encode(), self._pass(scope).encode())

    def _pass(self, scope: Scope) -> str:
        return hmac.new(self._key, token_of(scope).encode(), "sha256").hexdigest()

    async def _login(self, request: Request) -> Response:
        address = network_of(request.client.host if request.client else "")
        given = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=4).get(
            "password", [""]
        )
        wait = self._attempts.wait(address)
        if wait > 0:
            seconds = math.ceil(wait)
            return login_page(
                429, f"Too many wrong passwords; wait {seconds} s.", {"Retry-After": str(seconds)}
            )
        if not hmac.compare_digest(digest(given[0]), self._password):
            self._attempts.wrong(address)
            return login_page(401, "This is not the password.")
        self._attempts.right(address)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, self._pass(request.scope), httponly=True, samesite="strict", secure=secure)
        return answer


def digest(password: str) -> bytes:
    """Of one length, so that comparing tells nothing of a password's."""
    return hashlib.sha256(password.encode()).digest()


def network_of(address: str) -> str:
    """What one person has: an address, or a network of IPv6."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return address
    if number.version == 4:
        return address
    return str(ipaddress.ip_network((int(number), 64), strict=False))


def login_page(status: int, problem: str = "", headers: dict[str, str] | None = None) -> Response:
    """`problem` is one of our own sentences."""
    page = files(__package__).joinpath("login.html").read_text(encoding="utf-8")
    policy = {"Content-Security-Policy": POLICY, **(headers or {})}
    return HTMLResponse(page.replace("{{problem}}", problem), status, policy)

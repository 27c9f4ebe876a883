"""Web applications of this machine: where they listen, and until when. Only serving needs uvicorn."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from followyouremoji.errors import SettingsError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

PATIENCE = 2.0
AWAKE = 0.5  # seconds after which a signal is seen at the latest
LOCAL = "127.0.0.1"
"""Where only this machine listens."""
MOST_MESSAGE = 500_000  # bytes, of a websocket's


def listen(host: str, port: int) -> socket.socket:
    """A socket for the server; port 0 is any that is free. Raises SettingsError where there is none to be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as reason:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({reason.strerror}); give another with --port or --host"
        ) from None


def address_of(host: str, listening: socket.socket) -> str:
    """The address of the page, for a browser of this machine."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"


def is_local(host: str) -> bool:
    """Whether only this machine can reach a host's address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def name_of(host: str) -> str:
    """The name or number in a header `Host`, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 number
        return ""


def server(app: ASGIApp) -> uvicorn.Server:
    """A server that says nothing but what went wrong; requests that are under way have a second when it ends."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ws_max_size=MOST_MESSAGE,
            ws_per_message_deflate=False,  # they are pictures, which are compressed
        )
    )


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until Ctrl-C or a signal to end; the main thread's to call.

    The process ends `PATIENCE` seconds after that, whatever its threads are at, as what is served bears being killed.
    """
    running = server(app)

    def end(number: int, frame: FrameType | None) -> None:
        running.should_exit = True
        last = threading.Timer(PATIENCE, os._exit, (0,))
        last.daemon = True
        last.start()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In a thread, uvicorn leaves signals alone: it would raise them anew when it has ended.
        thread = threading.Thread(target=running.run, args=([listening],), name="server", daemon=True)
        thread.start()
        # A signal that reaches another thread first would end no endless wait of this one.
        while thread.is_alive():
            thread.join(AWAKE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

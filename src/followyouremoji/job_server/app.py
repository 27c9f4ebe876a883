"""The server as a web application, and its process: until it is told to end."""

from __future__ import annotations

import signal
import socket
import threading
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry

from followyouremoji.errors import SettingsError
from followyouremoji.job_server.metrics import JobFigures, Requests
from followyouremoji.job_server.problems import Problem, tell_problems
from followyouremoji.job_server.routes import probes, router, schemas
from followyouremoji.job_server.server import JobServer
from followyouremoji.serving import AWAKE
from followyouremoji.serving import server as web_server
from followyouremoji.version import __version__

LAST_ANSWERS = 2.0
"""Seconds for answers that are under way when nothing else is."""


def job_app(server: JobServer) -> FastAPI:
    """The server as a web application."""
    app = FastAPI(
        title="Follow Your Emoji",
        version=__version__,
        description="Animates portraits: submit a job, ask how far it is, fetch its result.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.server, app.state.registry = server, CollectorRegistry()
    app.state.registry.register(JobFigures(server))
    app.add_middleware(Requests, registry=app.state.registry)
    app.include_router(router)
    app.include_router(probes)
    tell_problems(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            described["components"]["schemas"] |= schemas() | {"Problem": Problem.model_json_schema()}
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def serve_jobs(app: FastAPI, listening: socket.socket) -> None:
    """Serve until Ctrl-C or a signal to end; the main thread's to call. Jobs that run then have the settings' grace,
    and while they do, clients are answered; a second signal has them saved at once.

    Raises SettingsError where no worker can work.
    """
    server: JobServer = app.state.server
    running = web_server(app)
    asked, hurry = threading.Event(), threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        (hurry if asked.is_set() else asked).set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        thread = threading.Thread(target=running.run, args=([listening],), name="server", daemon=True)
        server.start()  # before any upload comes: it removes those that are left over
        thread.start()
        assert server.workers is not None
        # A signal that reaches another thread first would end no endless wait of this one.
        while thread.is_alive() and server.workers.refusal is None and not asked.wait(AWAKE):
            pass
        server.end(hurry)
        running.should_exit = True
        thread.join(LAST_ANSWERS)
        if (refusal := server.workers.refusal) is not None and not asked.is_set():
            raise SettingsError(refusal)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

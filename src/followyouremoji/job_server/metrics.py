"""Figures for Prometheus: of jobs, as the queue notes them, and of requests."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from followyouremoji.job_server.server import JobServer

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
STATES = ("waiting", "running", "done", "failed", "cancelled")


class JobFigures:
    """Jobs by state, and of all that ever ended how long they waited and worked: they outlive a restart."""

    def __init__(self, server: JobServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus-client when figures are asked for."""
        jobs = GaugeMetricFamily("fye_jobs", "Jobs that are listed, by state.", labels=["state"])
        counts = self._server.queue.counts()
        for state in STATES:
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs
        ended = CounterMetricFamily("fye_jobs_ended", "Jobs that have ended, by state.", labels=["state"])
        waited = CounterMetricFamily("fye_job_wait_seconds", "That ended jobs waited.", labels=["state"])
        worked = CounterMetricFamily("fye_job_work_seconds", "That ended jobs ran.", labels=["state"])
        for state, number, wait, work in self._server.queue.totals():
            ended.add_metric([state], number)
            waited.add_metric([state], wait)
            worked.add_metric([state], work)
        yield from (ended, waited, worked)
        workers = self._server.workers
        ready = 0 if workers is None else workers.ready
        yield GaugeMetricFamily("fye_workers_ready", "Workers that take jobs.", ready)
        yield CounterMetricFamily(
            "fye_uploaded_bytes", "Of forms since the start.", float(self._server.uploaded)
        )


class Requests:
    """Middleware that measures how long requests take, by route and status: never by client or job."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._seconds = Histogram(
            "fye_http_request_seconds",
            "Until the answer's end.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._seconds.labels(method, route, str(status)).observe(time.perf_counter() - began)


METHODS = ("GET", "HEAD", "POST", "DELETE")

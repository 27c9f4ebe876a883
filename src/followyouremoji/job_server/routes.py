"""What may be asked of the server; `docs/guides/serve.md` says it to users, and OpenAPI to programs."""

from __future__ import annotations

import shutil
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from followyouremoji.job_server.access import Asking, server_of
from followyouremoji.job_server.problems import Refused, responses
from followyouremoji.job_server.request import settings_schema
from followyouremoji.job_server.server import JobServer, told_of
from followyouremoji.job_server.uploads import FormReader
from followyouremoji.job_server.views import (
    Health,
    Job,
    JobList,
    Motions,
    Readiness,
    State,
    result_name,
    view,
)
from followyouremoji.jobs.queue import Entry
from followyouremoji.requests.bundled import PORTRAIT_ENDING, PREFIX, example_names, motion_names

router = APIRouter(prefix="/v1")
probes = APIRouter()

AtWork = Annotated[JobServer, Depends(server_of)]
Identity = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Of the job.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern="^[!-~]+$",
        description="Any text that names the request: sent again with it, the same job is returned, never a second one.",
    ),
]
TAKEN = {"portrait": True, "motion": True, "settings": False}
"""Parts of a job's form, and whether they may be files."""
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".apng": "image/apng",
    ".png": "image/png",
}
"""Of results."""
SETTINGS = "#/components/schemas/JobSettings"
FORM = {
    "type": "object",
    "required": ["portrait", "motion"],
    "properties": {
        "portrait": {
            "description": "The picture to animate: a file, or the name of one that comes with the server.",
            "anyOf": [
                {"type": "string", "format": "binary"},
                {"type": "string", "enum": [PREFIX + one for one in example_names(PORTRAIT_ENDING)]},
            ],
        },
        "motion": {
            "description": "What moves it: a clip, a picture or a motion file, or a name of `/v1/motions`.",
            "anyOf": [
                {"type": "string", "format": "binary"},
                {"type": "string", "enum": [PREFIX + one for one in motion_names()]},
            ],
        },
        "settings": {"$ref": SETTINGS},
    },
}
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": FORM,
            "encoding": {"settings": {"contentType": "application/json"}},
            "examples": {
                "bundled": {
                    "summary": "Eight frames of what comes with the server",
                    "value": {
                        "portrait": "bundled:ada",
                        "motion": "bundled:hello",
                        "settings": {"clip": {"duration": "8"}},
                    },
                }
            },
        }
    },
}


def found(identity: Identity, client: Asking, server: AtWork) -> Entry:
    """A client's job."""
    entry = server.queue.find(identity, client.name)
    if entry is None:
        raise Refused(404, "there is no such job, or it is not yours")
    return entry


Found = Annotated[Entry, Depends(found)]


def shown(entry: Entry, server: JobServer) -> Job:
    return view(entry, server.queue.place(entry), server.settings.keep_hours)


@router.post(
    "/jobs",
    status_code=202,
    response_model=Job,
    openapi_extra={"requestBody": BODY},
    responses=responses(
        *(400, 401, 413, 415, 422, 429, 503, 507),
        _200={"model": Job, "description": "It was submitted before."},
    ),
)
async def submit(
    request: Request,
    response: Response,
    client: Asking,
    server: AtWork,
    idempotency_key: IdempotencyKey = None,
) -> Job:
    """Submit a job."""
    if server.ending.is_set():
        raise Refused(503, "the server is ending; ask again when it is there", {"Retry-After": "30"})
    folder, handed_on = await run_in_threadpool(server.new_folder), False
    try:
        most = min(client.limits.job_megabytes, server.settings.upload_megabytes) * 1_000_000
        reader = FormReader(request.headers.get("content-type", ""), folder, most, TAKEN)
        form = await reader.read(request.stream())
        server.uploaded += reader.bytes
        handed_on = True
        entry, new = await run_in_threadpool(server.submit, folder, form, client, idempotency_key)
    except ClientDisconnect:
        raise Refused(400, "the form is cut off") from None
    finally:
        if not handed_on:
            shutil.rmtree(folder, ignore_errors=True)
    response.status_code = 202 if new else 200
    response.headers["Location"] = f"/v1/jobs/{entry.id}"
    return shown(entry, server)


@router.get("/jobs", responses=responses(401, 422))
def jobs(
    client: Asking,
    server: AtWork,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[int | None, Query(ge=1, le=1 << 62)] = None,
) -> JobList:
    """Your jobs, the latest first."""
    entries = server.queue.listed(client.name, limit + 1, state, before)
    more = len(entries) > limit
    entries = entries[:limit]
    return JobList(jobs=[shown(one, server) for one in entries], next=entries[-1].number if more else None)


@router.get("/jobs/{identity}", responses=responses(401, 404, 422))
def job(entry: Found, server: AtWork) -> Job:
    """How far a job is."""
    return shown(entry, server)


@router.get(
    "/jobs/{identity}/result",
    response_class=Response,
    responses=responses(
        *(401, 404, 409, 410, 422), _200={"content": {"*/*": {}}, "description": "The file."}
    ),
)
def result(entry: Found, server: AtWork) -> Response:
    """The file that a job made."""
    made = told_of(entry).get("result")
    if made is None:
        raise Refused(409, f"the job is {entry.state}, so there is no result")
    name: str = made["name"]
    kind = MEDIA_TYPES[PurePath(name).suffix]
    headers = {
        "Content-Length": str(made["bytes"]),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(result_name(entry, name))}",
    }
    if (path := server.results.path(name)) is not None:
        return FileResponse(path, 200, headers, kind)
    pieces = server.results.pieces(name)
    try:
        first = next(pieces)
    except FileNotFoundError:
        raise Refused(410, "the result was removed from the store") from None

    def content() -> Any:
        yield first
        yield from pieces

    return StreamingResponse(content(), 200, headers, kind)


@router.delete(
    "/jobs/{identity}",
    status_code=202,
    response_model=Job,
    responses=responses(
        *(401, 404, 422), _204={"description": "It had ended, and is forgotten with its result."}
    ),
)
def cancel(entry: Found, server: AtWork) -> Any:
    """Cancel a job that is under way: it ends at its next step. Forget one that has ended."""
    cancelled = server.cancel(entry)
    return Response(status_code=204) if cancelled is None else shown(cancelled, server)


@router.get("/motions", responses=responses(401))
def motions(client: Asking) -> Motions:
    """Motions and portraits that come with the server."""
    return Motions(
        motions=[PREFIX + one for one in motion_names()],
        portraits=[PREFIX + one for one in example_names(PORTRAIT_ENDING)],
    )


@probes.get("/healthz")
def healthz() -> Health:
    """Whether the server answers."""
    return Health()


@probes.get("/readyz", responses={503: {"model": Readiness, "description": "Not yet, or not any more."}})
def readyz(server: AtWork, response: Response) -> Readiness:
    """Whether jobs are taken and done."""
    response.status_code = 200 if server.ready else 503
    workers = server.workers
    return Readiness(
        ready=server.ready,
        workers=0 if workers is None else workers.ready,
        workers_wanted=0 if workers is None else workers.count,
    )


@probes.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return Response(
        generate_latest(request.app.state.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


def schemas() -> dict[str, Any]:
    """Of a job's settings and their parts."""
    schema = settings_schema("#/components/schemas/")
    parts: dict[str, Any] = schema.pop("$defs")
    return {"JobSettings": schema, **parts}

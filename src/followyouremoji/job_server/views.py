"""What clients are told, as OpenAPI describes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from followyouremoji.job_server.server import request_of, told_of
from followyouremoji.jobs.queue import Entry

State = Literal["waiting", "running", "done", "failed", "cancelled"]

JOB: dict[str, Any] = {
    "id": "0f3c5d3e9a6b4a7f8e2d1c0b9a897867",
    "state": "running",
    "portrait": "me.jpg",
    "motion": "bundled:hello",
    "place": 0,
    "stage": "Animating",
    "progress": {"done": 12, "total": 50},
    "cancelling": False,
    "notes": [],
    "error": None,
    "result": None,
    "created": "2026-11-30T12:00:00Z",
    "started": "2026-11-30T12:00:04Z",
    "ended": None,
    "expires": None,
}


class Progress(BaseModel):
    """Of the stage."""

    done: int
    total: int | None = Field(description="None where that is not known.")


class Note(BaseModel):
    """What a client should know beside the result."""

    code: str
    sentence: str
    settings: list[str] = Field(description="Names of the settings that it is about.")


class Error(BaseModel):
    """Why a job failed."""

    detail: str
    settings: list[str] = Field(description="Names of the settings that it is about.")


class Result(BaseModel):
    """What was made."""

    url: str
    bytes: int
    frames: int
    size: tuple[int, int] = Field(description="Width and height, pixels.")
    frame_rate: float
    sound: bool


class Job(BaseModel):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB]})

    id: str
    state: State
    portrait: str = Field(description="The file's name, or that of what is bundled.")
    motion: str
    place: int = Field(description="Jobs that are done before this one; 0 for one that runs or has ended.")
    stage: str = Field(description="What is being done, a sentence.")
    progress: Progress
    cancelling: bool = Field(description="Whether it ends at its next step.")
    notes: list[Note]
    error: Error | None
    result: Result | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    expires: datetime | None = Field(description="When the job and its result are removed.")


class JobList(BaseModel):
    """Jobs, the latest first."""

    jobs: list[Job]
    next: int | None = Field(description="Give it as `before` for earlier ones; None where there are none.")


class Motions(BaseModel):
    """What comes with the server, by the names that a job gives."""

    motions: list[str]
    portraits: list[str]


class Health(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether jobs are taken and done."""

    ready: bool
    workers: int = Field(description="That take jobs.")
    workers_wanted: int


def view(entry: Entry, place: int, keep_hours: float) -> Job:
    """What a client is told of a job."""
    told, asked = told_of(entry), request_of(entry)
    result, error = told.get("result"), told.get("error")
    assert entry.state != "interrupted"
    return Job(
        id=entry.id,
        state=entry.state,
        portrait=asked["portrait"],
        motion=asked["motion"],
        place=place,
        stage=told.get("stage", ""),
        progress=Progress(done=told.get("done", 0), total=told.get("total")),
        cancelling=entry.cancelling and entry.ended is None,
        notes=[Note(**note) for note in told.get("notes", ())],
        error=None if error is None else Error(detail=error, settings=told.get("error_settings", [])),
        result=None if result is None else Result(url=f"/v1/jobs/{entry.id}/result", **result),
        created=_time(entry.created),
        started=None if entry.started is None else _time(entry.started),
        ended=None if entry.ended is None else _time(entry.ended),
        expires=None if entry.ended is None else _time(entry.ended + 3600.0 * keep_hours),
    )


def result_name(entry: Entry, name: str) -> str:
    """What a browser calls a result that lies under a `name`."""
    asked = request_of(entry)
    stems = (PurePath(one.rpartition(":")[2]).stem for one in (asked["portrait"], asked["motion"]))
    return f"{'_'.join(stems)}{PurePath(name).suffix}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

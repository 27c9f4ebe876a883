"""What the tab Benchmark asks for.

GET    workshop                       benchmarks and training runs
GET    workshop/benchmarks/ID/scores  the table of figures, text
GET    workshop/benchmarks/ID/report  the page that `fye bench report` made
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse

from followyouremoji.studio.material import NotThere
from followyouremoji.studio.routes import AtWork
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.workshop import Workshop

router = APIRouter(prefix="/studio/workshop")

REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "media-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A report is a page of its own, which works without anything else, and reaches nothing of the studio's."""


@router.get("")
def overview(studio: AtWork) -> dict[str, Any]:
    workshop = Workshop.of(studio.settings)
    if workshop is None:
        return {"benchmarks": [], "trainings": []}
    return {"benchmarks": workshop.benchmarks(), "trainings": workshop.trainings()}


@router.get("/benchmarks/{identity}/scores")
def scores(identity: str, studio: AtWork) -> PlainTextResponse:
    return PlainTextResponse(workshop_of(studio, identity).scores(identity))


@router.get("/benchmarks/{identity}/report")
def report(identity: str, studio: AtWork) -> FileResponse:
    path = workshop_of(studio, identity).report(identity)
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": REPORT_POLICY})


def workshop_of(studio: Studio, identity: str) -> Workshop:
    """Raises NotThere."""
    workshop = Workshop.of(studio.settings)
    if workshop is None:
        raise NotThere(identity)
    return workshop

"""What the tab Points asks for.

    GET    points                          names of the points, the mesh's edges, a reference face: `placing_table`
    POST   points                          {"portrait": ID, "points": {NAME: [x, y]}}: the fitted face, `packed_fit`
    POST   points/file                     {"portrait": ID, "name": NAME, "text": TEXT} of a file: its points
    GET    materials/ID/points             points of the face that was found, and those that are kept
    PUT    materials/ID/points             {NAME: [x, y]}: keep them; returns the portrait, of a bundled one a copy
    DELETE materials/ID/points
    GET    materials/ID/points/file        those kept as a file, which the command line takes

Places are pixels of the whole portrait, turned upright as the page shows it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from followyouremoji.config import parse, validated
from followyouremoji.errors import FaceNotFound, SettingsError
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.placed_points import Place, PlacedPoints
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.placing import (
    as_given,
    forget_points,
    from_file,
    keep_points,
    kept_points,
    packed_fit,
    placing_table,
)
from followyouremoji.studio.routes import BINARY, AtWork, Body, described, of_kind
from followyouremoji.studio.studio import view_size
from followyouremoji.studio.visits import Visiting

router = APIRouter(prefix="/studio")


@validated
class Placed:
    """Points on a portrait."""

    portrait: str
    points: dict[str, Place]


@validated
class GivenFile:
    """A file of points for a portrait."""

    portrait: str
    name: str
    text: str


@router.get("/points")
def table() -> dict[str, Any]:
    return placing_table()


@router.post("/points")
def fit(text: Body, visitor: Visiting) -> Response:
    placed = parse(Placed, text, "the request", SettingsError)
    portrait = of_kind("portrait", placed.portrait, visitor)
    width, height = portrait.details["size"]
    fitted = fit_face(placed.points, (width, height))
    packed = packed_fit(fitted, view_size(portrait)[0] / width)
    return Response(packed, media_type=BINARY)


@router.post("/points/file")
def read_file(text: Body, visitor: Visiting) -> dict[str, Place]:
    file = parse(GivenFile, text, "the request", SettingsError)
    return from_file(of_kind("portrait", file.portrait, visitor), file.text, file.name).points


@router.get("/materials/{identity}/points")
def begin(identity: str, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    portrait = of_kind("portrait", identity, visitor)
    try:
        found = PlacedPoints.of(studio.detected(portrait)).points
    except FaceNotFound:
        found = {}
    kept = kept_points(portrait)
    return {"found": found, "kept": kept.points if kept else {}}


@router.put("/materials/{identity}/points")
def keep(identity: str, text: Body, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    points = parse(dict[str, Place], text, "the points", SettingsError)
    portrait = of_kind("portrait", identity, visitor)
    width, height = portrait.details["size"]
    placed = PlacedPoints(picture=(width, height), points=points)
    if portrait.folder is None:
        portrait = studio.own_copy(visitor, portrait)
    keep_points(portrait, placed)
    return described(portrait)


@router.delete("/materials/{identity}/points", status_code=204)
def forget(identity: str, visitor: Visiting) -> None:
    forget_points(of_kind("portrait", identity, visitor))


@router.get("/materials/{identity}/points/file")
def file(identity: str, visitor: Visiting) -> Response:
    portrait = of_kind("portrait", identity, visitor)
    kept = kept_points(portrait)
    if kept is None:
        raise NotThere(identity)
    return Response(as_given(portrait, kept).text(), media_type="application/json")

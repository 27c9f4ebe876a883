"""What the page's scripts ask for, under `/studio/`.

    GET    examples                       bundled portraits and motions, and what may be uploaded
    GET    model                          whether it is loaded
    GET    materials, materials?kind=KIND what the visitor uploaded, the latest first
    POST   materials?kind=KIND&name=NAME  the body is a file: a portrait or a driving
    GET    materials/ID                   what is known of it
    GET    materials/ID/view              the picture or clip that a browser shows
    GET    materials/ID/faces             of a portrait: where its faces are
    GET    materials/ID/motion            of a driving: its landmarks, see `preview`
    POST   preview                        {"portrait": ID, "driving": ID, "face": NUMBER, "controls": {}}: landmarks
    POST   results                        {"portrait": ID, "driving": ID, "faces": [], "controls": {}}: animate
    GET    results, results/ID            what was made and is being made
    GET    results/ID/frame               the latest frame of one under way, JPEG
    POST   results/ID/cancel
    DELETE results/ID
    GET    results/ID/file                the finished file
    GET    results/ID/file?as=gif         as another kind of file; &beside=true: driving and landmarks beside it
    GET    drafts/TAB, PUT drafts/TAB     what a tab showed last: any JSON object

An id that is not the visitor's own is unknown, 404; input that cannot be used is 422 with a sentence for the user.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import unicodedata
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from PIL import Image
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from followyouremoji.config import parse, validated
from followyouremoji.errors import SettingsError
from followyouremoji.jobs.work import UNDER_WAY
from followyouremoji.media.pictures import on_background
from followyouremoji.requests.request import FaceChoice
from followyouremoji.studio.controls import Controls
from followyouremoji.studio.examples import example_motions, example_portraits, view_of
from followyouremoji.studio.material import Kind, Material, NotThere
from followyouremoji.studio.placing import kept_points
from followyouremoji.studio.store import Result, Visitor
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.visits import Visiting

router = APIRouter(prefix="/studio")

FRAME_SIDE = 720  # pixels of a frame that is shown while others are made
MOST_TEXT = 100_000  # bytes
MOST_LETTERS = 100  # of a file's name; its end stays
PLAIN_ENDING = re.compile(r"\.[a-z0-9]{1,12}")
BINARY = "application/octet-stream"

Tab = Literal["animate", "expressions", "points", "stickers"]


def studio_of(connection: HTTPConnection) -> Studio:
    studio: Studio = connection.app.state.studio
    return studio


AtWork = Annotated[Studio, Depends(studio_of)]


@validated
class PreviewAsked:
    """A portrait, the driving of one of its faces, by default the largest, and what the controls say."""

    portrait: str
    driving: str
    face: Annotated[int, Field(ge=1)] | None = None
    controls: Controls = Controls()


@validated
class AnimationAsked:
    """A portrait, a driving, which faces move, by default the largest, and what the controls say."""

    portrait: str
    driving: str
    faces: tuple[FaceChoice, ...] = ()
    """Some with a driving of their own."""
    controls: Controls = Controls()


async def text_of(request: Request, most: int) -> bytes:
    """The body of a request that holds no file. Raises SettingsError for one of more than `most` bytes."""
    text = b""
    async for piece in request.stream():
        text += piece
        if len(text) > most:
            raise SettingsError("this is too much text for the studio")
    return text


async def body(request: Request) -> bytes:
    return await text_of(request, MOST_TEXT)


Body = Annotated[bytes, Depends(body)]


@router.get("/examples")
def examples(studio: AtWork) -> dict[str, Any]:
    studio.warm_up()  # somebody has opened the page
    return {
        "portraits": [described(one) for one in example_portraits()],
        "drivings": [described(one) for one in example_motions()],
        "limits": {
            "megabytes": studio.settings.upload_megabytes,
            "megapixels": studio.settings.upload_megapixels,
            "seconds": studio.settings.clip_seconds,
        },
    }


@router.get("/model")
def model(studio: AtWork) -> dict[str, bool]:
    return {"loaded": studio.load().done()}


@router.get("/materials")
def materials(visitor: Visiting, kind: Kind | None = None) -> list[dict[str, Any]]:
    return [described(one) for one in visitor.materials(kind)]


@router.post("/materials", status_code=201)
async def add(request: Request, kind: Kind, name: str, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    """The file is written as it comes, and given up as soon as it is too large."""
    name = shown_name(name)
    most, room = studio.settings.upload_megabytes * 1_000_000, await run_in_threadpool(visitor.room)
    folder = visitor.new_folder()
    try:
        ending = Path(name).suffix.lower()
        file = folder / f"given{ending if PLAIN_ENDING.fullmatch(ending) else ''}"
        written = 0
        with file.open("xb") as opened:
            async for piece in request.stream():
                written += len(piece)
                if written > most:
                    raise SettingsError(
                        f"{name} is too large: up to {studio.settings.upload_megabytes} MB are taken here"
                    )
                if written > room:
                    raise SettingsError(
                        f"{name} is larger than the room that is left for your files; delete some results"
                    )
                visitor.check_disk()
                opened.write(piece)
        if written == 0:
            raise SettingsError(f"{name} is empty (0 bytes)")
        return described(await asyncio.wrap_future(studio.examine(visitor, kind, name, file)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # it was moved where all went well


@router.get("/materials/{identity}")
def material(identity: str, visitor: Visiting) -> dict[str, Any]:
    return described(visitor.material(identity))


@router.get("/materials/{identity}/view")
def view(identity: str, visitor: Visiting, studio: AtWork) -> FileResponse:
    found = visitor.material(identity)
    return FileResponse(view_of(found) if found.kind == "portrait" else studio.driving_view(found))


@router.get("/materials/{identity}/faces")
def faces(identity: str, visitor: Visiting, studio: AtWork) -> list[list[float]]:
    return studio.boxes(of_kind("portrait", identity, visitor))


@router.get("/materials/{identity}/motion")
def motion(identity: str, visitor: Visiting, studio: AtWork) -> Response:
    return Response(studio.driving_landmarks(of_kind("driving", identity, visitor)), media_type=BINARY)


@router.post("/preview")
def preview(text: Body, visitor: Visiting, studio: AtWork) -> Response:
    asked = parse(PreviewAsked, text, "the request", SettingsError)
    portrait, driving = (
        of_kind("portrait", asked.portrait, visitor),
        of_kind("driving", asked.driving, visitor),
    )
    return Response(studio.preview(portrait, driving, asked.controls, asked.face), media_type=BINARY)


@router.post("/results", status_code=201)
def begin(text: Body, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    asked = parse(AnimationAsked, text, "the request", SettingsError)
    return told(begun(asked, visitor, studio), visitor, studio)


@router.get("/results")
def results(visitor: Visiting, studio: AtWork) -> list[dict[str, Any]]:
    return [told(one, visitor, studio) for one in visitor.results()]


@router.get("/results/{identity}")
def result(identity: str, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    return told(visitor.result(identity), visitor, studio)


@router.get("/results/{identity}/frame")
def frame(identity: str, visitor: Visiting, studio: AtWork) -> Response:
    job = studio.jobs.find(identity, visitor.name)
    picture = None if job is None else job.frame
    if picture is None:
        raise NotThere(identity)
    image = Image.fromarray(on_background(picture))
    image.thumbnail((FRAME_SIDE, FRAME_SIDE))
    written = BytesIO()
    image.save(written, "JPEG", quality=85)
    return Response(written.getvalue(), media_type="image/jpeg")


@router.post("/results/{identity}/cancel")
def cancel(identity: str, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    job = studio.jobs.find(identity, visitor.name)
    if job is not None:
        studio.jobs.cancel(job)
    return told(visitor.result(identity), visitor, studio)


@router.delete("/results/{identity}", status_code=204)
def delete(identity: str, visitor: Visiting, studio: AtWork) -> None:
    if visitor.result(identity).state in UNDER_WAY:
        raise HTTPException(409, "it is being made; cancel it first")
    visitor.delete_result(identity)


@router.get("/results/{identity}/file")
def result_file(
    identity: str,
    visitor: Visiting,
    studio: AtWork,
    kind: Annotated[str | None, Query(alias="as", max_length=8)] = None,
    beside: bool = False,
) -> FileResponse:
    if kind is None:
        return FileResponse(visitor.result_file(identity))
    found, title = studio.download(visitor, identity, f".{kind}", beside), visitor.result(identity).title
    return FileResponse(found, filename=f"{title}{found.suffix}")


@router.get("/drafts/{tab}")
def draft(tab: Tab, visitor: Visiting) -> dict[str, Any]:
    kept = visitor.draft().get(tab)
    return kept if isinstance(kept, dict) else {}


@router.put("/drafts/{tab}", status_code=204)
def keep_draft(tab: Tab, text: Body, visitor: Visiting) -> None:
    kept = parse(dict[str, Any], text, "the draft", SettingsError)
    visitor.keep_draft(tab, kept)


def begun(asked: AnimationAsked, visitor: Visitor, studio: Studio, batch: str | None = None) -> Result:
    """Raises NotThere, and UserError for what cannot be used."""
    portrait, driving = (
        of_kind("portrait", asked.portrait, visitor),
        of_kind("driving", asked.driving, visitor),
    )
    driven = {
        choice.face: of_kind("driving", choice.driving, visitor) if choice.driving else driving
        for choice in asked.faces
    }
    return studio.animate(visitor, portrait, driving, asked.controls, driven, batch)


def shown_name(name: str) -> str:
    """A file's name without a folder, and without characters that are not seen, some of which turn others around."""
    seen = "".join(one for one in re.split(r"[/\\]", name)[-1] if unicodedata.category(one)[0] != "C")
    return seen.strip()[-MOST_LETTERS:] or "file"


def of_kind(kind: Kind, identity: str, visitor: Visitor) -> Material:
    """Raises NotThere."""
    material = visitor.material(identity)
    if material.kind != kind:
        raise NotThere(identity)
    return material


def described(material: Material) -> dict[str, Any]:
    """What the page may know of a material."""
    about = {"id": material.id, "kind": material.kind, "name": material.name, **material.details}
    if material.kind == "portrait":
        about["placed"] = kept_points(material) is not None
        if about["placed"]:  # what was found, and what was said of it, does not matter
            about |= {"faces": max(1, about["faces"]), "notes": []}
    return about


def told(result: Result, visitor: Visitor, studio: Studio) -> dict[str, Any]:
    """What the page may know of a result, and of the job that makes it."""
    about = asdict(result)
    if result.state in UNDER_WAY and (job := studio.jobs.find(result.id, visitor.name)) is not None:
        about["job"] = {
            "place": studio.jobs.place(job),
            "stage": job.stage,
            "done": job.done,
            "total": job.total,
            "seconds_left": job.seconds_left,
            "frame": job.number,
            "notes": [note.sentence for note in job.notes],
        }
    return about

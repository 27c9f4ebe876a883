"""What the tab Expressions asks for, under `/studio/`.

    GET    poses                   sliders, named expressions, easings, and the bounds of a motion
    POST   pose                    {"portrait": ID, "pose": {}}: landmarks of one frame, see `preview`
    POST   pose/picture            the same: a picture as large as the portrait's view, and `X-Seconds`, how long it
                                   took; 204 where the visitor has asked for another one meanwhile
    POST   pose/file               the same: the portrait itself in this pose, PNG
    POST   keyframes/read          a file of keyframes: its content, checked
    POST   keyframes/pose          {"keyframes": {}, "seconds": 0.4}: the pose at a moment
    POST   keyframes/preview       {"keyframes": {}, "portrait": ID}: landmarks of all frames
    POST   keyframes/result        {"keyframes": {}, "portrait": ID, "name": NAME}: begins an animation
    POST   keyframes/material      {"keyframes": {}, "name": NAME}: keeps the motion among the visitor's drivings
    POST   keyframes/file?kind=KIND  the same: the motion (fyemotion) or the keyframes (json) as a file

Keyframes are as in their file, see `face.keyframes`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from followyouremoji.config import parse
from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.face.keyframes import EASINGS, MOST_BYTES, MOST_KEYFRAMES, Keyframes, write_keyframes
from followyouremoji.face.sliders import SLIDERS, STRONGEST
from followyouremoji.media.pictures import write_picture
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.marking import Marks, model_record
from followyouremoji.requests.request import Output
from followyouremoji.requests.resume import fingerprint
from followyouremoji.studio.controls import Controls
from followyouremoji.studio.passing import encoded
from followyouremoji.studio.posing import Performed, Picture, Posed, Sitter, keep_motion
from followyouremoji.studio.preview import packed
from followyouremoji.studio.routes import BINARY, AtWork, described, of_kind, text_of, told
from followyouremoji.studio.store import Visitor
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.turns import Superseded
from followyouremoji.studio.visits import Visiting

router = APIRouter(prefix="/studio")
FRAME_RATE = 25.0
"""Of motions that are made on the page."""

FILE_TYPES = {"fyemotion": BINARY, "json": "application/json"}

Asked = TypeVar("Asked")


def asked(kind: type[Asked]) -> Callable[[Request], Awaitable[Asked]]:
    """Reads a request's body. Raises SettingsError."""

    async def read(request: Request) -> Asked:
        return parse(kind, await text_of(request, MOST_BYTES), "the request", SettingsError)

    return read


OfPose = Annotated[Posed, Depends(asked(Posed))]
OfKeyframes = Annotated[Performed, Depends(asked(Performed))]


@router.get("/poses")
def poses(studio: AtWork) -> dict[str, Any]:
    return {
        "sliders": [
            {"name": one.name, "group": one.group, "low": one.low, "high": one.high} for one in SLIDERS
        ],
        "expressions": NAMED_EXPRESSIONS,
        "strongest": STRONGEST,
        "easings": list(EASINGS),
        "frame_rate": FRAME_RATE,
        "longest": studio.settings.clip_seconds,
        "most": MOST_KEYFRAMES,
    }


@router.post("/pose")
def pose(wanted: OfPose, visitor: Visiting, studio: AtWork) -> Response:
    sitter = sitter_of(wanted.portrait, visitor, studio)
    return landmarks(sitter.pose(wanted.pose), sitter, FRAME_RATE)


@router.post("/pose/picture")
def picture(wanted: OfPose, visitor: Visiting, studio: AtWork) -> Response:
    sitter = sitter_of(wanted.portrait, visitor, studio)
    try:
        made = studio.posing.picture(visitor.name, sitter, wanted.pose)
    except Superseded:
        return Response(status_code=204)
    return as_shown(made)


@router.post("/pose/file")
def picture_file(wanted: OfPose, visitor: Visiting, studio: AtWork) -> Response:
    portrait = of_kind("portrait", wanted.portrait, visitor)
    try:
        made = studio.posing.whole_picture(visitor.name, portrait, studio.landmarks(portrait), wanted.pose)
    except Superseded:
        return Response(status_code=204)
    written = BytesIO()
    record = model_record(
        studio.model,
        studio.animator.model.config.name,
        portrait=fingerprint(portrait_path(portrait.given)),
        settings={"pose": dict(wanted.pose)},
    )
    marks = Marks.of(Output(), ".png")
    layers = next(marks.watermarked(iter([made.layers])))
    seal = marks.seal(".png", record)
    write_picture(written, layers, comment=record.comment(), format="png", seal=seal)
    return Response(written.getvalue(), media_type="image/png", headers=seconds_of(made))


@router.post("/keyframes/read")
async def read(request: Request, name: str) -> dict[str, Any]:
    content = parse(Keyframes, await text_of(request, MOST_BYTES), name[:200], MotionError)
    return TypeAdapter(Keyframes).dump_python(content, mode="json")


@router.post("/keyframes/pose")
def pose_at(wanted: OfKeyframes) -> dict[str, Any]:
    return {"pose": wanted.keyframes.pose_at(wanted.seconds)}


@router.post("/keyframes/preview")
def preview(wanted: OfKeyframes, visitor: Visiting, studio: AtWork) -> Response:
    check_length(wanted.keyframes, studio)
    sitter = sitter_of(wanted.portrait, visitor, studio)
    return landmarks(sitter.perform(wanted.keyframes), sitter, wanted.keyframes.frame_rate)


@router.post("/keyframes/result", status_code=201)
def begin(wanted: OfKeyframes, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    portrait = of_kind("portrait", wanted.portrait, visitor)
    check_length(wanted.keyframes, studio)
    driving = keep_motion(studio, visitor, wanted.keyframes, wanted.name)
    controls = Controls(portrait_expression="keep")
    return told(studio.animate(visitor, portrait, driving, controls), visitor, studio)


@router.post("/keyframes/material", status_code=201)
def keep(wanted: OfKeyframes, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    check_length(wanted.keyframes, studio)
    return described(keep_motion(studio, visitor, wanted.keyframes, wanted.name))


@router.post("/keyframes/file")
def file(wanted: OfKeyframes, kind: Literal["fyemotion", "json"], studio: AtWork) -> Response:
    check_length(wanted.keyframes, studio)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"motion.{kind}"
        if kind == "json":
            write_keyframes(path, wanted.keyframes)
        else:
            wanted.keyframes.motion(wanted.name).save(path)
        return Response(path.read_bytes(), media_type=FILE_TYPES[kind])


def sitter_of(portrait: str, visitor: Visitor, studio: Studio) -> Sitter:
    material = of_kind("portrait", portrait, visitor)
    return studio.posing.sitter(material, studio.landmarks(material))


def landmarks(points: np.ndarray, sitter: Sitter, frame_rate: float) -> Response:
    content = packed(points, sitter.landmarks.size, 1.0, frame_rate)
    return Response(content, media_type=BINARY)


def as_shown(made: Picture) -> Response:
    content, media_type = encoded(made.layers)
    return Response(content, media_type=media_type, headers=seconds_of(made))


def seconds_of(made: Picture) -> dict[str, str]:
    return {"X-Seconds": f"{made.seconds:.3f}"}


def check_length(keyframes: Keyframes, studio: Studio) -> None:
    """Raise SettingsError where a motion is longer than is taken here."""
    seconds, most = keyframes.frames / keyframes.frame_rate, studio.settings.clip_seconds
    if seconds > most:
        raise SettingsError(
            f"the motion lasts {seconds:.4g} s; up to {most} s are taken here: make it shorter"
        )

"""What the tab History asks for, beside results of one's own.

GET    history              {"bytes", "most", "defaults"}: what the visitor's files take and may take, and what controls
                            say that nobody touches
DELETE history              all results but those under way
POST   results/ID/again     begin one anew that was not finished; it takes the place of the old one
POST   batches              {"portraits": [ID], "drivings": [ID], "controls": {}}: each with each; returns {"batch",
                            "begun", "refused"}: its id, how many, and why others cannot be made
POST   batches/ID/cancel
GET    batches/ID/file      what is finished of it, as ZIP
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import fields
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import Field

from followyouremoji.config import parse, validated
from followyouremoji.errors import SettingsError, UserError
from followyouremoji.jobs.work import UNDER_WAY
from followyouremoji.requests.request import FaceChoice
from followyouremoji.studio.controls import Controls
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.routes import AnimationAsked, AtWork, Body, begun, of_kind, told
from followyouremoji.studio.stickers import StickerControls, begin_sticker
from followyouremoji.studio.store import Result, Visitor
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.visits import Visiting

if TYPE_CHECKING:
    from typing_extensions import Buffer

router = APIRouter(prefix="/studio")

PIECE = 1 << 20  # bytes


@validated
class Batch:
    """Portraits and drivings that are animated each with each."""

    portraits: Annotated[list[str], Field(min_length=1, max_length=1000)]
    drivings: Annotated[list[str], Field(min_length=1, max_length=1000)]
    controls: Controls = Controls()


@router.get("/history")
def history(visitor: Visiting) -> dict[str, Any]:
    untouched = Controls()
    defaults = {field.name: getattr(untouched, field.name) for field in fields(Controls)}
    return {"bytes": visitor.size(), "most": visitor.most, "defaults": {**defaults, "faces": []}}


@router.delete("/history", status_code=204)
def delete_all(visitor: Visiting) -> None:
    for result in visitor.results():
        if result.state not in UNDER_WAY:
            visitor.delete_result(result.id)


@router.post("/results/{identity}/again", status_code=201)
def again(identity: str, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    old = visitor.result(identity)
    if old.state in UNDER_WAY:
        raise HTTPException(409, "it is being made")
    result = (
        animated_again(old, visitor, studio)
        if old.kind == "animation"
        else sticker_again(old, visitor, studio)
    )
    visitor.delete_result(identity)
    return told(result, visitor, studio)


def animated_again(old: Result, visitor: Visitor, studio: Studio) -> Result:
    said = dict(old.settings)
    faces = tuple(FaceChoice(**face) for face in said.pop("faces", ()))
    asked = AnimationAsked(portrait=old.portrait, driving=old.driving, faces=faces, controls=Controls(**said))
    return begun(asked, visitor, studio, old.batch)


def sticker_again(old: Result, visitor: Visitor, studio: Studio) -> Result:
    portrait = of_kind("portrait", old.portrait, visitor)
    driving = of_kind("driving", old.driving, visitor) if old.kind == "sticker" else None
    return begin_sticker(studio, visitor, portrait, driving, StickerControls(**old.settings))


@router.post("/batches", status_code=201)
def begin(text: Body, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    wanted = parse(Batch, text, "the batch", SettingsError)
    portraits = [of_kind("portrait", one, visitor) for one in dict.fromkeys(wanted.portraits)]
    drivings = [of_kind("driving", one, visitor) for one in dict.fromkeys(wanted.drivings)]
    studio.jobs.check_room(visitor.name, len(portraits) * len(drivings))
    batch, count, refused = secrets.token_hex(16), 0, dict[str, None]()  # of equal sentences one
    for portrait in portraits:
        for driving in drivings:
            try:
                studio.animate(visitor, portrait, driving, wanted.controls, batch=batch)
                count += 1
            except UserError as error:
                refused[str(error)] = None
    if not count:
        raise SettingsError(" ".join(refused))
    return {"batch": batch, "begun": count, "refused": list(refused)}


@router.post("/batches/{identity}/cancel", status_code=204)
def cancel(identity: str, visitor: Visiting, studio: AtWork) -> None:
    for result in reversed(
        of_batch(identity, visitor)
    ):  # the last first: none begins because one before it ended
        if (job := studio.jobs.find(result.id, visitor.name)) is not None and result.state in UNDER_WAY:
            studio.jobs.cancel(job)


@router.get("/batches/{identity}/file")
def file(identity: str, visitor: Visiting) -> StreamingResponse:
    done = [one for one in of_batch(identity, visitor) if one.file is not None]
    if not done:
        raise NotThere(identity)
    named: dict[str, Path] = {}
    for result in reversed(done):
        path, number = visitor.result_file(result.id), 1
        name = f"{result.title}{path.suffix}"
        while name in named:
            number += 1
            name = f"{result.title} {number}{path.suffix}"
        named[name] = path
    headers = {"content-disposition": 'attachment; filename="animations.zip"'}
    return StreamingResponse(zipped(named), media_type="application/zip", headers=headers)


def of_batch(identity: str, visitor: Visitor) -> list[Result]:
    """Results of a batch, the latest first. Raises NotThere."""
    results = [one for one in visitor.results() if one.batch == identity]
    if not results:
        raise NotThere(identity)
    return results


def zipped(files: dict[str, Path]) -> Iterator[bytes]:
    """A ZIP of files by name, piece by piece, never held as a whole."""
    pieces = Pieces()
    with ZipFile(pieces, "w", ZIP_STORED) as archive:
        for name, path in files.items():
            info = ZipInfo.from_file(path, name.replace("/", "_"), strict_timestamps=False)
            with path.open("rb") as source, archive.open(info, "w") as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield pieces.taken()
    yield pieces.taken()


class Pieces(RawIOBase):
    """A file that is only written to, and taken away piece by piece."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Buffer, /) -> int:
        self._written.append(bytes(piece))
        return len(self._written[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken

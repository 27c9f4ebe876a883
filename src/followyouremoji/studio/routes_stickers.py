"""What the tab Stickers asks for, under `/studio/`.

    POST   stickers/preview     {"portrait": ID, "settings": {}}: how it looks at rest, a picture; 204 where the visitor
                                has asked for another one meanwhile
    POST   stickers             {"portrait": ID, "driving": ID, "settings": {}}: begins a sticker
    POST   stickers/packs       {"portrait": ID, "settings": {}}: begins a pack of the portrait's expressions
    GET    stickers/ID/sheet    the contact sheet of a pack that is made

Both become results, and are asked for, cancelled and deleted as these are. A refusal names the `settings` that it is
about.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from followyouremoji.config import parse, validated
from followyouremoji.errors import SettingsError
from followyouremoji.stickers.pack import SHEET
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.passing import encoded
from followyouremoji.studio.routes import AtWork, Body, of_kind, told
from followyouremoji.studio.stickers import StickerControls, begin_sticker
from followyouremoji.studio.turns import Superseded
from followyouremoji.studio.visits import Visiting

router = APIRouter(prefix="/studio")


@validated
class PackAsked:
    """A portrait, and what the controls say."""

    portrait: str
    settings: StickerControls = StickerControls()


@validated
class StickerAsked(PackAsked):
    """The same, and what moves it."""

    driving: str


@router.post("/stickers/preview")
def preview(text: Body, visitor: Visiting, studio: AtWork) -> Response:
    asked = parse(PackAsked, text, "the request", SettingsError)
    portrait = of_kind("portrait", asked.portrait, visitor)
    try:
        picture = studio.stills.picture(visitor.name, portrait, studio.landmarks(portrait), asked.settings)
    except Superseded:
        return Response(status_code=204)
    content, media_type = encoded(picture)
    return Response(content, media_type=media_type)


@router.post("/stickers", status_code=201)
def begin(text: Body, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    asked = parse(StickerAsked, text, "the request", SettingsError)
    portrait, driving = (
        of_kind("portrait", asked.portrait, visitor),
        of_kind("driving", asked.driving, visitor),
    )
    return told(begin_sticker(studio, visitor, portrait, driving, asked.settings), visitor, studio)


@router.post("/stickers/packs", status_code=201)
def begin_pack(text: Body, visitor: Visiting, studio: AtWork) -> dict[str, Any]:
    asked = parse(PackAsked, text, "the request", SettingsError)
    portrait = of_kind("portrait", asked.portrait, visitor)
    return told(begin_sticker(studio, visitor, portrait, None, asked.settings), visitor, studio)


@router.get("/stickers/{identity}/sheet")
def sheet(identity: str, visitor: Visiting) -> FileResponse:
    path = visitor.result_file(identity).with_name(SHEET)
    if not path.is_file():
        raise NotThere(identity)
    return FileResponse(path)

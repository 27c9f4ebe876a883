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
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from PIL import Image

from followyouremoji.config import parse
from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.face.keyframes import EASINGS, MOST_KEYFRAMES, Keyframes
from followyouremoji.face.sliders import SLIDERS, STRONGEST
from followyouremoji.media.pictures import write_picture
from followyouremoji.studio.posing import Moment, Performed, Picture, Posed, Sitter
from followyouremoji.studio.preview import packed
from followyouremoji.studio.routes import AtWork, described, told
from followyouremoji.studio.store import Visitor
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.turns import Superseded
from followyouremoji.studio.visits import Visiting

router = APIRouter(prefix="/studio")

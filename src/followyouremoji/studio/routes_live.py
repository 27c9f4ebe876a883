"""What the tab Live asks for: a websocket, `/studio/live`.

The page sends as text, JSON,

    {"portrait": ID, "face": NUMBER, "size": PIXELS, "alignment": {}}   first: what moves, as in `AlignmentSettings`
    {"alignment": {}}         what the sliders say now
    {"recalibrate": true}     the face before the camera is at rest again

and as bytes, once the studio is ready, a picture of the camera: two float64, little-endian, and a JPEG. The numbers are
seconds of a clock of the page's: when the picture was taken, and the time of the latest frame that has arrived, NaN
before the first. Of its pictures no more than a few wait for `taken`: the page leaves others out.

The studio sends as text

    {"state": "waiting", "before": 1}                   how many have to leave before
    {"state": "loading"}, {"state": "ready"}
    {"taken": 1}                                        of each picture
    {"state": "live", "dropped": 2, "animating": true}  now and then: see `LiveState`; pictures that no frame was made
                                                        of, and whether an animation is being made beside it
    {"ended": SENTENCE}                                 before it closes, where the page has not

and as bytes a frame: one float64, the time of the picture that it answers, and a JPEG, or a WebP of a transparent
portrait. Of these, too, only some are on their way at a time: what a slow connection cannot carry is left out, and what
it carries is not late.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from followyouremoji.config import parse, validated
from followyouremoji.crashes import sentence
from followyouremoji.errors import SettingsError, UserError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.studio.live import Stay
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.passing import camera_picture, encoded
from followyouremoji.studio.posing import Sitter
from followyouremoji.studio.routes import AtWork, of_kind
from followyouremoji.studio.store import Visitor
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.visits import Visiting

if TYPE_CHECKING:
    from followyouremoji.live import LiveFrame, LiveSession

router = APIRouter(prefix="/studio")

PICTURE, FRAME = struct.Struct("<dd"), struct.Struct("<d")
"""What stands before a JPEG."""

ON_THE_WAY = 8
"""Frames that are sent and have not arrived: at 25 a second, those of a third of a second."""

QUIET = 10.0
"""Seconds without a picture, or without the first message, after which it ends."""

LOOK_EVERY, TELL_EVERY = 0.1, 0.25
"""Seconds between looks at whether it has to end, and between states told."""

log = logging.getLogger(__name__)


@validated
class LiveAsked:
    """A portrait, which of its faces, by default the largest, the longer side of frames in pixels, how it follows."""

    portrait: str
    face: Annotated[int, Field(ge=1)] | None = None
    size: Annotated[int, Field(ge=128, le=1024)] = 384
    alignment: AlignmentSettings = AlignmentSettings()


@validated
class LiveChanged:
    """What is told while it runs."""

    alignment: AlignmentSettings | None = None
    recalibrate: bool = False


@router.websocket("/live")
async def live(socket: WebSocket, visitor: Visiting, studio: AtWork) -> None:
    await socket.accept()
    ended = None
    try:
        await converse(socket, visitor, studio)
    except WebSocketDisconnect:
        return
    except NotThere:
        ended = "there is no such portrait, or it is not yours"
    except UserError as error:
        ended = studio.store.unplaced(str(error))
    except Exception as error:  # a fault of ours; others go on
        log.exception("live failed")
        ended = sentence(error)
    with suppress(RuntimeError, WebSocketDisconnect):  # the page may have gone
        if ended is not None:
            await socket.send_json({"ended": ended})
        await socket.close()


async def converse(socket: WebSocket, visitor: Visitor, studio: Studio) -> None:
    """Until the page goes. Raises NotThere, and UserError with what the page is told, where it ends otherwise."""
    async with aclosing(received(socket)) as messages:
        try:
            with anyio.fail_after(QUIET):
                first = await anext(messages, None)
        except TimeoutError:
            raise SettingsError("nothing was asked for") from None
        if first is None:
            return
        asked = parse(LiveAsked, first, "the request", SettingsError)
        sitter = await run_in_threadpool(sitter_of, asked, visitor, studio)
        stay = studio.live.come(visitor.name)
        try:
            conversation = Conversation(socket, studio, stay, asked)
            await first_of(lambda: conversation.listen(messages), lambda: conversation.answer(sitter))
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(stay.leave)


class Conversation:
    """What is said once it is known what moves: two sides at a time, each a coroutine."""

    def __init__(self, socket: WebSocket, studio: Studio, stay: Stay, asked: LiveAsked) -> None:
        self._socket, self._studio, self._stay = socket, studio, stay
        self._size, self._alignment = asked.size, asked.alignment
        self._sending = anyio.Lock()
        self._on_the_way: deque[float] = deque()  # times of frames
        self._latest = float("-inf")  # time of the latest picture, and of the latest frame
        self._answered = float("-inf")
        self._left_out = 0  # frames
        self._heard = monotonic()

    async def listen(self, messages: AsyncIterator[str | bytes]) -> None:
        """Take pictures and changes. Raises UserError for others."""
        async for message in messages:
            session = self._stay.session
            if isinstance(message, str):
                self._change(parse(LiveChanged, message, "the request", SettingsError), session)
            elif session is not None:
                self._heard = monotonic()
                await self._send(await run_in_threadpool(self._push, message, session))
                await self._socket.send_json({"taken": 1})

    def _change(self, told: LiveChanged, session: LiveSession | None) -> None:
        if told.alignment is not None:
            self._alignment = told.alignment
        if session is not None:
            session.alignment = self._alignment
            if told.recalibrate:
                session.recalibrate()

    def _push(self, message: bytes, session: LiveSession) -> list[LiveFrame]:
        if len(message) <= PICTURE.size:
            raise SettingsError("this is no picture")
        time, arrived = PICTURE.unpack_from(message)
        if not self._latest < time < float("inf"):
            raise SettingsError("the times of pictures have to grow")
        self._latest = time
        while self._on_the_way and self._on_the_way[0] <= arrived:
            self._on_the_way.popleft()
        return session.push(camera_picture(message[PICTURE.size :]), time)

    async def answer(self, sitter: Sitter) -> None:
        """Wait for the visitor's turn, and send frames until it has to end; that raises UserError."""
        while before := self._stay.before():
            await self._socket.send_json({"state": "waiting", "before": before})
            await anyio.sleep(TELL_EVERY)
        await self._socket.send_json({"state": "loading"})
        session = await run_in_threadpool(self._stay.begin, lambda: self._session(sitter))
        session.alignment = self._alignment  # which may have changed meanwhile
        await self._socket.send_json({"state": "ready"})
        told, self._heard = 0.0, monotonic()
        while True:
            await self._send(await run_in_threadpool(session.take, LOOK_EVERY))
            self._stay.before()
            if monotonic() - self._heard > QUIET:
                raise SettingsError(f"no picture has come for {QUIET:g} s")
            if monotonic() - told > TELL_EVERY:
                told = monotonic()
                await self._tell(session)

    def _session(self, sitter: Sitter) -> LiveSession:
        return self._studio.animator.live(
            sitter.layers, portrait_landmarks=sitter.landmarks, alignment=self._alignment, size=self._size
        )

    async def _send(self, frames: Sequence[LiveFrame]) -> None:
        async with self._sending:
            for frame in frames:
                if len(self._on_the_way) >= ON_THE_WAY or frame.time <= self._answered:
                    self._left_out += 1
                    continue
                self._answered = frame.time
                self._on_the_way.append(frame.time)
                content, _ = await run_in_threadpool(encoded, frame.picture)
                await self._socket.send_bytes(FRAME.pack(frame.time) + content)

    async def _tell(self, session: LiveSession) -> None:
        figures = session.figures
        dropped = figures.dropped + self._left_out
        animating = self._studio.jobs.busy
        await self._socket.send_json({"state": figures.state, "dropped": dropped, "animating": animating})


def sitter_of(asked: LiveAsked, visitor: Visitor, studio: Studio) -> Sitter:
    """Raises NotThere, and FaceNotFound."""
    portrait = of_kind("portrait", asked.portrait, visitor)
    return studio.posing.sitter(portrait, studio.landmarks(portrait, asked.face))


async def received(socket: WebSocket) -> AsyncGenerator[str | bytes, None]:
    """What the page sends, until it goes."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        yield message.get("bytes", b"") if text is None else text


async def first_of(*sides: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run some beside each other until one of them ends or fails, as this one then does."""
    failed: list[Exception] = []

    async def run(side: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await side()
        except Exception as error:
            failed.append(error)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for side in sides:
            tasks.start_soon(run, side)
    if failed:
        raise failed[0]

"""Stickers of visitors' portraits: at once how one looks at rest, then the files, made in turn as animations are."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator

from followyouremoji.config import validated
from followyouremoji.face.detection import Landmarks
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.events import Event, Note, OnEvent
from followyouremoji.sources import Portrait
from followyouremoji.stickers.captions import draw_caption
from followyouremoji.stickers.composing import compose
from followyouremoji.stickers.making import StickerOutcome, make_sticker, opaque
from followyouremoji.stickers.matte import cut_out
from followyouremoji.stickers.pack import SHEET, make_pack
from followyouremoji.stickers.request import Backdrop, PackRequest, StickerLook, StickerRequest
from followyouremoji.stickers.services import SERVICES, StickerFormat
from followyouremoji.stickers.subject import Subject
from followyouremoji.studio.examples import view_of
from followyouremoji.studio.material import Material
from followyouremoji.studio.placing import FILE, has_points
from followyouremoji.studio.turns import Turns

if TYPE_CHECKING:
    from followyouremoji.studio.store import Result, Visitor
    from followyouremoji.studio.studio import Made, Studio

LONGEST_CAPTION = 80
"""Letters that the page takes; how many fit is seen when they are drawn."""

KINDS = {"webm": "WebM", "webp": "WebP", "apng": "APNG", "gif": "GIF"}
SUFFIX = re.compile(r" ((video|animated) )?sticker$")

REMEMBERED = 4
"""Portraits that were cut out, some megabytes each."""


@validated
class StickerControls:
    """What the tab's controls say, as in `stickers.request`; an empty caption is none."""

    service: str = "telegram"
    backdrop: Backdrop = "remove"
    outline: bool = True
    caption: str = Field("", max_length=LONGEST_CAPTION)

    @field_validator("service")
    @classmethod
    def _is_known(cls, service: str) -> str:
        if service not in SERVICES:
            raise ValueError(f"{service!r} is not known; known are {', '.join(SERVICES)}")
        return service

    @property
    def format(self) -> StickerFormat:
        return SERVICES[self.service]

    @property
    def look(self) -> StickerLook:
        return StickerLook(backdrop=self.backdrop, outline=self.outline, caption=self.caption or None)


class Stills:
    """Stickers at rest, of the portraits' views. Threads may share it."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._subject = lru_cache(REMEMBERED)(_subject)

    def picture(
        self, visitor: str, portrait: Material, landmarks: Landmarks, controls: StickerControls
    ) -> np.ndarray:
        """The sticker at rest, uint8 (height, width, 4), when it is the visitor's turn.

        Raises Superseded where the visitor asks for another one meanwhile, and UserError for what cannot be used.
        """
        format, look = controls.format, controls.look
        with self._turns.turn(visitor):
            removed = look.backdrop == "remove"
            subject = self._subject(view_of(portrait), landmarks.normalised.tobytes(), removed)
            shown = subject.shown(removed, max(format.size))
            exact = format.sides in ("exact", "square")
            frames = compose(
                [opaque(shown.layers)],
                format.size,
                exact=exact,
                outline=bool(look.outline),
                caption=look.caption,
            )
            return next(frames)


def _subject(view: Path, normalised: bytes, removed: bool) -> Subject:
    """A portrait's view with its face, cut out where the background is `removed`."""
    layers = read_layers(view)
    size = (layers.shape[1], layers.shape[0])
    landmarks = Landmarks(np.frombuffer(normalised, np.float32).reshape(-1, 3), size)
    if removed:
        layers = cut_out(layers, landmarks.points)
    return Subject(Portrait(layers, (landmarks,)), 1)


def begin_sticker(
    studio: Studio, visitor: Visitor, portrait: Material, driving: Material | None, controls: StickerControls
) -> Result:
    """Have a sticker of a portrait made, or without a driving a pack of its expressions, when it is the visitor's turn;
    returns the note of it, which then changes. Raises UserError for what cannot be used, and where too many wait.
    """
    studio.jobs.check_room(visitor.name)
    studio.landmarks(portrait)  # what cannot be used is said now
    if controls.caption:
        draw_caption(controls.format.size, controls.caption)
    what = "pack" if driving is None else Path(driving.name).stem
    title = f"{Path(portrait.name).stem}, {what}, for {service_name(controls.format)}"
    result, folder = visitor.new_result(
        title,
        portrait.id,
        "" if driving is None else driving.id,
        asdict(controls),
        kind="pack" if driving is None else "sticker",
    )
    asked: dict[str, Any] = {
        "portrait": portrait.given,
        "services": (controls.service,),
        "look": controls.look,
        "model": studio.model,
    }
    if portrait.folder is not None and has_points(portrait):
        asked["points"] = shutil.copyfile(portrait.folder / FILE, folder / FILE)  # as they are now
    if driving is None:
        pack = PackRequest(path=folder / "pack", **asked)
        return studio.begin(
            visitor, result, (portrait,), lambda tell: pack_made(studio, pack, controls.format, tell)
        )
    file = folder / f"result{controls.format.ending}"
    sticker = StickerRequest(driving=driving.given, path=file, **asked)
    return studio.begin(
        visitor,
        result,
        (portrait, driving),
        lambda tell: sticker_made(studio, sticker, controls.format, tell),
    )


def sticker_made(studio: Studio, request: StickerRequest, format: StickerFormat, tell: OnEvent) -> Made:
    """Make a sticker; see `outcome_of`."""
    noting = Noting(tell)
    outcome = make_sticker(request, noting, studio.animator_of)
    (made,) = outcome.made
    return made.path, outcome_of(made, format, outcome.seconds, noting.notes)


def pack_made(studio: Studio, request: PackRequest, format: StickerFormat, tell: OnEvent) -> Made:
    """Make a pack, of which the ZIP and the contact sheet are kept; see `outcome_of`."""
    noting = Noting(tell)
    outcome = make_pack(request, noting, studio.animator_of)
    kept = outcome.folder.parent
    archive = (outcome.folder / f"{format.name}.zip").rename(kept / "result.zip")
    (outcome.folder / format.name / SHEET).rename(kept / SHEET)
    shutil.rmtree(outcome.folder)
    stickers = outcome.packs[format.name]
    heaviest = max(stickers, key=lambda one: one.bytes)
    about = outcome_of(heaviest, format, outcome.seconds, noting.notes)
    return archive, {**about, "count": len(stickers)}


class Noting:
    """Passes events on, and remembers notes, each once."""

    def __init__(self, tell: OnEvent) -> None:
        self._tell, self._notes = tell, dict[str, Note]()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self._notes.setdefault(event.sentence, event)
        self._tell(event)

    @property
    def notes(self) -> list[Note]:
        return list(self._notes.values())


def outcome_of(
    made: StickerOutcome, format: StickerFormat, seconds: float, notes: list[Note]
) -> dict[str, Any]:
    """What is noted of a sticker, or of the largest of a pack: the page shows it, and `limits`, which are None where
    there is none. `seconds` that the work took; the sticker lasts `duration`."""
    return {
        "bytes": made.bytes,
        "size": list(made.size),
        "frames": made.frames,
        "frame_rate": made.frame_rate,
        "duration": made.seconds,
        "quality": made.quality,
        "limits": {"bytes": format.max_bytes, "seconds": format.max_seconds, "rate": format.max_rate},
        "seconds": seconds,
        "notes": [asdict(note) for note in notes],
    }


def service_name(format: StickerFormat) -> str:
    """As the page and files call it: "Telegram", "Slack emoji", "GIF"."""
    return KINDS[format.container] if format.sides == "any" else SUFFIX.sub("", format.title)


def limits_in_words(format: StickerFormat) -> str:
    """What a service takes, in a line."""
    words = [KINDS[format.container], format.sides_in_words()]
    if format.max_bytes is not None:
        words.append(f"at most {format.max_bytes:,} bytes".replace(",", "\u202f"))
    if format.max_seconds is not None:
        words.append(f"{format.max_seconds:g} s")
    if format.max_rate is not None:
        words.append(f"{format.max_rate:g} frames a second")
    return f"{'; '.join(words)}."

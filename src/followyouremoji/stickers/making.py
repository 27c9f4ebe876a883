"""Stickers from a request to written files. torch is imported when all files are checked."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from followyouremoji.errors import MotionError, UserError, advice_on_memory
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.media.kinds import Size
from followyouremoji.media.ranges import ClipRange
from followyouremoji.prepared import Prepared
from followyouremoji.requests.animation import (
    GPU_MEMORY,
    GPU_SETTINGS,
    load_animator,
    notes_on_model,
    ready_animator,
)
from followyouremoji.requests.bundled import PREFIX, portrait_path
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import Note, OnEvent, Progress, Stage, ignore
from followyouremoji.requests.marking import model_record
from followyouremoji.requests.memory import FittingModel, Load
from followyouremoji.requests.result import check_output
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait
from followyouremoji.stickers.captions import draw_caption
from followyouremoji.stickers.composing import Box, arrange, finish, opaque_box
from followyouremoji.stickers.encoding import StickerError, write_sticker
from followyouremoji.stickers.motions import (
    Timing,
    fitted,
    liveliest,
    liveliest_part,
    longest,
    named_motion,
)
from followyouremoji.stickers.request import Closing, PortraitRequest, StickerRequest
from followyouremoji.stickers.services import SERVICES, StickerFormat
from followyouremoji.stickers.subject import Subject

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator

LOOKED_THROUGH = 60.0
"""Seconds of a long motion in which its liveliest part is looked for."""

SHORT = 0.1
"""Seconds of a motion that may be left out without a word."""

LEAST_SIDE = 256
"""Pixels of the head that frames are made at, however small the stickers are: details come out finer."""


class StickerOutcome(BaseModel):
    """A sticker that was written.

    Attributes
    ----------
    service, path : what it is for, and where it lies
    size, frames, seconds, frame_rate : as decoded from the file: (width, height) in pixels, of one round, a second
    bytes, limit : of the file, and what the service takes; None where that is not bounded
    quality : how it was encoded, in words
    """

    model_config = ConfigDict(frozen=True)

    service: str
    path: Path
    size: tuple[int, int]
    frames: int
    seconds: float
    frame_rate: float
    bytes: int
    limit: int | None
    quality: str


class StickersOutcome(BaseModel):
    """What was made of a request, in the order of its services; `failed` says in a sentence why of a service nothing
    could be. `seconds` that all of it took."""

    model_config = ConfigDict(frozen=True)

    made: tuple[StickerOutcome, ...]
    failed: dict[str, str]
    seconds: float


def make_sticker(
    request: StickerRequest, on_event: OnEvent = ignore, load: Load = load_animator
) -> StickersOutcome:
    """Make a portrait's sticker for each service of a request, telling what happens.

    `load` gives the model. Raises UserError for whatever cannot be used, where no sticker could be written, and what
    `on_event` raises.
    """
    started = time.monotonic()
    places = sticker_places(request)
    with ExitStack() as stack:
        stack.enter_context(folder_of(places))
        for service, path in places.items():
            check_output(path, (SERVICES[service].ending,), request.overwrite, StickerError, "the sticker")
        captions = drawn_captions(request)
        driving, lasts = open_driving(request)
        stack.enter_context(advice_on_memory(GPU_MEMORY, *GPU_SETTINGS))
        maker, motion = opened(request, driving, captions, on_event, load)
        made: dict[str, StickerOutcome] = {}
        failed: dict[str, UserError] = {}
        for timing, services in by_timing(places, motion, request.closing).items():
            part = used_part(request, motion, timing)
            if part.duration < lasts - SHORT:
                on_event(note_on_part(request, driving.path, lasts, part, motion, services))
            prepared = maker.prepare(fitted(part, timing, request.closing), request.closing)
            frames = maker.frames(prepared, "Animating")
            for service in services:
                try:
                    made[service] = maker.write(frames, timing.rate, service, places[service])
                except UserError as error:
                    failed[service] = error
    if not made:
        raise next(iter(failed.values()))
    return StickersOutcome(
        made=tuple(made[service] for service in places if service in made),
        failed={service: str(error) for service, error in failed.items()},
        seconds=time.monotonic() - started,
    )


@contextmanager
def folder_of(places: Mapping[str, Path]) -> Iterator[None]:
    """The folder of several stickers is there meanwhile, and stays if one is written. Raises StickerError where there
    can be none."""
    folder = next(iter(places.values())).parent
    if len(places) == 1 or folder.is_dir():
        yield
        return
    try:
        folder.mkdir(parents=True)
    except OSError as reason:
        raise StickerError(
            f"cannot make the folder {folder}: {reason.strerror}", settings=("path",)
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # which it has where something lies in it
            folder.rmdir()


def sticker_places(request: StickerRequest) -> dict[str, Path]:
    """Where the sticker for each service will lie: several lie in a folder, which need not exist. Raises StickerError
    for a file that they would share."""
    path = request.path
    if path is not None and not path.is_dir():
        if len(request.services) == 1:
            return {request.services[0]: path}
        if path.exists() or path.suffix:
            raise StickerError(
                f"{path} is no folder, and there is a file for each of {len(request.services)} services: give a folder",
                settings=("path", "services"),
            )
    stem = f"{portrait_path(request.portrait).stem}_{Path(request.driving.removeprefix(PREFIX)).stem}"
    folder = Path() if path is None else path
    return {service: folder / f"{stem}_{service}{SERVICES[service].ending}" for service in request.services}


def drawn_captions(request: PortraitRequest) -> dict[str, np.ndarray | None]:
    """The caption's layer for each service, None without one. Raises CaptionError where it does not fit."""
    look = request.look
    return {
        service: None
        if look.caption is None
        else draw_caption(SERVICES[service].size, look.caption, font=look.font)
        for service in request.services
    }


def open_driving(request: StickerRequest) -> tuple[Driving, float]:
    """The motion of a sticker, of a long one only as much as is used or looked through, and the seconds that all of it
    lasts. Raises UserError where it cannot be used."""
    source, chosen = named_motion(request.driving), request.clip.range
    rate = request.settings.frame_rate
    driving = Driving(source, chosen, rate)
    if driving.expected_frames == 1:
        raise MotionError(
            f"{driving.path} shows one pose, and a sticker has to move: give a clip, a motion or the name of an expression",
            settings=("start", "stop", "duration"),
        )
    lasts = driving.expected_frames / driving.frame_rate
    rounds = 2 if request.closing == "pingpong" else 1
    most = max(longest(SERVICES[service]) for service in request.services) / rounds
    looked_through = LOOKED_THROUGH if request.clip.start is None else most
    if lasts <= looked_through + SHORT:
        return driving, lasts
    looked_through += 2 / driving.frame_rate
    return Driving(source, ClipRange(chosen.start, None, looked_through), rate), lasts


def used_part(request: StickerRequest, motion: Motion, timing: Timing) -> Motion:
    """What of a motion a sticker of some timing shows: the beginning where the user says where that is, else the
    liveliest part."""
    seconds = timing.of_motion(request.closing) / timing.rate
    if request.clip.start is None:
        return liveliest_part(motion, seconds)
    return motion[: math.ceil(seconds * motion.frame_rate - 1e-6)]


def note_on_part(
    request: StickerRequest, path: Path, lasts: float, part: Motion, motion: Motion, services: Sequence[str]
) -> Note:
    """What the user should know where not all of a motion is used."""
    all_of_it = f"the {lasts:.1f} s of {path}"
    if request.clip.start is not None:
        used = f"Of {all_of_it} the first {part.duration:.1f} s are"
    else:
        if motion.duration < lasts - SHORT:
            all_of_it = f"the first {motion.duration:.0f} of {all_of_it}"
        begin = part.timestamps[0] - motion.timestamps[0]
        used = f"Of {all_of_it} the liveliest {part.duration:.1f} s, from {begin:.1f} s on, are"
    return Note("driving", f"{used} used for {', '.join(services)}. Another part can be chosen.", ("start",))


def opened(
    request: PortraitRequest,
    driving: Driving,
    captions: dict[str, np.ndarray | None],
    tell: OnEvent,
    load: Load,
) -> tuple[Maker, Motion]:
    """Find the portrait's face and follow the driving's while the model is loaded. Raises UserError where there is
    none."""
    settings, animation = request.settings, request.animation(str(driving.path))
    loader = ThreadPoolExecutor(1, "loading")
    try:
        with FaceDetector(settings.detector_bundle) as detector:
            subject = Subject.read(request, detector)
            model = FittingModel(animation.model, load)
            loading = loader.submit(ready_animator, animation, model, tell)
            for sentence in subject.portrait.notes([subject.number]):
                tell(Note("portrait", sentence))
            smooth = request.clip.smooth if isinstance(request, StickerRequest) else 0.0
            motion = driving.track(detector, settings.driving_face, smooth, tell)
        side = max(LEAST_SIDE, *(max(SERVICES[service].size) for service in request.services))
        shown = subject.shown(request.look.backdrop == "remove", side)
        if not loading.done():
            tell(Stage("loading", "Loading the model"))
        animator = loading.result()
    finally:
        loader.shutdown(wait=False)
    for note in notes_on_model(animator, animation):
        tell(note)
    return Maker(request, shown, model, captions, tell), motion


def by_timing(services: Iterable[str], motion: Motion, closing: Closing) -> dict[Timing, list[str]]:
    """Services that take the same frames of a motion."""
    groups: dict[Timing, list[str]] = {}
    for service in services:
        timing = Timing.fitting(SERVICES[service], motion.duration, motion.frame_rate, closing)
        groups.setdefault(timing, []).append(service)
    return groups


@dataclass(frozen=True)
class Maker:
    """Makes stickers of one portrait.

    Attributes
    ----------
    portrait : what is shown of it, with its face
    captions : the layer for each service
    """

    request: PortraitRequest
    portrait: Portrait
    model: FittingModel
    captions: dict[str, np.ndarray | None]
    tell: OnEvent

    @cached_property
    def comment(self) -> str:
        """What its stickers say about themselves, in short."""
        name, seed = self.model.loaded(self.tell).model.config.name, self.request.settings.seed
        return model_record(self.request.model, name, seed=seed).brief()

    def prepare(self, motion: Motion, closing: Closing) -> Prepared:
        """The portrait's face with a motion, which is closed to a loop. Raises MotionError."""
        return self.model.loaded(self.tell).prepare(
            self.portrait,
            motion,
            alignment=self.request.alignment,
            settings=replace(self.request.settings, loop=closing),
        )

    def reach(self, prepared: Prepared) -> Iterator[np.ndarray]:
        """How opaque the portrait will be in some frames: uint8 (height, width, 4) each, known before they are made."""
        for frame in range(0, len(prepared), 5):
            opacity = np.full(prepared.portrait.shape[:2], 255, np.uint8)
            if prepared.opacity is not None:
                opacity = prepared.opacity.copy()
                prepared.paste(opacity, prepared.framing.warped_opacity(frame))
            yield np.broadcast_to(opacity[..., None], (*opacity.shape, 4))

    def frames(self, prepared: Prepared, what: str) -> list[np.ndarray]:
        """The loop's frames from the liveliest on: uint8 (height, width, 4)."""

        def attempt(animator: PortraitAnimator, settings: AnimationSettings) -> list[np.ndarray]:
            self.tell(Stage("animating", what))
            made = animator.frames(
                prepared,
                settings,
                loras=[(lora.file, lora.scale) for lora in self.request.loras],
                progress=lambda done, total: self.tell(Progress(done, total)),
            )
            return [opaque(frame) for frame in made]

        frames = self.model.make(replace(self.request.settings, loop=prepared.loop), self.tell, attempt)
        points = prepared.in_portrait(prepared.points_in_picture)
        first = liveliest(points, prepared.landmarks.points)
        return frames[first:] + frames[:first]

    def write(
        self, frames: Sequence[np.ndarray], rate: float, service: str, path: Path, box: Box | None = None
    ) -> StickerOutcome:
        """Write frames as a service's sticker, which shows a `box` of them, or all that is opaque. Raises StickerError
        where its limits cannot be met."""
        format = SERVICES[service]
        self.tell(Stage("encoding", f"Encoding for {service}"))
        composed = self.composed(frames, format, format.size, box)
        written = write_sticker(
            composed,
            rate,
            format,
            path,
            self.request.overwrite,
            progress=lambda words: self.tell(Progress(0, None)),
            comment=self.comment,
        )
        facts = written.facts
        return StickerOutcome(
            service=service,
            path=path,
            size=facts.size,
            frames=facts.frames,
            seconds=facts.seconds,
            frame_rate=facts.rate,
            bytes=facts.bytes,
            limit=format.max_bytes,
            quality=written.quality,
        )

    def composed(
        self, frames: Sequence[np.ndarray], format: StickerFormat, size: Size, box: Box | None = None
    ) -> list[np.ndarray]:
        """Frames in a service's look, of a `size` that is its own, or that of an icon, which has no caption."""
        look = self.request.look
        outline = format.outlined and look.backdrop == "remove" if look.outline == "auto" else look.outline
        caption = self.captions[format.name] if size == format.size else None
        exact = size != format.size or format.sides in ("exact", "square")
        arrangement = arrange(box or opaque_box(frames), size, exact, outline, caption)
        return [finish(frame, arrangement, caption) for frame in frames]


def opaque(frame: np.ndarray) -> np.ndarray:
    """A picture uint8 (height, width, 3 or 4) with opacity, full where it has none."""
    return frame if frame.shape[2] == 4 else np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)])

"""LiveSession: pictures of a face in, pictures of the portrait out, as they become ready.

Three threads, each of which spends its time outside Python's lock: one follows the face and places it on the portrait,
one runs the networks over what waits for them, one finishes frames. Between them lie short queues; what does not fit
is dropped, the oldest first, so that a slow machine shows fewer frames and not later ones.
"""

from __future__ import annotations

import math
import time as clock
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread
from types import TracebackType

import numpy as np

from followyouremoji.checkpoints.model import Model
from followyouremoji.errors import PictureError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.timeline import HELD
from followyouremoji.face_finder import FaceFinder
from followyouremoji.framing import ModelFraming
from followyouremoji.live.generating import CHUNK, Coded, LiveGenerator
from followyouremoji.live.motion import LiveMotion, check_alignment
from followyouremoji.live.pacing import Finished, LiveFigures, LiveFrame, LiveState, Pacing
from followyouremoji.live.portrait import prepare_live, scaled
from followyouremoji.media.pictures import off_white
from followyouremoji.numpy_threads import without_numpy_threads
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait


@dataclass(frozen=True)
class _Pushed:
    """A picture, its time on the source's clock, and when it came."""

    picture: np.ndarray
    time: float
    pushed: float


@dataclass(frozen=True)
class _Posed:
    """The portrait's landmarks (478, 2) for a picture."""

    points: np.ndarray
    state: LiveState
    time: float
    pushed: float


@dataclass(frozen=True)
class _Made:
    """What the networks made of a pose: the arguments of `Prepared.finish`; None where it shows what the one before
    does."""

    posed: _Posed
    finish: Callable[[], np.ndarray] | None


class LiveSession:
    """A portrait that moves with the face in the pictures that are pushed; `PortraitAnimator.live` begins one.

    A context manager, which ends its threads. Pictures may be pushed and frames taken by several threads. An error in a
    thread of the session ends it, and is raised by the next `push` or `take`.

    >>> with animator.live("portrait.png", size=256) as live:
    ...     for picture in camera:
    ...         for frame in live.push(picture): show(frame.picture)

    Attributes
    ----------
    output_size : (width, height) of the frames
    still : the portrait before anything moves, of that size: uint8 (height, width, 3), of a transparent portrait
        (height, width, 4)
    """

    def __init__(
        self,
        model: Model,
        found: Portrait,
        number: int,
        faces: FaceFinder,
        sampling: SamplingSettings,
        guidance_scale: float,
        alignment: AlignmentSettings,
        settings: AnimationSettings,
        size: int | None,
    ) -> None:
        """Of `PortraitAnimator.live`'s parameters; `number` is the face's among those found."""
        framing = ModelFraming.of(model.config, settings.size)
        self._framing, self._settings, self._faces = framing, settings, faces
        check_alignment(alignment, framing)
        self._alignment = alignment
        self._portrait, room = prepare_live(scaled(found, size), number, framing, settings)
        self.output_size = self._portrait.output_size
        self.still = _still(self._portrait)
        self._motion = LiveMotion(self._portrait.landmarks, framing, room, alignment)
        self._generator = LiveGenerator(model, self._portrait, sampling, guidance_scale)

        self._changed = Condition()  # guards all below, and tells of each change
        self._slot: _Pushed | None = None
        self._posed: deque[_Posed] = deque()
        self._made: deque[_Made] = deque()
        self._pacing = Pacing()
        self._pushed = self._dropped = 0
        self._picture_shape: tuple[int, ...] | None = None
        self._last_time = -math.inf
        self._recalibrates = False
        self._closed = False
        self._error: BaseException | None = None
        self._threads = [
            Thread(target=self._run, args=(work,), name=f"live {name}", daemon=True)
            for name, work in (
                ("motion", self._follow),
                ("networks", self._generate),
                ("frames", self._finish),
            )
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alignment(self) -> AlignmentSettings:
        """How motion is put onto the portrait. May be set at any time, and acts on the next picture; raises
        SettingsError for one that live motion cannot have."""
        return self._alignment

    @alignment.setter
    def alignment(self, alignment: AlignmentSettings) -> None:
        check_alignment(alignment, self._framing)
        self._alignment = alignment

    def push(self, picture: np.ndarray, time: float | None = None) -> list[LiveFrame]:
        """Show the session the next picture, and take what is ready; never waits.

        Where pictures come faster than the face can be followed, only the latest is looked at.

        Parameters
        ----------
        picture : uint8 (height, width, 3), RGB, always of one size; it must not be changed afterwards.
        time : in seconds on the source's clock, later than that of the picture before; None is now.

        Raises
        ------
        PictureError : not such a picture, or such a time.
        UserError : as `take`.
        """
        now = clock.perf_counter()
        time = now if time is None else time
        with self._changed:
            self._check(picture, time)
            self._picture_shape, self._last_time = picture.shape, time
            self._dropped += self._slot is not None
            self._slot = _Pushed(picture, time, now)
            self._pushed += 1
            self._changed.notify_all()
        return self.take()

    def take(self, timeout: float = 0.0) -> list[LiveFrame]:
        """The frames that are ready, in order; waits up to `timeout` seconds for the first.

        Raises
        ------
        FaceNotFound : the first picture with faces has fewer than `driving_face`.
        WeightsError : values of a network are not finite.
        ValueError : the session is closed.
        """
        end = clock.perf_counter() + timeout
        with self._changed:
            while True:
                self._raise_error()
                now = clock.perf_counter()
                frames = self._pacing.take(now)
                if frames or now >= end:
                    return frames
                due = self._pacing.next_due
                self._changed.wait((end if due is None else min(end, due)) - now)

    def recalibrate(self) -> None:
        """Look for a new rest: the next calm second. Until it is found, the old one counts."""
        self._recalibrates = True

    @property
    def figures(self) -> LiveFigures:
        """How the session does."""
        with self._changed:
            return self._pacing.figures(clock.perf_counter(), self._pushed, self._dropped)

    def close(self) -> None:
        """End the threads, after what they have at hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _check(self, picture: np.ndarray, time: float) -> None:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise PictureError(
                f"A pushed picture must be uint8 (height, width, 3), not {picture.dtype} {picture.shape}."
            )
        if self._picture_shape not in (None, picture.shape):
            raise PictureError(
                f"Pushed pictures must have one size: this one has {picture.shape}, the one before {self._picture_shape}."
            )
        if not self._last_time < time < math.inf:
            raise PictureError(
                f"Times of pushed pictures must rise: {time:g} s came after {self._last_time:g} s."
            )

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise ValueError("the live session is closed")

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with without_numpy_threads():
                work()
        except BaseException as error:  # raised where frames are asked for
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    @property
    def _ended(self) -> bool:
        return self._closed or self._error is not None

    def _follow(self) -> None:
        """The thread of the motion: pictures to poses."""
        taken: list[_Pushed] = []

        def pictures() -> Iterator[np.ndarray]:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._ended or self._slot is not None)
                    if self._ended or self._slot is None:
                        return
                    taken[:] = [self._slot]
                    self._slot = None
                yield taken[0].picture

        with self._faces.detector(self._settings.detector_bundle) as detector:
            for seen in detector.track(pictures(), self._settings.driving_face, any_turn=True):
                (pushed,) = taken
                if self._recalibrates:
                    self._recalibrates = False
                    self._motion.recalibrate()
                points, state = self._motion.follow(seen, pushed.time, self._alignment)
                with self._changed:
                    self._posed.append(_Posed(points, state, pushed.time, pushed.pushed))
                    while len(self._posed) > CHUNK:
                        self._posed.popleft()
                        self._dropped += 1
                    self._changed.notify_all()

    def _generate(self) -> None:
        """The thread of the networks: poses to what they make of them."""
        last = np.full_like(self._portrait.landmarks.points, np.inf)
        while chunk := self._waiting():
            fresh = []
            for posed in chunk:
                changed = np.abs(posed.points - last).max() > HELD
                last = posed.points if changed else last
                fresh.append(changed)
            new = [posed.points for posed, changed in zip(chunk, fresh, strict=True) if changed]
            made = iter(self._pictures(new))
            with self._changed:
                self._made.extend(
                    _Made(posed, next(made) if changed else None)
                    for posed, changed in zip(chunk, fresh, strict=True)
                )
                self._changed.notify_all()

    def _pictures(self, points: Sequence[np.ndarray]) -> list[Callable[[], np.ndarray]]:
        """What finishes the picture of each pose."""
        if not points:
            return []
        clip = self._portrait.posed(self._portrait.motion, np.stack(points))
        return [partial(_finished, clip, pose, made) for pose, made in enumerate(self._generator(clip))]

    def _waiting(self) -> list[_Posed]:
        """What waits for the networks, as soon as what they made before is being finished, but no more than they make
        at once; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._posed and len(self._made) <= 1))
            if self._ended:
                return []
            while len(self._posed) > self._generator.most:
                self._posed.popleft()
                self._dropped += 1
            chunk = list(self._posed)
            self._posed.clear()
            return chunk

    def _finish(self) -> None:
        """The thread of the frames."""
        picture = self.still
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._made)
                if self._ended:
                    return
                made = self._made.popleft()
                self._changed.notify_all()
            if made.finish is not None:
                picture = made.finish()
            posed = made.posed
            with self._changed:
                finished = Finished(picture, posed.time, posed.pushed, posed.state)
                self._pacing.add(finished, clock.perf_counter())
                self._changed.notify_all()


def _finished(clip: Prepared, pose: int, made: Callable[[], Coded]) -> np.ndarray:
    picture, coded = made()
    return clip.finish(picture, pose, coded)


def _still(portrait: Prepared) -> np.ndarray:
    if portrait.opacity is None:
        return portrait.still
    opacity = portrait.opacity
    if not portrait.paste_back:
        opacity = portrait.framing.crop.cut(opacity, portrait.still.shape[0])
    return off_white(portrait.still, opacity)

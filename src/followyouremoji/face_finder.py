"""Faces and motions that are found once and remembered. Needs no torch."""

from __future__ import annotations

import os
import weakref
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.errors import PictureError
from followyouremoji.face.alignment import Aligned, SolvedMotion, align, measure
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.heads import Room
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings, Loop
from followyouremoji.face.timeline import looped
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.ranges import ClipRange
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import (
    Face,
    MotionSource,
    Portrait,
    PortraitSource,
    Tracked,
    as_layers,
    find_portrait,
    named,
    read_motion,
)

REMEMBERED = 2
"""Portraits, clips and alignments that a `FaceFinder` remembers."""

ROWS_APART = 64
"""Of the rows that stand for a picture's content before all of it is compared."""


class FaceFinder:
    """Finds the faces of portraits and motions and aligns them, and remembers the latest: with the same picture, clip
    and motion, nothing is detected and no metric face solved again.

    A context manager; several threads may use one. What is remembered of an array is its content, of a file its state,
    and of a `Motion` or `Landmarks` the object, which must not be changed.
    """

    def __init__(self) -> None:
        self._idle: defaultdict[Path | None, list[FaceDetector]] = defaultdict(list)
        weakref.finalize(self, _close, self._idle)  # at the end of the process at the latest
        self._found = lru_cache(REMEMBERED)(self._find)
        self._tracked = lru_cache(REMEMBERED)(self._track)
        self._paced = lru_cache(REMEMBERED)(_paced)
        self._solved = lru_cache(REMEMBERED)(SolvedMotion)
        self._measured = lru_cache(REMEMBERED)(measure)

    def __enter__(self) -> FaceFinder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the detectors, and forget everything. The finder can be used again."""
        _close(self._idle)
        for memory in (self._found, self._tracked, self._paced, self._solved, self._measured):
            memory.cache_clear()

    @contextmanager
    def detector(self, bundle: Path | None = None) -> Iterator[FaceDetector]:
        """A detector that nobody else uses meanwhile; see `FaceDetector`."""
        idle = self._idle[bundle]
        try:
            detector = idle.pop()
        except IndexError:
            detector = FaceDetector(bundle)
        try:
            yield detector
        finally:
            idle.append(detector)

    def portrait(
        self,
        source: PortraitSource | Portrait,
        wanted: Collection[Face] = (None,),
        bundle: Path | None = None,
        known: Landmarks | None = None,
    ) -> Portrait:
        """The faces of an upright picture, as `find_portrait` finds them; `known` are the landmarks of its only face,
        which are then not detected, and a `Portrait` is taken as it is.

        Raises as `as_layers` and `find_portrait`.
        """
        if isinstance(source, Portrait):
            return source
        name = named(source, "the portrait")
        return self._found(_remembered_as(source, "the portrait"), name, frozenset(wanted), bundle, known)

    def motion(self, source: MotionSource, settings: AnimationSettings, clip_range: ClipRange) -> Tracked:
        """See `read_motion`."""
        if isinstance(source, Motion):
            return Tracked(source)
        return self._tracked(
            _remembered_as(source, "the driving picture"),
            settings.driving_face,
            clip_range,
            settings.frame_rate,
            settings.detector_bundle,
        )

    def paced(self, motion: Motion, frame_rate: float, loop: Loop) -> Motion:
        """A motion at a rate, closed to a loop where one is asked for."""
        return self._paced(motion, frame_rate, loop)

    def align(
        self, motion: Motion, reference: Landmarks, settings: AlignmentSettings, room: Room | None
    ) -> Aligned:
        """See `alignment.align`."""
        return align(motion, reference, settings, room, solve=self._solved, measure=self._measured)

    def _find(
        self,
        source: _File | _Content,
        name: str,
        wanted: frozenset[Face],
        bundle: Path | None,
        known: Landmarks | None,
    ) -> Portrait:
        layers = as_layers(source.source, "the portrait")
        if known is not None:
            return Portrait(layers, (known,), name)
        with self.detector(bundle) as detector:
            return find_portrait(detector, layers, name, wanted)

    def _track(
        self,
        source: _File | _Content,
        face: int | None,
        clip_range: ClipRange,
        frame_rate: float | None,
        bundle: Path | None,
    ) -> Tracked:
        with self.detector(bundle) as detector:
            return read_motion(source.source, detector, face, clip_range, frame_rate)


def _paced(motion: Motion, frame_rate: float, loop: Loop) -> Motion:
    return looped(motion.at_rate(frame_rate), loop)


def _close(idle: Mapping[Path | None, list[FaceDetector]]) -> None:
    for detectors in list(idle.values()):  # another thread may need a new one
        while detectors:
            detectors.pop().close()


@dataclass(frozen=True)
class _File:
    """A file in a state: another size or time of change is another one, and of bytes another content."""

    source: Path | InputFile = field(compare=False)
    version: Hashable


class _Content:
    """A picture uint8 (height, width, channels), compared by its pixels."""

    def __init__(self, layers: np.ndarray) -> None:
        self.source = layers.copy()  # its owner may change it

    def __hash__(self) -> int:
        return hash((self.source.shape, self.source[::ROWS_APART].tobytes()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and np.array_equal(self.source, other.source)


def _remembered_as(source: PortraitSource, what: str) -> _File | _Content:
    if isinstance(source, (np.ndarray, Image.Image)):
        return _Content(as_layers(source, what))
    if not isinstance(source, (str, os.PathLike)):
        file = InputFile.of(source, PictureError, "a picture or a clip", what)
        return _File(file, file.version)
    path = Path(source)
    try:
        state = path.stat()
    except OSError:  # reading it will say what is wrong
        return _File(path, path)
    return _File(path, (path, state.st_size, state.st_mtime_ns))

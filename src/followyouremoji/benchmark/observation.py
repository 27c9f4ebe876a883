"""What the detector sees in a result and in what it is compared with: the landmarks of each frame on its own.

Nothing is tracked, and no frame knows of another: a result must show the right face in every frame.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from followyouremoji.benchmark.metrics.identity import describe
from followyouremoji.benchmark.metrics.regions import of_the_face
from followyouremoji.benchmark.suite import Mode
from followyouremoji.errors import DataError, FaceNotFound
from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.gaze import Eyes, Gaze, measure_gaze
from followyouremoji.face.geometry import MetricFaces, solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.face.topology import N_LANDMARKS, N_MESH

REMEMBERED = 256
"""Clips whose landmarks are remembered: 0.4 MB each of 64 frames."""


class Known(Protocol):
    """What a result is compared with, as `suite.Case` has it: pictures uint8 of S pixels a side, T frames."""

    @property
    def mode(self) -> Mode: ...
    @property
    def portrait(self) -> np.ndarray: ...
    @property
    def portrait_landmarks(self) -> Landmarks: ...
    @property
    def driving(self) -> np.ndarray: ...
    @property
    def motion(self) -> Motion: ...
    @property
    def truth(self) -> np.ndarray | None: ...
    @property
    def truth_motion(self) -> Motion | None: ...
    @property
    def truth_gaze(self) -> np.ndarray | None: ...


@dataclass(frozen=True)
class Finds:
    """What the detector finds in a clip: `landmarks` float32 (T, 478, 3), normalised, all NaN in a frame without a
    face, and `blendshapes` float32 (T, 52), NaN alike; None without the bundle."""

    landmarks: np.ndarray
    blendshapes: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class SeenClip:
    """A clip and its face. All is found when it is first asked for.

    Attributes
    ----------
    frames : uint8 (T, S, S, 3)
    expected : (T, 478, 2) pixels, where the face should be; what is found elsewhere is not the face.
    look : finds the faces of frames.
    """

    frames: np.ndarray
    expected: np.ndarray
    look: Callable[[np.ndarray], Finds]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        return self.frames.shape[2], self.frames.shape[1]

    @cached_property
    def _finds(self) -> Finds:
        return self.look(self.frames)

    @cached_property
    def landmarks(self) -> np.ndarray:
        """float32 (T, 478, 3) normalised, NaN in frames whose face is not found."""
        landmarks = self._finds.landmarks
        points = landmarks[..., :2] * np.array(self.size, np.float32)
        same = [np.isfinite(of_the_face(*both)).all() for both in zip(points, self.expected, strict=True)]
        return np.where(np.array(same)[:, None, None], landmarks, np.float32(np.nan))

    @cached_property
    def found(self) -> np.ndarray:
        """bool (T,)."""
        known: np.ndarray = np.isfinite(self.landmarks).all(axis=(1, 2))
        return known

    @cached_property
    def points(self) -> np.ndarray:
        """float32 (T, 478, 2) pixels, NaN in frames whose face is not found."""
        return self.landmarks[..., :2] * np.array(self.size, np.float32)

    @cached_property
    def places(self) -> np.ndarray:
        """The points, or where they should be in frames whose face is not found."""
        return np.where(self.found[:, None, None], self.points, self.expected)

    @cached_property
    def blendshapes(self) -> np.ndarray | None:
        """float32 (T, 52), NaN in frames whose face is not found; None without a bundle."""
        scores = self._finds.blendshapes
        return None if scores is None else np.where(self.found[:, None], scores, np.float32(np.nan))

    @cached_property
    def faces(self) -> MetricFaces:
        """Of each frame; NaN in frames whose face is not found."""
        faces = MetricFaces(np.full((len(self), N_MESH, 3), np.nan), np.full((len(self), 4, 4), np.nan))
        if self.found.any():
            solved = solve_metric_faces(self.landmarks[self.found], self.size)
            faces.vertices[self.found], faces.poses[self.found] = solved.vertices, solved.poses
        return faces

    @cached_property
    def gaze(self) -> Gaze:
        """As the detector sees it; NaN, and no trust, in frames whose face is not found."""
        gaze = Gaze(np.full((len(self), 2, 2), np.nan), np.zeros((len(self), 2)))
        if self.found.any():
            faces = MetricFaces(self.faces.vertices[self.found], self.faces.poses[self.found])
            seen = measure_gaze(self.landmarks[self.found], faces, self.size, Eyes.of(faces.vertices))
            gaze.directions[self.found], gaze.trust[self.found] = seen.directions, seen.trust
        return gaze

    @cached_property
    def descriptors(self) -> np.ndarray:
        """Of each frame's face, laid flat at its `places`: (T, n), see `metrics.identity.describe`."""
        return np.stack([describe(*both) for both in zip(self.frames, self.places, strict=True)])


@dataclass(frozen=True, eq=False)
class Target:
    """What a result is compared with, and what is seen in it; the same for all systems."""

    case: Known
    look: Callable[[np.ndarray], Finds]

    @property
    def side(self) -> int:
        return int(self.case.portrait.shape[0])

    @cached_property
    def portrait(self) -> SeenClip:
        """The portrait as a clip of one frame."""
        expected = self.case.portrait_landmarks.points[None]
        return SeenClip(self.case.portrait[None], expected, self.look)

    @cached_property
    def truth(self) -> SeenClip | None:
        if self.case.truth is None or self.case.truth_motion is None:
            return None
        return SeenClip(self.case.truth, self._points(self.case.truth_motion), self.look)

    @cached_property
    def driving(self) -> SeenClip:
        if self.case.mode == "self" and self.truth is not None:
            return self.truth
        return SeenClip(self.case.driving, self._points(self.case.motion), self.look)

    @property
    def clip(self) -> SeenClip:
        """Whose expression, pose and gaze the result should show: the truth's, or, where nobody knows it, the
        driving's."""
        return self.driving if self.truth is None else self.truth

    @cached_property
    def places(self) -> np.ndarray:
        """Where the result's face should be, (T, 478, 2) pixels: the truth's landmarks, or the driving's motion aligned
        to the portrait with default settings, whatever the system itself does."""
        if self.truth is not None:
            return self.truth.expected
        return align_motion(self.case.motion, self.case.portrait_landmarks)

    @cached_property
    def wanted(self) -> np.ndarray:
        """The landmarks that the detector should find in the result, (T, 478, 2) pixels: those that it finds in the
        truth, so that its own errors do not count, or, where it finds none or nobody knows the truth, `places`. NaN
        where the clip's face was not seen at all."""
        motion = self.case.motion if self.truth is None else self.case.truth_motion
        assert motion is not None
        places = np.where(motion.found[:, None, None], self.places, np.nan)
        return (
            places
            if self.truth is None
            else np.where(self.truth.found[:, None, None], self.truth.points, places)
        )

    def _points(self, motion: Motion) -> np.ndarray:
        return motion.landmarks[..., :2] * np.float32(self.side)


@dataclass(frozen=True, eq=False)
class Observation:
    """A result, seen, and what it is compared with."""

    result: SeenClip
    target: Target

    @property
    def case(self) -> Known:
        return self.target.case

    @property
    def mode(self) -> Mode:
        return self.case.mode

    @property
    def frames(self) -> np.ndarray:
        """The result, uint8 (T, S, S, 3)."""
        return self.result.frames

    @property
    def points(self) -> np.ndarray:
        """What the detector finds in it, (T, 478, 2) pixels; NaN in frames whose face is not found."""
        return self.result.points

    def __len__(self) -> int:
        return len(self.result)


class Observer:
    """Looks at results; a context manager that owns the detector.

    What it found in a clip is remembered, so that a portrait, truth or driving clip costs once, however many systems
    and pairs share it. Not to be used by two threads at once.

    Parameters
    ----------
    bundle : Path, optional
        Google's face-landmarker bundle, which adds the 52 blendshape scores and takes twice as long.
    """

    def __init__(self, bundle: Path | None = None) -> None:
        self._detector = FaceDetector(bundle)
        self._with_scores = bundle is not None
        self._remembered: OrderedDict[bytes, Finds] = OrderedDict()
        self._target: Target | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._detector.close()

    def observe(self, case: Known, frames: np.ndarray) -> Observation:
        """A system's result of a case, uint8 (T, S, S, 3). Raises DataError for other frames than the case's."""
        if self._target is None or self._target.case is not case:
            self._target = Target(case, self._look_once)
        target = self._target
        wanted = (len(case.motion), target.side, target.side, 3)
        if frames.shape != wanted or frames.dtype != np.uint8:
            raise DataError(
                f"The result has frames {frames.dtype} {frames.shape}; uint8 {wanted} were to be made."
            )
        return Observation(SeenClip(frames, target.places, self.look), target)

    def look(self, frames: np.ndarray) -> Finds:
        """What the detector finds in each of the frames uint8 (T, h, w, 3); at one that stands still it looks once."""
        landmarks = np.full((len(frames), N_LANDMARKS, 3), np.nan, np.float32)
        scores = np.full((len(frames), 52), np.nan, np.float32)
        for frame, picture in enumerate(frames):
            if frame and np.array_equal(picture, frames[frame - 1]):
                landmarks[frame], scores[frame] = landmarks[frame - 1], scores[frame - 1]
                continue
            try:
                face = self._detector.detect(picture)
            except FaceNotFound:
                continue
            landmarks[frame] = face.normalised
            if face.blendshapes is not None:  # a face that only a search finds has none
                scores[frame] = face.blendshapes
        return Finds(landmarks, scores if self._with_scores else None)

    def _look_once(self, frames: np.ndarray) -> Finds:
        key = hashlib.sha256(np.ascontiguousarray(frames).data).digest()
        if key not in self._remembered:
            self._remembered[key] = self.look(frames)
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        self._remembered.move_to_end(key)
        return self._remembered[key]

"""The first pass through a clip: what is in every frame, without keeping a picture.

A tracker follows one face through each scene. An hour of video at 25 frames a second takes about 0.5 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import cv2
import numpy as np

from followyouremoji.data.preparation.scenes import SceneCutter
from followyouremoji.data.preparation.settings import Cutting
from followyouremoji.errors import ClipError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.geometry import solve_metric_faces
from followyouremoji.face.topology import N_LANDMARKS
from followyouremoji.media.cropping import face_crop

MEASURED = 256
"""Pixels: the side of a face as its sharpness is measured."""


@dataclass(frozen=True)
class Survey:
    """Every frame of a clip.

    Attributes
    ----------
    size : (width, height) of the pictures
    times : ``(T,)`` seconds
    scenes : ``(T,)`` int, number of the scene
    found : ``(T,)`` bool, whether the scene's face is seen
    landmarks : ``(T, 478, 3)`` float32, normalised as in `face.detection.Landmarks`; zeros where not found
    sharpness : ``(T,)`` of the face, see `sharpness`; zero where not found
    change : ``(T,)`` mean difference of the face from the frame before, of 255 levels; infinite for a scene's first
        frame
    """

    size: tuple[int, int]
    times: np.ndarray
    scenes: np.ndarray
    found: np.ndarray
    landmarks: np.ndarray
    sharpness: np.ndarray
    change: np.ndarray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def points(self) -> np.ndarray:
        """``(T, 478, 2)`` float32 pixels."""
        return self.landmarks[..., :2] * np.array(self.size, np.float32)

    @property
    def boxes(self) -> np.ndarray:
        """``(T, 4)`` pixels: left, top, right, bottom of the landmarks."""
        return bounding_boxes(self.points)

    @property
    def face_sizes(self) -> np.ndarray:
        """``(T,)`` pixels: the longer side of the box."""
        return face_sizes(self.boxes)

    @cached_property
    def angles(self) -> np.ndarray:
        """``(T, 3)`` degrees: yaw, pitch and roll of the head; zero where not found."""
        angles = np.zeros((len(self), 3))
        if self.found.any():
            angles[self.found] = head_angles(solve_metric_faces(self.landmarks[self.found], self.size).poses)
        return angles


def bounding_boxes(points: np.ndarray) -> np.ndarray:
    """Left, top, right and bottom ``(..., 4)`` of points ``(..., N, 2)``."""
    return np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)


def face_sizes(boxes: np.ndarray) -> np.ndarray:
    """The longer sides ``(...)`` of boxes ``(..., 4)``."""
    return (boxes[..., 2:] - boxes[..., :2]).max(axis=-1)


def head_angles(poses: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll in degrees, ``(T, 3)``, of poses ``(T, 4, 4)``: positive turns a face to the picture's right,
    up, and tilts it clockwise."""
    rotation = poses[:, :3, :3] / np.linalg.norm(poses[:, :3, 0], axis=1)[:, None, None]
    forward, right = rotation[:, :, 2], rotation[:, :, 0]
    yaw = np.arctan2(forward[:, 0], forward[:, 2])
    pitch = np.arcsin(np.clip(forward[:, 1], -1.0, 1.0))
    # What is left once the direction of the face is taken out: the right-hand axis against the level one.
    level = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=1)
    roll = np.arctan2(
        np.einsum("tc,tc->t", np.cross(right, level), forward), np.einsum("tc,tc->t", right, level)
    )
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


def sharpness(face: np.ndarray) -> float:
    """How sharp a face is: the spread of the Laplacian over that of the brightness, for grey ``uint8 (n, n)`` at
    `MEASURED` pixels.

    Dividing by the spread of the brightness makes dark and light skin, and dim and bright light, comparable.
    """
    brightness = face.astype(np.float32)
    spread = float(brightness.std())
    return float(cv2.Laplacian(brightness, cv2.CV_32F).std()) / max(spread, 1.0)


def survey_clip(
    frames: Iterable[tuple[float, np.ndarray]], detector: FaceDetector, cutting: Cutting
) -> Survey:
    """Look at every frame of a clip: (seconds, picture) pairs of one size.

    In each scene the largest face of the first frame that has one is followed.

    Raises
    ------
    ClipError : there is no frame.
    """
    cutter = SceneCutter(cutting)
    times: list[float] = []
    scenes: list[int] = []
    seen: list[np.ndarray | None] = []
    measured: list[tuple[float, float]] = []
    size: tuple[int, int] | None = None

    for scene, group in groupby(frames, key=lambda frame: cutter.scene(frame[1])):
        latest: list[np.ndarray] = []
        for face in detector.track(_remembered(group, times, latest)):
            picture, before = latest[-1], latest[0] if len(latest) > 1 else None
            size = size or (picture.shape[1], picture.shape[0])
            scenes.append(scene)
            seen.append(None if face is None else face.normalised)
            measured.append((0.0, np.inf) if face is None else _measured(face.points, picture, before))
    if size is None:
        raise ClipError("it holds no frame")

    found = np.array([face is not None for face in seen])
    landmarks = np.zeros((len(seen), N_LANDMARKS, 3), np.float32)
    if found.any():
        landmarks[found] = [face for face in seen if face is not None]
    return Survey(
        size=size,
        times=np.array(times),
        scenes=np.array(scenes),
        found=found,
        landmarks=landmarks,
        sharpness=np.array([sharp for sharp, _ in measured]),
        change=np.array([change for _, change in measured]),
    )


def _remembered(
    frames: Iterable[tuple[float, np.ndarray]], times: list[float], latest: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """The pictures of a scene; `times` grows along, `latest` holds the last two pictures."""
    for time, picture in frames:
        times.append(time)
        latest.append(picture)
        del latest[:-2]
        yield picture


def _measured(points: np.ndarray, picture: np.ndarray, before: np.ndarray | None) -> tuple[float, float]:
    """Sharpness of a face and its change from the picture before."""
    box = face_crop(points, margin=1.0)
    face = cv2.cvtColor(box.cut(picture, MEASURED), cv2.COLOR_RGB2GRAY)
    change = np.inf
    if before is not None:
        earlier = cv2.cvtColor(box.cut(before, MEASURED), cv2.COLOR_RGB2GRAY)
        change = float(cv2.absdiff(face, earlier).mean())
    return sharpness(face), change

"""Drawn portraits driven by exact landmarks, as they are: nothing is detected and nothing aligned, so that what is
timed or measured is the animation alone."""

from __future__ import annotations

import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.prepared import Prepared
from followyouremoji.settings import AnimationSettings

AS_THEY_ARE = AlignmentSettings(head="image")


def motion_of(normalised: np.ndarray, size: int, frame_rate: float) -> Motion:
    """A motion of normalised landmarks (T, 478, 3) in square pictures of `size` pixels."""
    times = np.arange(len(normalised)) / frame_rate
    found = np.ones(len(times), bool)
    return Motion(normalised.astype(np.float32), times, frame_rate, (size, size), "drawings", found)


def prepare_exact(
    animator: PortraitAnimator, portrait: np.ndarray, own: np.ndarray, points: np.ndarray, frame_rate: float
) -> Prepared:
    """A square portrait uint8 (S, S, 3) with landmarks `own` (478, 2), driven by `points` (T, 478, 2), all in its
    pixels; the whole square is animated."""
    size = len(portrait)
    flat = np.concatenate([points / size, np.zeros((*points.shape[:2], 1))], axis=-1)
    return animator.prepare(
        portrait,
        motion_of(flat, size, frame_rate),
        alignment=AS_THEY_ARE,
        settings=AnimationSettings(crop=False, paste_back=True),
        portrait_landmarks=Landmarks(
            np.concatenate([own / size, np.zeros((len(own), 1))], axis=-1).astype(np.float32), (size, size)
        ),
    )

"""What a pose of `sliders` does to a face: the weights of its controls, where its eyes look, how its head turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from .controls import LIDS, bounded, keep_lips_apart, linear_offsets, move_lids
from .expressions import CONTROLS
from .shapes import face_shapes
from .sliders import EFFECTS

FURTHEST_LOOK = np.array([35.0, 25.0])
"""Degrees across and up that a gaze of 1 stands for."""

TURNS = ("yaw", "pitch", "roll")

MOST_LIDS = 3.0
"""How much further than another's the lids of a face go at most; emojis' eyes open 1.6 times as far as the neutral
face's."""


@dataclass(frozen=True)
class Moves:
    """What one pose does, or with a leading axis ``T`` each frame of a motion.

    Attributes
    ----------
    controls : ``(..., K)`` weights in the order of `expressions.CONTROLS`
    gaze : ``(..., 2, 2)`` degrees by which the right and the left eye turn: azimuth to the picture's right, elevation
    head : ``(..., 3)`` degrees of yaw, pitch and roll, see `heads.turned_by`
    """

    controls: np.ndarray
    gaze: np.ndarray
    head: np.ndarray

    @classmethod
    def of(cls, amounts: np.ndarray) -> Moves:
        """Of `summed` amounts, or of what lies between some ``(..., K + 7)``; brought within what a face can do."""
        controls, gaze, head = np.split(amounts, [len(CONTROLS), len(CONTROLS) + 4], axis=-1)
        looks = np.clip(gaze.reshape(*gaze.shape[:-1], 2, 2), -1.0, 1.0)
        return cls(bounded(controls), FURTHEST_LOOK * looks, head)


def summed(pose: Mapping[str, float]) -> np.ndarray:
    """The amounts of a `sliders.Pose`, added up: controls, gaze of both eyes and head in one ``(K + 7,)``."""
    total = np.zeros(len(CONTROLS) + 7)
    for name, amount in pose.items():
        effect = EFFECTS[name]
        total[:-3] += amount * np.concatenate([effect.vector(), np.ravel(effect.gaze)])
    total[-3:] = [pose.get(turn, 0.0) for turn in TURNS]
    return total


@cache
def neutral_face() -> np.ndarray:
    """The mesh that poses are made for, ``(468, 3)`` centimetres: relaxed, lips closed; not to be changed."""
    face = face_shapes()["neutral_face_cm"].copy()
    keep_lips_apart(face)
    face.setflags(write=False)
    return face


def move_faces(faces: np.ndarray, controls: np.ndarray, rest: np.ndarray) -> None:
    """Move faces ``(..., 468, 3)``, whose own `rest` ``(468, 3)`` is relaxed, by weights ``(K,)`` or ``(..., K)``, in
    place."""
    faces += lid_heights(rest, neutral_face()) * linear_offsets(controls)
    move_lids(faces, controls)
    keep_lips_apart(faces)


def lid_heights(face: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What displacements of one relaxed face have to be multiplied by to close the eyes of another as far: ``(468,
    3)``, 1 but for the lids' height.

    That is by how much further the lids of `face` ``(468, 3)`` stand apart than those of the `other` one. Where its
    eyes are closed, they stay so.
    """
    factors = np.ones_like(face)
    for upper, lower, crease in LIDS.values():
        gaps = [one[list(upper[1:-1]), 1] - one[list(lower[1:-1]), 1] for one in (face, other)]
        wider = np.clip(gaps[0] / np.maximum(gaps[1], 1e-3), 0.0, MOST_LIDS)
        for row in (upper[1:-1], lower[1:-1], crease):
            factors[list(row), 1] = wider
    return factors

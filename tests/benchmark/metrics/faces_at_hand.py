"""Faces whose every figure is known, without a detector: the mean face in poses and expressions of one's choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from followyouremoji.benchmark.observation import Finds, Observation, SeenClip, Target
from followyouremoji.benchmark.suite import Mode
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.geometry import frustum_at_one, project
from followyouremoji.face.motion import Motion
from followyouremoji.face.shapes import face_shapes
from followyouremoji.face.topology import LEFT_EYE_LOOP, N_MESH, RIGHT_EYE_LOOP, mean_face

SIZE = 192


def poses_of(degrees: np.ndarray, distance: float = 40.0) -> np.ndarray:
    """Heads turned to the right by so many degrees (T,): (T, 4, 4)."""
    turn = np.radians(degrees)
    poses = np.tile(np.eye(4), (len(turn), 1, 1))
    poses[:, 0, 0], poses[:, 0, 2] = np.cos(turn), np.sin(turn)
    poses[:, 2, 0], poses[:, 2, 2] = -np.sin(turn), np.cos(turn)
    poses[:, 2, 3] = -distance
    return poses


def smiling(amounts: np.ndarray, face: np.ndarray | None = None) -> np.ndarray:
    """Faces (T, 468, 3) that smile so much (T,) with both corners of the mouth."""
    shapes = face_shapes()
    names = list(shapes["expression_names"])
    smile = sum(shapes["expression_shapes_cm"][names.index(f"smile_{side}")] for side in ("left", "right"))
    return (mean_face() if face is None else face) + np.asarray(amounts)[:, None, None] * smile


def landmarks_of(vertices: np.ndarray, poses: np.ndarray, gaze_cm: float = 0.0) -> np.ndarray:
    """Normalised landmarks (T, 478, 3) as a detector would give them; irises in the middle of the lids, or so many
    centimetres to the right of it."""
    irises = np.stack(
        [vertices[:, list(loop)].mean(axis=1) for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP)], axis=1
    )
    irises[..., 0] += gaze_cm
    points = np.concatenate([vertices, np.repeat(irises, 5, axis=1)], axis=1)
    seen = project(points, poses, (SIZE, SIZE)) / SIZE
    camera = points @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]
    nearness = -camera[..., 2]
    middle = nearness[:, :N_MESH].mean(axis=1, keepdims=True)
    depth = (nearness - middle) / middle / frustum_at_one((SIZE, SIZE))[0]
    return np.concatenate([seen, depth[..., None]], axis=-1).astype(np.float32)


def motion_of(landmarks: np.ndarray) -> Motion:
    times = np.arange(len(landmarks)) / 25.0
    return Motion(landmarks, times, 25.0, (SIZE, SIZE), "faces", np.ones(len(times), bool))


def pictures_of(frames: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures that move a little from frame to frame: uint8 (T, SIZE, SIZE, 3)."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    rates = np.random.default_rng(seed).uniform(0.03, 0.12, (3, 2))
    waves = [
        [127 + 80 * np.sin(a * x + 0.1 * frame) * np.cos(b * y) for a, b in rates] for frame in range(frames)
    ]
    return np.moveaxis(np.array(waves), 1, -1).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class CaseAtHand:
    """A `Known` of arrays."""

    mode: Mode
    portrait: np.ndarray
    portrait_landmarks: Landmarks
    driving: np.ndarray
    motion: Motion
    truth: np.ndarray | None = None
    truth_motion: Motion | None = None
    truth_gaze: np.ndarray | None = None


def case_at_hand(landmarks: np.ndarray, *, truth: bool = True, seed: int = 0) -> CaseAtHand:
    """A face that moves by landmarks (T, 478, 3), drives its own first frame, and is its own truth where `truth`."""
    frames, motion = pictures_of(len(landmarks), seed), motion_of(landmarks)
    portrait = Landmarks(landmarks[0], (SIZE, SIZE))
    known = {"truth": frames, "truth_motion": motion} if truth else {}
    return CaseAtHand("self" if truth else "cross", frames[0], portrait, frames, motion, **known)


def observed(case: CaseAtHand, frames: np.ndarray, landmarks: np.ndarray) -> Observation:
    """A result in which the detector finds the landmarks (T, 478, 3), and in the case's own clips the true ones."""
    target = Target(case, lambda clip: Finds(case.motion.landmarks[: len(clip)]))
    return Observation(SeenClip(frames, target.places, lambda clip: Finds(landmarks)), target)

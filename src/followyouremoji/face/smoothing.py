"""Take the detector's jitter out of landmarks over time, and leave blinks in.

A plain average over time would flatten a blink, which lasts three to eight frames. So the average is *bilateral*: a
neighbouring frame counts less the more the face part in it differs from the frame being smoothed, measured in units of
that part's own jitter. In a still eye, neighbours differ by jitter alone and are averaged away; in a closing eye they
differ by many times that, count nothing, and the lid keeps its path. Head motion is taken off first (a similarity fit
to rigid points) and smoothed on its own, so that a turning head does not keep the face parts from being smoothed.
"""

import numpy as np

from .geometry import EYE_DISTANCE_CM, similarity_transform
from .topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW_LOWER,
    LEFT_EYEBROW_UPPER,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW_LOWER,
    RIGHT_EYEBROW_UPPER,
    RIGHT_IRIS,
    mean_face,
    rigid_weights,
)

REACH_SECONDS = 0.05
"""Standard deviation of the average over time at strength 1."""

JITTER_UNITS = 1.5
"""Difference, in jitters of a part, at which a neighbouring frame's weight has fallen to exp(-1/2)."""

LARGEST_JITTER = 0.02
"""More than this share of the distance between the outer eye corners is movement, not jitter."""


def smooth_landmarks(
    landmarks: np.ndarray, frame_rate: float, size: tuple[int, int], strength: float = 1.0
) -> np.ndarray:
    """Smoothed landmarks.

    Parameters
    ----------
    landmarks : ``(T, 478, 3)`` normalised
    frame_rate : frames a second
    size : (width, height) of the pictures
    strength : length of the average, in units of `REACH_SECONDS`; 0 returns the landmarks as they are

    Returns
    -------
    ``(T, 478, 3)`` float64 normalised
    """
    if strength <= 0 or len(landmarks) < 3:
        return np.asarray(landmarks, np.float64)
    to_pixels = np.array([size[0], size[1], size[0]], np.float64)
    pixels = np.asarray(landmarks, np.float64) * to_pixels
    reach = strength * REACH_SECONDS * frame_rate

    heads = heads_of(pixels)
    still = moved(pixels, np.linalg.inv(heads))
    del pixels  # of an hour, a gigabyte
    for part in face_parts():
        still[:, part] = _bilateral(still[:, part], reach, LARGEST_JITTER * EYE_DISTANCE_CM)
    smooth = moved(still, _smoothed_heads(heads, reach))
    smooth /= to_pixels
    return smooth


def heads_of(pixels: np.ndarray) -> np.ndarray:
    """The heads of landmarks ``(T, 478, 3)``, pixels, as similarities ``(T, 4, 4)`` of a rigid face in centimetres."""
    weights = rigid_weights()
    rigid = np.flatnonzero(weights)
    # Image axes point down and away, hence the signs.
    return similarity_transform(mean_face()[rigid] * (1, -1, -1), pixels[:, rigid], weights[rigid])


def moved(points: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Points ``(T, N, 3)``, each frame's by its own transform ``(T, 4, 4)``."""
    result: np.ndarray = points @ transforms[:, :3, :3].transpose(0, 2, 1)
    result += transforms[:, None, :3, 3]
    return result


def _smoothed_heads(heads: np.ndarray, reach: float) -> np.ndarray:
    """Similarities averaged over time; the rotation is the one nearest to the averaged matrix."""
    middle = mean_face().mean(axis=0) * (1, -1, -1)
    centre = heads[:, :3, :3] @ middle + heads[:, :3, 3]
    scale = np.cbrt(np.linalg.det(heads[:, :3, :3]))
    # Rotation entries in pixels that a point at the rim of the face moves by, so that all entries compare.
    rim = 8.0 * scale.mean()
    described = np.concatenate(
        [heads[:, :3, :3].reshape(-1, 9) / scale[:, None] * rim, centre, scale[:, None]], axis=1
    )
    smooth = _bilateral(described[:, None], reach, LARGEST_JITTER * 9.0 * scale.mean())[:, 0]
    left, _, right = np.linalg.svd(smooth[:, :9].reshape(-1, 3, 3))
    result = heads.copy()
    result[:, :3, :3] = smooth[:, 12, None, None] * (left @ right)
    result[:, :3, 3] = smooth[:, 9:12] - result[:, :3, :3] @ middle
    return result


def _bilateral(values: np.ndarray, reach: float, limit: float) -> np.ndarray:
    """Average of ``(T, N, C)`` over time with weights that fall with the distance in time and in value."""
    frames = len(values)
    if frames < 3:
        return values
    # Second differences cancel steady motion; of independent noise they have sqrt(3) times the deviation of first ones.
    # The lower quartile over time is from moments at rest. The point that moves most speaks for its part.
    bend = values[2:] - 2 * values[1:-1] + values[:-2]
    jitter = float(np.quantile(_largest(bend), 0.25)) / np.sqrt(3.0)
    scale = max(JITTER_UNITS * min(jitter, limit), 1e-12)
    total = values.copy()  # a frame's own weight is 1
    weight_sum = np.ones(frames)
    furthest = min(int(np.ceil(3 * reach)), frames - 1)
    for offset in range(1, furthest + 1):
        # Two frames weigh the same for each other.
        earlier, later = values[:-offset], values[offset:]
        apart = _largest(later - earlier) / scale
        weight = np.exp(-0.5 * (offset / reach) ** 2 - 0.5 * apart**2)
        total[:-offset] += weight[:, None, None] * later
        total[offset:] += weight[:, None, None] * earlier
        weight_sum[:-offset] += weight
        weight_sum[offset:] += weight
    total /= weight_sum[:, None, None]
    return total


def _largest(differences: np.ndarray) -> np.ndarray:
    """``(T, N, C)`` to the length of the longest of the N vectors, ``(T,)``."""
    return np.sqrt(np.einsum("tnc,tnc->tn", differences, differences).max(axis=1))


def face_parts() -> list[np.ndarray]:
    """Point numbers of eyes with lids, irises, brows, mouth and the rest: each moves on its own."""
    iris = [range(first, first + 5) for first in (RIGHT_IRIS, LEFT_IRIS)]
    cores = [
        RIGHT_EYE_LOOP,
        LEFT_EYE_LOOP,
        RIGHT_EYEBROW_LOWER + RIGHT_EYEBROW_UPPER,
        LEFT_EYEBROW_LOWER + LEFT_EYEBROW_UPPER,
        INNER_LIPS_LOOP + OUTER_LIPS_LOOP,
    ]
    face = mean_face()
    # A mesh point within a centimetre of a part moves with the nearest one.
    distance = np.stack(
        [np.linalg.norm(face[:, None] - face[list(core)], axis=-1).min(axis=1) for core in cores]
    )
    owner = np.where(distance.min(axis=0) < 1.0, distance.argmin(axis=0), -1)
    rest = np.flatnonzero(owner == -1)
    return [
        *(np.flatnonzero(owner == index) for index in range(len(cores))),
        *(np.array(part) for part in iris),
        rest,
    ]

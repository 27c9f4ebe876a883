"""Where the eyes look, in degrees relative to the head: measured in one face, steadied over time, given to another.

Each eye is a ball in the metric face, its place and size given by corners and lids, and the middle of the iris lies on
it. So a direction does not depend on how far the lids are open, and means the same in an eye of another shape.

A *direction* is (azimuth, elevation) in degrees: to the right in the picture and up are positive, (0, 0) is straight
ahead of the head. The right eye comes first, as in the landmarks. The *difference* of two eyes is the right one's
direction less the left one's: positive azimuth is convergence.
"""

from dataclasses import dataclass

import numpy as np

from .detection import Landmarks
from .easing import smooth_step
from .geometry import MetricFaces, frustum_at_one
from .motion import Motion
from .settings import ConjugateGaze
from .topology import (
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    N_MESH,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)

UPPER_LIDS = np.array([RIGHT_EYE_UPPER, LEFT_EYE_UPPER])
LOWER_LIDS = np.array([RIGHT_EYE_LOWER, LEFT_EYE_LOWER])
"""``(2, 9)`` points from the outer to the inner corner, right eye first."""
MIDDLE = 4  # of a lid's nine points

RADIUS = 0.37
"""From an eye's centre of rotation to the middle of its iris, in widths of the eye: the pupil is seen 3 mm behind the
cornea's front, that is 13.5 mm in front of the centre of rotation, and the lids' corners are 28 mm apart in adults."""
BULGE = 0.17
"""How far the lids stand out in front of their corners, in widths of the eye: measured on seven filmed people, 0.16 to
0.18."""
USUAL_HEIGHT = 0.05
"""Height of the open lids' middle over the line between the corners, in widths of the eye: the mean of seven people."""
FURTHEST = 70.0
"""Degrees; more than an eye can turn (about 50), so that only what a strength exaggerates is bounded."""

USUAL_OPENING = (0.25, 0.45)
"""What a person's usual opening, the distance of the lids over the eye's width, may be: 0.27 to 0.46 on seven
people."""
NOT_TRUSTED, TRUSTED = 0.40, 0.55
"""Shares of the usual opening. In 40 blinks of seven people pupils fall by 14 to 17 degrees below 0.45, and stay within
2 degrees, in the median, above 0.5."""
EASE_SECONDS = 0.15
"""In which a direction that was held while the eyes were closed goes to the one they open with."""

STEADY_SECONDS = 0.4
"""Of the running median of the eyes' difference. Vergence takes as long (0.3 to 0.5 s a movement); saccades, far
quicker, turn both eyes alike (Hering's law), so what differs for a shorter time is the tracking's."""
DISBELIEF = 6.0
"""Degrees from the running median of both eyes' direction at which one eye's word on it counts half as much."""
PLAUSIBLE_APART = (3.0, 6.0)
"""Degrees by which two eyes may leave their steady difference, and at which they are wholly brought back: in saccades
eyes part by up to 3 degrees."""
ANATOMY = np.array([20.0, 8.0])
"""Degrees of difference, across and upwards, that may be how a person's eyes are built and seen: at rest it is -9 to 19
and -4 to 3 on seven people who look into the camera, whose eyes converge by 6 to 9. Manifest strabismus begins at 6 and
crossed eyes differ by 30 to 45: what is more than twice these is wholly an expression."""
MEANT = (10.0, 20.0)
"""Degrees by which eyes turn in, or out, more than usual: up to the first it counts as tracking error, from the second
on it is meant. From a screen to infinity it is 6, and the eyes of people who cross them differ by 30 to 45."""
ASIDE = 20.0
"""Degrees that both eyes look to one side at which `MEANT` is twice as much: there their tracking differs by up to 22
degrees more than usual for as long as the glance lasts."""
LARGEST_MEANT = 50.0
"""Degrees; of convergence to the near point, 5 cm in front of the eyes."""
VERTICAL = 3.0
"""Degrees by which eyes can look at different heights; nobody can do more at will."""


@dataclass(frozen=True)
class Gaze:
    """Where two eyes look.

    Attributes
    ----------
    directions : ``(T, 2, 2)`` degrees
    trust : ``(T, 2)`` in [0, 1]: 0 where the lids are so nearly closed that the pupil is uncertain
    """

    directions: np.ndarray
    trust: np.ndarray


@dataclass(frozen=True)
class Eyes:
    """What stays of a person's eyes while they look about.

    Attributes
    ----------
    heights : ``(2,)`` of the eyeballs' centres over the line between the corners, in widths of the eye
    opening : ``(2,)`` how far the lids are usually apart, in widths of the eye
    """

    heights: np.ndarray
    opening: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray) -> "Eyes":
        """From frames ``(T, 468, 3)`` of one person: an eyeball is as high as the middle of its lids while they are
        open, or, where they hardly ever are, as on average."""
        opening = eye_openings(vertices)
        usual = np.percentile(opening, 75, axis=0)
        width, corners = _corners(vertices)
        lids = 0.5 * (vertices[:, UPPER_LIDS[:, MIDDLE], 1] + vertices[:, LOWER_LIDS[:, MIDDLE], 1])
        above = (lids - corners[..., 1]) / width
        heights = [np.median(above[opening[:, eye] >= TRUSTED * usual[eye], eye]) for eye in (0, 1)]
        share = np.interp(usual, (NOT_TRUSTED * USUAL_OPENING[0], USUAL_OPENING[0]), (0.0, 1.0))
        return cls(USUAL_HEIGHT + share * (np.array(heights) - USUAL_HEIGHT), np.clip(usual, *USUAL_OPENING))

    def balls(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centres ``(T, 2, 3)`` and radii ``(T, 2)`` in the faces' canonical space: they go with the corners."""
        width, corners = _corners(vertices)
        offset = np.zeros((2, 3))
        offset[:, 1], offset[:, 2] = self.heights, BULGE - RADIUS
        return corners + width[..., None] * offset, RADIUS * width


def eye_openings(vertices: np.ndarray) -> np.ndarray:
    """Distance of the middles of the lids over the width of the eye, ``(T, 2)``, of faces ``(T, N, 3)`` or their points
    ``(T, N, 2)`` in a picture."""
    gap = vertices[:, UPPER_LIDS[:, MIDDLE]] - vertices[:, LOWER_LIDS[:, MIDDLE]]
    return np.linalg.norm(gap, axis=-1) / _corners(vertices)[0]


def measure_gaze(landmarks: np.ndarray, faces: MetricFaces, size: tuple[int, int], eyes: Eyes) -> Gaze:
    """Where the eyes of landmarks ``(T, 478, 3)``, whose metric faces are known, look."""
    origin, rays = _rays(landmarks, faces, size)
    centres, radii = eyes.balls(faces.vertices)
    # Where each iris's ray meets its ball first; or comes nearest to it.
    ray = rays[:, [0, 5]] / np.linalg.norm(rays[:, [0, 5]], axis=-1, keepdims=True)
    start = origin[:, None] - centres
    along = np.einsum("tec,tec->te", start, ray)
    inside = along**2 - np.einsum("tec,tec->te", start, start) + radii**2
    place = start - (along + np.sqrt(np.maximum(inside, 0.0)))[..., None] * ray
    place /= np.maximum(np.linalg.norm(place, axis=-1, keepdims=True), 1e-9)
    azimuth = np.arctan2(place[..., 0], place[..., 2])
    directions = np.degrees(np.stack([azimuth, np.arcsin(np.clip(place[..., 1], -1.0, 1.0))], axis=-1))
    trust = np.interp(eye_openings(faces.vertices) / eyes.opening, (NOT_TRUSTED, TRUSTED), (0.0, 1.0))
    return Gaze(directions, trust)


def steady_gaze(gaze: Gaze, frame_rate: float, conjugate: ConjugateGaze = "auto") -> np.ndarray:
    """Directions ``(T, 2, 2)`` of one person's eyes without what is the tracking's.

    An eye that is nearly closed looks where the other one does; while both are, the last direction is held, and goes
    over to the next one shortly before they open.

    Parameters
    ----------
    conjugate : `on` turns both eyes by one direction, their mean, and keeps their steady difference (vergence, or a
        squint); `auto` does so only as far as they leave it by more than is plausible; `off` never does
    """
    directions, trust = gaze.directions, gaze.trust
    between = directions[:, 0] - directions[:, 1]
    difference = _steady_difference(directions, trust.min(axis=1) >= 1.0, frame_rate)
    # Each eye's word on the direction of both.
    words = directions - 0.5 * np.stack([difference, -difference], axis=1)
    wild = words - _running_median(words.mean(axis=1), frame_rate)[:, None]
    weights = (trust + 1e-6) / (1.0 + (wild**2).sum(axis=-1) / DISBELIEF**2)
    mean = np.einsum("te,tec->tc", weights / weights.sum(axis=1, keepdims=True), words)
    together = directions - words + mean[:, None]

    apart = np.linalg.norm(between - difference, axis=-1)
    share = {"on": 1.0, "auto": np.interp(apart, PLAUSIBLE_APART, (0.0, 1.0))[:, None, None], "off": 0.0}[
        conjugate
    ]
    looking = directions + share * (together - directions)
    looking = together + trust[..., None] * (looking - together)
    seen = trust.max(axis=1)
    held = _held(looking, np.flatnonzero(seen >= 1.0), frame_rate)
    return held + seen[:, None, None] * (looking - held)


def usual_difference(gaze: Gaze) -> np.ndarray:
    """How the eyes of one person differ when nothing is meant by it, ``(2,)`` degrees, from all frames of a clip.

    It is the median, as far as that may be anatomy (`ANATOMY`): it belongs to the person, and the portrait has its own.
    """
    seen = gaze.trust.min(axis=1) >= 1.0
    if not seen.any():
        return np.zeros(2)
    median = np.median(gaze.directions[seen, 0] - gaze.directions[seen, 1], axis=0)
    size = np.abs(median)
    return np.sign(median) * np.clip(np.minimum(size, 2 * ANATOMY - size), 0.0, None)


@dataclass(frozen=True)
class DrivingGaze:
    """Where a driver looks: steadied `directions` ``(T, 2, 2)``, the `usual` difference of the eyes ``(T, 2)``, and
    where they look at a known `rest` ``(2, 2)``; degrees."""

    directions: np.ndarray
    usual: np.ndarray
    rest: np.ndarray | None = None


def driving_gaze(
    motion: Motion,
    faces: MetricFaces,
    conjugate: ConjugateGaze = "auto",
    people: np.ndarray | None = None,
    rest: MetricFaces | None = None,
) -> DrivingGaze:
    """The gaze of a motion whose metric faces are known; see `steady_gaze`.

    `people` ``(T,)`` numbers who is seen in each frame; None is one person throughout. `rest` is the one face of
    `Motion.rest`, where that counts: it tells the eyes' places, and with `auto` directions are taken as they are, for
    such a motion was made and not tracked.
    """
    if rest is not None and motion.rest is not None:
        eyes = Eyes.of(rest.vertices)
        ahead = measure_gaze(motion.rest[None], rest, motion.size, eyes)
        measured = measure_gaze(motion.landmarks, faces, motion.size, eyes)
        directions = measured.directions
        if conjugate != "auto":
            directions = steady_gaze(measured, motion.frame_rate, conjugate)
        return DrivingGaze(directions, np.zeros((len(motion), 2)), ahead.directions[0])
    numbers = np.zeros(len(motion), int) if people is None else people
    gaze = DrivingGaze(np.empty((len(motion), 2, 2)), np.empty((len(motion), 2)))
    for number in np.unique(numbers):
        frames = np.flatnonzero(numbers == number)
        seen = MetricFaces(faces.vertices[frames], faces.poses[frames])
        measured = measure_gaze(motion.landmarks[frames], seen, motion.size, Eyes.of(seen.vertices))
        gaze.directions[frames] = steady_gaze(measured, motion.frame_rate, conjugate)
        gaze.usual[frames] = usual_difference(measured)
    return gaze


@dataclass(frozen=True)
class PortraitEyes:
    """A portrait's eyes, which can be turned.

    Attributes
    ----------
    eyes : what stays of them
    directions : ``(2, 2)`` degrees, where they look in the picture; straight ahead where they are closed
    usual : ``(2,)`` degrees, their usual difference
    rims : ``(10, 3)`` centimetres, the five points of each iris less its middle
    """

    eyes: Eyes
    directions: np.ndarray
    usual: np.ndarray
    rims: np.ndarray

    @classmethod
    def of(cls, reference: Landmarks, face: MetricFaces, relaxed: np.ndarray) -> "PortraitEyes":
        """From the portrait's landmarks, its one metric face, and the same ``(468, 3)`` with its eyes open."""
        eyes = Eyes.of(relaxed[None])
        gaze = measure_gaze(reference.normalised[None], face, reference.size, eyes)
        origin, rays = _rays(reference.normalised[None], face, reference.size)
        centres, radii = eyes.balls(face.vertices)
        depth = np.repeat(centres[0, :, 2] + radii[0] * _looks(gaze.directions[0])[:, 2], 5)
        irises = origin[0] + ((depth - origin[0, 2]) / rays[0, :, 2])[:, None] * rays[0]
        rims = irises - np.repeat(irises[[0, 5]], 5, axis=0)
        return cls(eyes, gaze.trust[0][:, None] * gaze.directions[0], usual_difference(gaze), rims)

    def following(self, driving: DrivingGaze, strength: float = 1.0) -> np.ndarray:
        """Directions ``(T, 2, 2)`` in which the portrait looks.

        The mean direction of both eyes is the driver's; their difference departs from the portrait's usual one as the
        driver's does from the driver's. From a known rest, each eye turns from where it looks itself as far as the
        driver's. A `strength` of 0 keeps the portrait's own gaze.
        """
        if driving.rest is not None:
            return self.directions + strength * (driving.directions - driving.rest)
        change = 0.5 * (self.usual - driving.usual)
        target = driving.directions + np.stack([change, -change], axis=1)
        return self.directions + strength * (target - self.directions)

    def pupils(self, vertices: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """The middles of the irises of the same, wherever the lids are: ``(T, 2, 3)``."""
        centres, radii = self.eyes.balls(vertices)
        pupils: np.ndarray = centres + radii[..., None] * _looks(np.clip(directions, -FURTHEST, FURTHEST))
        return pupils

    def irises(self, vertices: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """The irises of the portrait as faces ``(T, 468, 3)`` that look in directions ``(T, 2, 2)``: ``(T, 10, 3)`` in
        canonical space.

        The middle of an iris stays between the lids: in a closed eye it lies on them.
        """
        irises = self.pupils(vertices, directions)
        upper, lower = (_height_at(vertices[:, lids], irises[..., 0]) for lids in (UPPER_LIDS, LOWER_LIDS))
        middle, half = 0.5 * (upper + lower), 0.5 * np.maximum(upper - lower, 0.0)
        irises[..., 1] = np.clip(irises[..., 1], middle - half, middle + half)
        return np.repeat(irises, 5, axis=1) + self.rims


def _steady_difference(directions: np.ndarray, seen: np.ndarray, frame_rate: float) -> np.ndarray:
    """The usual difference of eyes ``(T, 2, 2)``, or another that lasts (a running median) and that eyes can do and
    mean, ``(T, 2)``; where it is not seen, between its neighbours."""
    frames = np.flatnonzero(seen)
    if len(frames) == 0:
        return np.zeros((len(directions), 2))
    times = np.arange(len(directions))
    values = np.concatenate([directions[:, 0] - directions[:, 1], directions[..., 0]], axis=1)
    filled = np.stack([np.interp(times, frames, column) for column in values[frames].T], axis=1)
    usual = np.median(values[frames, :2], axis=0)
    lasting = _running_median(filled, frame_rate)
    (across, upwards), (right, left) = (lasting[:, :2] - usual).T, lasting[:, 2:].T
    aside = np.where(right * left > 0, np.minimum(np.abs(right), np.abs(left)), 0.0)
    meant = np.interp(np.abs(across) / (1.0 + aside / ASIDE), MEANT, (0.0, 1.0))
    across = meant * np.clip(across, -LARGEST_MEANT, LARGEST_MEANT)
    return usual + np.stack([across, np.clip(upwards, -VERTICAL, VERTICAL)], axis=1)


def _running_median(values: np.ndarray, frame_rate: float) -> np.ndarray:
    """Of ``(T, C)`` over `STEADY_SECONDS`."""
    reach = min(max(1, round(0.5 * STEADY_SECONDS * frame_rate)), len(values))
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect" if len(values) > reach else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    median: np.ndarray = np.median(windows, axis=-1)
    return median


def _held(values: np.ndarray, known: np.ndarray, frame_rate: float) -> np.ndarray:
    """Values ``(T, ...)`` at the `known` frames; between two of them the first, which goes over to the second in the
    last `EASE_SECONDS`. Zeros where nothing is known."""
    if len(known) == 0:
        return np.zeros_like(values)
    times = np.arange(len(values))
    after = np.searchsorted(known, times)
    last, following = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
    start = np.maximum(last, following - EASE_SECONDS * frame_rate)
    share = smooth_step((times - start) / np.maximum(following - start, 1e-9)).reshape(
        -1, *[1] * (values.ndim - 1)
    )
    return values[last] + share * (values[following] - values[last])


def _corners(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Widths of the eyes ``(T, 2)``, and the middles between their corners ``(T, 2, 3)``."""
    outer, inner = vertices[:, UPPER_LIDS[:, 0]], vertices[:, UPPER_LIDS[:, -1]]
    return np.maximum(np.linalg.norm(outer - inner, axis=-1), 1e-9), 0.5 * (outer + inner)


def _looks(directions: np.ndarray) -> np.ndarray:
    """Unit vectors ``(..., 3)`` in canonical space of directions ``(..., 2)``."""
    azimuth, elevation = np.moveaxis(np.radians(directions), -1, 0)
    level = np.cos(elevation)
    return np.stack([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)], axis=-1)


def _height_at(lids: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Height ``(T, 2)`` of lids ``(T, 2, 9, 3)`` at places ``(T, 2)`` across."""
    across, height = lids[..., 0], lids[..., 1]
    side = np.array([1.0, -1.0])[:, None]  # the left eye's outer corner is on the right
    passed = (side * across[..., 1:-1] < side * x[..., None]).sum(axis=-1, keepdims=True)
    (x0, x1), (y0, y1) = (
        [np.take_along_axis(values, passed + step, axis=-1)[..., 0] for step in (0, 1)]
        for values in (across, height)
    )
    span = np.where(np.abs(x1 - x0) > 1e-9, x1 - x0, 1.0)
    return y0 + np.clip((x - x0) / span, 0.0, 1.0) * (y1 - y0)


def _rays(landmarks: np.ndarray, faces: MetricFaces, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The camera ``(T, 3)`` and the rays ``(T, 10, 3)`` from it through the irises, in the faces' canonical space."""
    wide, high = frustum_at_one(size)
    irises = np.asarray(landmarks[:, N_MESH:, :2], np.float64)
    seen = np.stack(
        [(irises[..., 0] - 0.5) * wide, (0.5 - irises[..., 1]) * high, -np.ones(irises.shape[:2])], -1
    )
    back = np.linalg.inv(faces.poses[:, :3, :3])
    return -np.einsum("tij,tj->ti", back, faces.poses[:, :3, 3]), seen @ back.transpose(0, 2, 1)

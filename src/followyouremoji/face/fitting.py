"""All 478 landmarks of a face from a few points of it that were placed by hand.

The metric face of `geometry` is fitted to the points: a pose, and a shape that is the neutral face plus what is
Gaussian: identity and expression shapes (`shapes`), and a smooth remainder, mostly the same on both sides, for
proportions that no human face has. So shape and places in the picture are jointly Gaussian, for a pose, and the most
probable face is found by Gauss-Newton steps in the dual, of which each solves for as many unknowns as there are
coordinates.

Two things are found on the way, both by predicting each point from all others. *How unlike a human face this one is*:
the remainder is as strong as makes the predictions as good as they claim to be. *Which points are misplaced*: the
further a point lies from its prediction, in standard deviations, the less it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import PointsError
from .detection import Landmarks
from .fitting_prior import EYES, Prior, kernel
from .geometry import EYE_DISTANCE_CM, frustum_at_one
from .lids import uncrossed
from .placed_points import POINTS, Place, PlacedPoints
from .shapes import face_shapes

YAWS = (-75.0, -40.0, 0.0, 40.0, 75.0)
"""Degrees of the heads from which the fit begins; the best is kept."""

FIRST_STEPS, MOST_STEPS = 4, 30
"""Steps from each of these heads, and at most from the best."""

FURTHEST_STEP = 0.5
"""Radians that a head turns in a step at most, and share of its distance that it moves."""

SETTLED = 1e-3
"""A step, in centimetres and radians, after which the fit ends."""

CAMERA_ASIDE = 0.2
"""Standard deviation of the sine of an angle from which a head is seen."""

DISTANCE = 0.1
"""Standard deviation of the logarithm of a face's size: strange proportions could be those of a small face near by."""

STRENGTHS = (0.1, 2.0)
"""Least and largest strength of the remainder: a person's face, and one unlike any."""

MOST, USUAL_SURPRISE = 0.75, 2.77
"""A share of the points, and the square of what they deviate at most, in standard deviations in two dimensions, where
they are normally distributed."""

DOUBTED = 4.0
"""Standard deviations from where the others put a point, from which on it is taken for misplaced."""

LARGEST_MESH = 5.0
"""How many times as large as the box around the points the mesh is at most; of a face it is some two times as large."""

NO_WEIGHT = 30.0
"""How many times as surprising as a misplaced point all others are, that they count the same next to nothing."""

TAKEN_UP_CM, TAKEN_UP_REACH_CM, LEFT_OVER_CM = 0.4, 1.5, 0.05
"""What remains in the picture's plane: its standard deviation and reach, and what of it is not taken up."""

IRIS = 0.2
"""Radius of an iris over the width of the eye: 11.7 mm across in an eye of 29 mm."""


@dataclass(frozen=True)
class Fitted:
    """A face fitted to points.

    Attributes
    ----------
    landmarks : of the face
    residuals : by name how far a point is from where the landmarks have it, in eye distances
    doubted : names of the points that were taken for misplaced, since all others speak against them
    """

    landmarks: Landmarks
    residuals: Mapping[str, float]
    doubted: tuple[str, ...]


def fit_face(points: Mapping[str, Sequence[float]], size: tuple[int, int]) -> Fitted:
    """The face whose named points lie at some places.

    Parameters
    ----------
    points : pixels (x, y) by names of `placed_points.POINTS`; what is missing, as behind a profile, is inferred
    size : (width, height) of the picture

    Raises SettingsError for points that make no face, see `PlacedPoints`, and PointsError where no face is like them.
    """
    placed = PlacedPoints(
        picture=size, points={name: (float(x), float(y)) for name, (x, y) in points.items()}
    ).points
    prior = Prior.of(tuple(placed))
    focal = size[1] / frustum_at_one(size)[1]
    seen = (np.array([*placed.values()]) - np.divide(size, 2)) * (1, -1) / focal
    fits = [_Fit(prior, seen, yaw) for yaw in YAWS]
    for fit in fits:
        for _ in range(FIRST_STEPS):
            fit.step()
    best = min(fits, key=lambda fit: fit.cost)
    for _ in range(MOST_STEPS):
        if best.step() < SETTLED:
            break
    return _fitted(best, placed, size)


class _Fit:
    """A face on the way to its points."""

    def __init__(self, prior: Prior, seen: np.ndarray, yaw: float) -> None:
        self.prior, self.seen = prior, seen
        self.shape = prior.mean  # (n, 3) canonical centimetres
        self.weights = np.ones(len(seen))
        self.strength = 0.5
        self.cost = np.inf
        turn = np.radians(yaw)
        rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        # The similarity in the plane that takes the turned head to the points, as complex numbers.
        flat = (prior.mean @ rotation.T)[:, :2] @ (1, 1j)
        goal = seen @ (1, 1j)
        flat_middle, goal_middle = flat.mean(), goal.mean()
        flat = flat - flat_middle
        similarity = np.vdot(flat, goal - goal_middle) / np.vdot(flat, flat).real
        distance = 1 / abs(similarity)
        roll = similarity * distance
        about = np.array([[roll.real, -roll.imag, 0], [roll.imag, roll.real, 0], [0, 0, 1]])
        self.rotation = about @ rotation
        place = goal_middle * distance - roll * flat_middle
        self.place = np.array([place.real, place.imag, -distance])
        self.distance = distance  # that a face of ordinary size has, centimetres

    def step(self) -> float:
        """Go to the most probable face as it looks from here; returns how far that was."""
        prior, n = self.prior, len(self.seen)
        camera = self.shape @ self.rotation.T
        turned = camera.copy()
        camera = camera + self.place
        distance = -camera[:, 2]
        plane = camera[:, :2] / distance[:, None]
        off = (self.seen - plane) * distance[:, None]  # (n, 2) centimetres at the face
        looks = np.zeros((n, 2, 3))
        looks[:, 0, 0] = looks[:, 1, 1] = 1
        looks[:, :, 2] = plane
        by_shape = looks @ self.rotation  # (n, 2, 3)
        by_turn = np.cross(turned[:, None], looks)  # d(w x v).l = w.(v x l)
        by_pose = np.concatenate([by_turn, looks], axis=2).reshape(2 * n, 6)

        wanted = (off + np.einsum("nij,nj->ni", by_shape, self.shape - prior.mean)).reshape(-1)
        varying = prior.varying(self.strength)
        half = (by_shape @ varying.reshape(n, 3, 3 * n)).reshape(2 * n, n, 3)
        spread = (
            (half.transpose(1, 0, 2) @ by_shape.transpose(0, 2, 1)).transpose(1, 0, 2).reshape(2 * n, 2 * n)
        )
        noise = np.repeat(prior.noise**2 / self.weights, 2)
        spread[np.diag_indices(2 * n)] += noise
        inverse = np.linalg.inv(spread)
        held = inverse @ by_pose
        expected, lacking = self._expected_pose()
        normal = np.linalg.inv(by_pose.T @ held + expected.T @ expected)
        step = normal @ (held.T @ wanted + expected.T @ lacking)
        step *= min(1.0, FURTHEST_STEP / max(np.abs(step / np.repeat([1.0, distance.min()], 3)).max(), 1e-9))
        projected = inverse - held @ normal @ held.T
        pull = inverse @ (wanted - by_pose @ step)

        self._weigh(projected, pull)
        self.pull = np.einsum("nij,ni->nj", by_shape, pull.reshape(n, 2))
        before = self.shape
        self.shape = prior.mean + (varying @ self.pull.reshape(-1)).reshape(n, 3)
        self.rotation = _turn(step[:3]) @ self.rotation
        self.place = self.place + step[3:]
        self.place[2] = min(self.place[2], -0.1 * self.distance)  # before the camera
        return float(max(np.abs(step).max(), np.abs(self.shape - before).max()))

    def _expected_pose(self) -> tuple[np.ndarray, np.ndarray]:
        """How a turn and a shift change what is expected of the pose (3, 6), and what is lacking (3,), both in standard
        deviations."""
        expected, known = np.zeros((3, 6)), ~np.isnan(self.prior.camera)
        # A turn w changes the rotation's last row, which is the direction to the camera, by the z of w x its columns.
        expected[:2, :2] = np.stack([self.rotation[1, :2], -self.rotation[0, :2]], axis=1) / CAMERA_ASIDE
        expected[:2][~known] = 0.0
        expected[2, 5] = 1.0 / (self.place[2] * DISTANCE)
        aside = np.where(known, self.prior.camera - self.rotation[2, :2], 0.0) / CAMERA_ASIDE
        return expected, np.append(aside, np.log(self.distance / -self.place[2]) / DISTANCE)

    def _weigh(self, projected: np.ndarray, pull: np.ndarray) -> None:
        """Predict each point from all others, and set by its surprise how much it counts, and the remainder's strength;
        `projected` (2n, 2n) is the inverse of the points' spread where the pose is free, and `pull` that of what they
        deviate."""
        n = len(self.seen)
        own = np.linalg.inv(projected.reshape(n, 2, n, 2)[np.arange(n), :, np.arange(n)])  # (n, 2, 2)
        apart = np.einsum("nij,nj->ni", own, pull.reshape(n, 2))
        own = own - (self.prior.noise**2 * (1 / self.weights - 1))[:, None, None] * np.eye(2)
        surprise = np.einsum("ni,nij,nj->n", apart, np.linalg.inv(own), apart)
        self.surprise = np.maximum(surprise, 0.0)
        self.weights = 1 / (1 + np.minimum(self.surprise / DOUBTED**2, NO_WEIGHT)) ** 2
        self.strength = float(
            np.clip(self.strength * np.sqrt(np.quantile(self.surprise, MOST) / USUAL_SURPRISE), *STRENGTHS)
        )
        self.cost = float(np.log1p(self.surprise / DOUBTED**2).sum() + 2 * n * np.log(self.strength))

    @property
    def trusted(self) -> np.ndarray:
        """(n,) which points are not taken for misplaced."""
        trusted: np.ndarray = self.surprise < DOUBTED**2
        return trusted

    @property
    def mesh(self) -> np.ndarray:
        """(468, 3) the face in canonical space, centimetres."""
        return self.prior.mesh(self.pull, self.strength)


def _fitted(fit: _Fit, placed: Mapping[str, Place], size: tuple[int, int]) -> Fitted:
    """The landmarks of a fit that has ended."""
    wide, high = frustum_at_one(size)
    mesh = fit.mesh
    camera = mesh @ fit.rotation.T + fit.place
    distance = -camera[:, 2]
    middle = float(distance.mean())
    scale = size[1] / high / middle  # pixels a centimetre, about
    points = camera[:, :2] / distance[:, None] * (1, -1) * size[1] / high + np.divide(size, 2)
    places = np.array([*placed.values()])
    on_mesh = np.array(["pupil" not in name for name in placed])
    kept = on_mesh & fit.trusted
    points += _taken_up(fit.prior, kept, places - fit.prior.middles @ points)
    if not (
        np.ptp(points, axis=0).max() < LARGEST_MESH * np.ptp(places, axis=0).max() and distance.min() > 0
    ):
        raise PointsError(
            "no face has points in these places: put each in the place that its name says, and leave out what cannot be seen",
            settings=("points",),
        )
    points = uncrossed(points[None])[0]
    depth = (distance / middle - 1.0) / wide

    irises, depths = [], []
    at = {name: place for name, place, good in zip(placed, places, fit.trusted, strict=True) if good}
    looks = [at[name] - _centre(points[list(loop)]) for name, loop, _ in EYES if name in at]
    for name, loop, (outer, inner) in EYES:
        centre = at.get(name, _centre(points[list(loop)]) + (looks[0] if looks else 0.0))
        radius = IRIS * scale * np.linalg.norm(mesh[outer] - mesh[inner])
        irises.append(centre + radius * _RIM @ (fit.rotation[:2, :2].T * (1, -1)))
        depths.append(np.full(len(_RIM), depth[list(loop)].mean()))
    normalised = np.column_stack(
        [np.concatenate([points, *irises]) / size, np.concatenate([depth, *depths])]
    ).astype(np.float32)

    found = normalised[:, :2] * size
    unit = scale * EYE_DISTANCE_CM
    residuals = {
        name: float(np.linalg.norm(found[list(POINTS[name].landmarks)].mean(axis=0) - place)) / unit
        for name, place in zip(placed, places, strict=True)
    }
    doubted = tuple(name for name, good in zip(placed, fit.trusted, strict=True) if not good)
    return Fitted(Landmarks(normalised, size), residuals, doubted)


_RIM = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]], np.float64)


def _taken_up(prior: Prior, kept: np.ndarray, left: np.ndarray) -> np.ndarray:
    """By how much the mesh (468, 2) moves in the picture's plane to take up what is `left` (n, 2) of the `kept` points
    (n,)."""
    at = prior.mean[kept]
    own = kernel(at, at, TAKEN_UP_REACH_CM) + (LEFT_OVER_CM / TAKEN_UP_CM) ** 2 * np.eye(len(at))
    near = kernel(face_shapes()["neutral_face_cm"], at, TAKEN_UP_REACH_CM)
    moved: np.ndarray = near @ np.linalg.solve(own, left[kept])
    return moved


def _centre(points: np.ndarray) -> np.ndarray:
    """Of the box around points (n, 2)."""
    centre: np.ndarray = (points.min(axis=0) + points.max(axis=0)) / 2
    return centre


def _turn(axis: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) about an axis (3,), by its length in radians."""
    rotation: np.ndarray = cv2.Rodrigues(axis)[0]
    return rotation

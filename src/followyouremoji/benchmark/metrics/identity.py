"""Whether a picture still shows the same person, by its appearance: a descriptor of colour and gradient statistics, not
a face-recognition network. ArcFace's figures, those of the papers, are in `metrics.networks`.

The face and its surroundings are flattened by the mesh, so that pose and expression hardly matter; each patch of the
flat face gives its mean colour in Lab and a histogram of gradient orientations (Dalal and Triggs 2005). Each of these
numbers is centred and scaled by its variation within one identity, measured on drawn identities that are in no suite
and in no training: numbers that change with the expression have little weight. Similarity is the cosine of two such
descriptors.

It distinguishes drawn identities (`separation` measures how well) and notices a changed skin, hair or marking. It
cannot recognise a person in two photographs, and its figures cannot be compared with those of ArcFace.

`data/appearance.npz` is `measured_scale(256)`, so that the metric is the same everywhere and needs no drawing;
`python benchmarks/metrics.py --appearance-scale` makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from followyouremoji.arrays import read_arrays
from followyouremoji.benchmark.metrics.metric import Measured, Metric
from followyouremoji.benchmark.metrics.pictures import mean_of_known
from followyouremoji.benchmark.warps import FACE_TRIANGLES, Covering, cover, ring_strip
from followyouremoji.face.topology import (
    FACE_OVAL_LOOP,
    LEFT_EYE_CORNERS,
    LEFT_IRIS,
    N_LANDMARKS,
    RIGHT_EYE_CORNERS,
    RIGHT_IRIS,
    mean_face,
)
from followyouremoji.files import write_arrays
from followyouremoji.portraits import STYLES, Performance, random_identity

if TYPE_CHECKING:
    from followyouremoji.benchmark.observation import Observation

LAYOUT = 96  # pixels a side of the flat face
PATCHES = 8  # a side
ORIENTATIONS = 8
HAIR = 1.45  # how far what is looked at reaches beyond the face's oval, from its centre
OWN_SEED = 970_000  # of the identities that the scales are measured on
IDENTITIES, PICTURES = 24, 4

METRICS = (
    Metric("appearance", "appearance", "more", 4,
           "Cosine of colour and gradient statistics of the flattened face with those of the true frame (cross without truth: of the portrait); not ArcFace.",
           sees=("another identity", "colour shift", "slow drift")),
    Metric("appearance_drift", "appearance drift", "less", 4,
           "By how much the appearance is less in the last third of the frames than in the first.", sees=("slow drift",)),
)  # fmt: skip

_OVAL = np.array(FACE_OVAL_LOOP)
_AROUND = N_LANDMARKS + np.arange(len(_OVAL))
_TRIANGLES = np.concatenate([ring_strip(_OVAL, _AROUND), FACE_TRIANGLES])


@dataclass(frozen=True)
class IdentityScale:
    """The middle of the descriptors and how much each number varies within an identity, both (n,)."""

    mean: np.ndarray
    spread: np.ndarray

    def similarity(self, first: np.ndarray, second: np.ndarray) -> float:
        """Cosine of two descriptors (n,), -1 to 1; NaN where one is."""
        a, b = (first - self.mean) / self.spread, (second - self.mean) / self.spread
        # Sums, not products of vectors: BLAS adds in an order that depends on where in memory these lie.
        return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-12))

    def save(self, path: Path) -> None:
        write_arrays(path, {"mean": self.mean, "spread": self.spread})


def with_surroundings(points: np.ndarray) -> np.ndarray:
    """Points (478, 2) and a ring around the face's oval, (514, 2)."""
    oval = points[_OVAL].astype(np.float64)
    centre = oval.mean(axis=0)
    return np.concatenate([points[:N_LANDMARKS], centre + HAIR * (oval - centre)])


@cache
def _flat_face() -> Covering:
    """The mean face seen from the front, with its surroundings, filling the layout."""
    mesh = mean_face()[:, :2] * (1.0, -1.0)
    irises = np.zeros((10, 2))
    for first, corners in ((RIGHT_IRIS, RIGHT_EYE_CORNERS), (LEFT_IRIS, LEFT_EYE_CORNERS)):
        irises[first - 468 : first - 463] = mesh[list(corners)].mean(axis=0)
    points = with_surroundings(np.concatenate([mesh, irises]))
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    return cover((points - low) / extent * LAYOUT, _TRIANGLES, (LAYOUT, LAYOUT))


def flat_face(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face of a picture, uint8 (h, w, 3), with landmarks (478, 2), laid out flat: uint8 (96, 96, 3), black where
    nothing is."""
    vertices, weights, covered = _flat_layout()
    places = with_surroundings(points).T.astype(np.float32) - np.float32(
        0.5
    )  # OpenCV counts from pixel centres
    x, y = (
        np.add.reduce([weight * axis[vertex] for vertex, weight in zip(vertices, weights, strict=True)])
        for axis in places
    )
    flat = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    flat[~covered] = 0
    return flat


@cache
def _flat_layout() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pixel of the flat face its three vertices and their weights, both (3, 96, 96), and whether it is of the
    face, bool (96, 96)."""
    covering = _flat_face()
    vertices, weights = (
        np.ascontiguousarray(np.moveaxis(one, -1, 0)) for one in (covering.vertices, covering.weights)
    )
    return vertices, weights.astype(np.float32), covering.weights.sum(axis=-1) > 0


@cache
def _whole_patches() -> np.ndarray:
    """Which of the patches the face covers by more than half, bool (64,)."""
    side = LAYOUT // PATCHES
    covered = _flat_layout()[2].reshape(PATCHES, side, PATCHES, side)
    whole: np.ndarray = covered.mean(axis=(1, 3)).ravel() > 0.5
    return whole


def describe(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The descriptor of a face, (n,): for each patch of the flat face its mean Lab colour and its gradients'
    orientations.

    NaN throughout where `points` are not finite.
    """
    whole = _whole_patches()
    if not np.isfinite(points).all():
        return np.full(int(whole.sum()) * (3 + ORIENTATIONS), np.nan)
    lab = cv2.cvtColor(flat_face(picture, points).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    smooth = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    along, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    # Not cv2.magnitude, whose last bit depends on where in memory the arrays lie.
    strength = np.sqrt(along * along + down * down)
    turn = np.arctan2(down, along) * np.float32(
        ORIENTATIONS / np.pi
    )  # of half a turn, as an orientation has no sign
    bins = np.floor(turn).astype(np.int32) % ORIENTATIONS
    colours = cv2.resize(lab, (PATCHES, PATCHES), interpolation=cv2.INTER_AREA).reshape(PATCHES**2, 3)
    binned = np.bincount(
        (_patch_numbers() * ORIENTATIONS + bins).ravel(), strength.ravel(), PATCHES**2 * ORIENTATIONS
    )
    histogram = np.sqrt(binned.reshape(PATCHES**2, ORIENTATIONS) / (LAYOUT // PATCHES) ** 2)
    return np.concatenate([colours, histogram], axis=1)[whole].ravel().astype(np.float64)


@cache
def _patch_numbers() -> np.ndarray:
    """(96, 96)."""
    place = np.arange(LAYOUT) // (LAYOUT // PATCHES)
    return place[:, None] * PATCHES + place


def patch_colours(descriptors: np.ndarray) -> np.ndarray:
    """The mean Lab colours (T, patches, 3) that are part of descriptors (T, n)."""
    return descriptors.reshape(len(descriptors), -1, 3 + ORIENTATIONS)[..., :3]


def measured_scale(size: int, identities: int = IDENTITIES) -> IdentityScale:
    """The scale of descriptors of pictures of `size` pixels, from drawn identities of all styles in several
    performances each."""
    from followyouremoji.portraits import draw_portrait  # which needs skia

    described = []
    for index in range(identities):
        rng = np.random.default_rng((OWN_SEED, index))
        identity = random_identity(rng, STYLES[index % len(STYLES)])
        drawn = [draw_portrait(identity, Performance.random(rng), size) for _ in range(PICTURES)]
        described.append([describe(one.picture, one.points) for one in drawn])
    descriptors = np.array(described)  # identities, pictures, n
    within = np.sqrt(descriptors.var(axis=1, ddof=1).mean(axis=0))
    # A number that never varied is not therefore infinitely telling: the least spread is a tenth of the usual one.
    return IdentityScale(descriptors.mean(axis=(0, 1)), np.maximum(within, 0.1 * np.median(within)))


def separation(same: np.ndarray, different: np.ndarray) -> float:
    """The area under the ROC curve: how often a similarity of the `same` identity (n,) is above one of `different` ones
    (m,).

    1 separates them perfectly, 0.5 not at all.
    """
    above = (same[:, None] > different).mean() + 0.5 * (same[:, None] == different).mean()
    return float(above)


@cache
def appearance_scale() -> IdentityScale:
    """The scale that the metric uses at every size: `measured_scale(256)`."""
    return IdentityScale(**read_arrays(Path(__file__).parent / "data" / "appearance.npz"))


def similarities(descriptors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Appearance frame by frame, (T,), of descriptors (T, n) with those of the true frames (T, n) or of one portrait
    (1, n)."""
    scale = appearance_scale()
    others = np.broadcast_to(others, descriptors.shape)
    return np.array([scale.similarity(*both) for both in zip(descriptors, others, strict=True)])


def last_less_first(values: np.ndarray) -> float:
    """The mean of the last third of a clip's values (T,) less that of its first third; NaN for fewer than three."""
    third = len(values) // 3
    return mean_of_known(values[-third:]) - mean_of_known(values[:third]) if third else math.nan


def measure(observation: Observation) -> list[Measured]:
    target = observation.target
    who = target.portrait if target.truth is None else target.truth
    alike = similarities(observation.result.descriptors, who.descriptors)
    return [
        Measured("appearance", mean_of_known(alike)),
        Measured("appearance_drift", -last_less_first(alike)),
    ]

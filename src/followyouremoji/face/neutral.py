"""What motion is measured from (Sec. 3.1): the portrait's own face at rest, and a relaxed frame of the driving."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .geometry import BLOCK, EYE_DISTANCE_CM, MetricFaces, angles_of, blocks, rotations_and_scales
from .identity import EXPRESSIONS, Amounts, certainty, largest, relaxed, separate
from .motion import Motion
from .regions import REGIONS
from .settings import PortraitExpression
from .topology import mean_face

SHOWS_PORTRAIT = 0.03
"""A driving frame whose points, and whose brows, eyes and mouth, are nearer to the portrait's than this share of the
eye distance, in the mean, shows the portrait itself. Of 56 frames of seven filmed clips, detected alone, 53 are that
near to the same clip, tracked and smoothed; the nearest frames of two people are 0.032 apart."""


@dataclass(frozen=True)
class OwnFace:
    """A portrait's face ``(468, 3)`` and `pose` ``(4, 4)``; the face `relaxed`, without an expression, how much of that
    was `taken` off, and how much of it it `shows` for certain."""

    face: np.ndarray
    pose: np.ndarray
    relaxed: np.ndarray
    taken: Amounts
    shows: Amounts


@dataclass(frozen=True)
class Rest:
    """What motion is measured from: a `face` ``(468, 3)`` and the head's `pose` ``(4, 4)``."""

    face: np.ndarray
    pose: np.ndarray


def own_face(portrait: MetricFaces, expression: PortraitExpression, single: bool) -> OwnFace:
    """The face of a portrait, one frame, that is driven by a `single` picture or by a clip.

    A picture has no other frame to measure its expression from than its fitted neutral face, so the portrait's is
    measured from its own as well: what the fit does wrong it does in both.
    """
    face, pose = portrait.vertices[0], portrait.poses[0]
    if expression == "keep":
        return OwnFace(face, pose, face, Amounts(), Amounts())
    (fitted,) = separate(face[None]).expressions
    shows = certainty(face, fitted)
    taken = _all_but_lids(shows) if single or expression == "replace" else shows
    return OwnFace(face, pose, relaxed(face, fitted, taken), taken, shows)


def _all_but_lids(shows: Amounts) -> Amounts:
    """All of an expression, but of the lids only what is certain: how far eyes are open at rest is a person's own."""
    return replace(shows, brows=1.0, mouth=1.0)


def rest_of(
    motion: Motion,
    driving: MetricFaces,
    frames: np.ndarray,
    own: OwnFace,
    expression: PortraitExpression,
    neutral: int | None,
) -> Rest:
    """The rest of the `frames` of one setup, for a portrait.

    That is the frame that shows the portrait itself, if there is one, without what was taken off the portrait. Else it
    is the most relaxed frame, without the expression that it shows for certain, against the identity of all frames of
    the setup; or the `neutral` frame as it is, where that is given.
    """
    seen = frames[motion.found[frames]] if motion.found[frames].any() else frames
    single = len(motion) == 1
    fitted, shown = np.zeros(EXPRESSIONS), Amounts()
    if single or neutral is None:
        alike, apart = _most_alike(driving, seen, own)
        if apart < SHOWS_PORTRAIT and not single:
            return Rest(driving.vertices[alike] - (own.face - own.relaxed), driving.poses[alike])
        neutral = least_expressive(motion, driving, seen)
        if single or expression != "keep":
            some = np.union1d(seen[:: -(-len(seen) // BLOCK)], neutral)
            expressions = separate(driving.vertices[some]).expressions
            fitted = expressions[int(np.searchsorted(some, neutral))]
            shown = certainty(driving.vertices[neutral], fitted)
            shown = _all_but_lids(shown) if single or expression == "replace" else shown
    # Where the portrait's mouth was closed, or its eyes opened, the driving's rest is too: so both are as open as each
    # other ever after.
    gaps = largest(shown, own.taken)
    return Rest(relaxed(driving.vertices[neutral], fitted, shown, gaps), driving.poses[neutral])


def relaxed_rest(rest: np.ndarray, own: OwnFace, expression: PortraitExpression) -> np.ndarray:
    """A face ``(468, 3)`` that a person was asked to rest in, for a portrait: without the expression that it shows for
    certain all the same, unless those are to be kept."""
    if expression == "keep":
        return rest
    (fitted,) = separate(rest[None]).expressions
    shown = certainty(rest, fitted)
    shown = _all_but_lids(shown) if expression == "replace" else shown
    return relaxed(rest, fitted, shown, largest(shown, own.taken))


def _most_alike(driving: MetricFaces, frames: np.ndarray, own: OwnFace) -> tuple[int, float]:
    """The frame whose turned face is most like the portrait's, and how far their points are apart, in eye distances: in
    the mean of all of them, or of brows, eyes or mouth, where that is more."""

    def turned(vertices: np.ndarray, poses: np.ndarray) -> np.ndarray:
        faces: np.ndarray = vertices @ rotations_and_scales(poses)[0].swapaxes(-1, -2)
        return faces

    apart = np.empty(len(frames))
    for block in blocks(len(frames)):
        some = frames[block]
        between = turned(driving.vertices[some], driving.poses[some]) - turned(own.face, own.pose)
        distances = np.linalg.norm(between, axis=-1) / EYE_DISTANCE_CM
        parts = [distances, *(distances[:, list(points)] for points in REGIONS.values())]
        apart[block] = np.max([part.mean(axis=1) for part in parts], axis=0)
    best = int(apart.argmin())
    return int(frames[best]), float(apart[best])


def least_expressive(motion: Motion, faces: MetricFaces, frames: np.ndarray) -> int:
    """The one of some `frames` with the least expression: by the sum of its 52 scores where the motion has them, as in
    the released code, else by `expression_scores`. Frames without a face count only where there are no others."""
    if motion.blendshapes is not None:
        scores = motion.blendshapes[frames].sum(axis=1).astype(np.float64)
    else:
        some = len(frames) < len(faces)
        scores = expression_scores(
            MetricFaces(faces.vertices[frames], faces.poses[frames]) if some else faces
        )
    found = motion.found[frames]
    return int(frames[(np.where(found, scores, np.inf) if found.any() else scores).argmin()])


def expression_scores(faces: MetricFaces) -> np.ndarray:
    """How far each frame is from a relaxed face, by geometry alone: ``(T,)``, 0 is relaxed, larger is further.

    A sum of distances in units of the distance between the outer eye corners:

    - the gap between the inner lips, which is closed at rest;
    - four times how much less, or more, the eyes are open than this person's usual (75th percentile of the clip), so
      that neither a blink nor a stare counts as neutral;
    - how far mouth corners, lips and brows are from the mean face (twice), which is nearly neutral, and from their
      median place in the clip (half), which is this person's own rest if the person mostly rests;
    - the head's turn, one radian as 0.2, because a turned face is measured less well.

    The weights are set on seven real driving clips, whose frame of least score lies between the least and the median
    of all frames by the sum of 52 blendshape scores, at a fifth of the way on average.
    """
    vertices = faces.vertices

    def gap(upper: int, lower: int) -> np.ndarray:
        return (vertices[:, upper, 1] - vertices[:, lower, 1]) / EYE_DISTANCE_CM

    mouth_gap = np.maximum(gap(13, 14), 0.0)
    openness = 0.5 * (gap(159, 145) + gap(386, 374))
    eyes = np.abs(openness - np.percentile(openness, 75))

    moving = [61, 291, 0, 17, 105, 334, 66, 296, 55, 285]  # mouth corners, lips, brows
    places = vertices[:, moving] / EYE_DISTANCE_CM
    unusual = np.linalg.norm(places - np.median(places, axis=0), axis=-1).mean(axis=1)
    unlike_mean = np.linalg.norm(places - mean_face()[moving] / EYE_DISTANCE_CM, axis=-1).mean(axis=1)

    turn = angles_of(rotations_and_scales(faces.poses)[0])
    return mouth_gap + 4.0 * eyes + 2.0 * unlike_mean + 0.5 * unusual + 0.2 * turn

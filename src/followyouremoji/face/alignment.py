"""Motion alignment (Sec. 3.1 of the paper): put a driving motion onto the face of a portrait.

Expression, head pose and pupils are carried over apart from each other, in the canonical space of the metric face:
the expression as offsets from a neutral driving frame onto the portrait's own vertices, the pose by one of three rules,
the pupils by the direction in which they look (`gaze`). So the portrait keeps its face shape, whatever drives it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import MotionError, shown
from .controls import linear_offsets
from .detection import Landmarks
from .gaze import DrivingGaze, PortraitEyes, driving_gaze
from .geometry import (
    MetricFaces,
    blocks,
    eye_distance,
    frustum_at_one,
    iris_places,
    irises_at,
    place_irises,
    project,
    rotations_and_scales,
    solve_metric_faces,
)
from .heads import (
    Room,
    relative_poses,
    released_poses,
    turned_as,
    turned_from_rest,
    turned_further,
    within_room,
)
from .identity import with_wider_lip_gaps
from .lids import uncrossed
from .motion import Motion
from .neutral import OwnFace, Rest, least_expressive, own_face, rest_of
from .poses import Moves, lid_heights, move_faces, summed
from .regions import region_weights
from .remarks import notes_on_portrait, notes_on_shots, notes_on_travel, notes_on_turn
from .settings import AlignmentSettings, ConjugateGaze, PortraitExpression
from .shots import Shots, find_shots, one_shot
from .topology import FACE_OVAL_LOOP, N_LANDMARKS, N_MESH, OUTER_EYE_CORNERS, mean_face

DEFAULT_ALIGNMENT = AlignmentSettings()

MOVED_AT_ONCE = 100  # frames: their vertices stay in a processor's memory


@dataclass(frozen=True)
class Aligned:
    """A driving motion on a portrait's face.

    Attributes
    ----------
    points : ``(T, 478, 2)`` float64 pixels in the portrait's picture
    notes : sentences that say what was done beside carrying the motion over, for users
    """

    points: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SolvedMotion:
    """A driving motion with its metric faces and shots, which are found when they are first read."""

    motion: Motion

    def __len__(self) -> int:
        return len(self.motion)

    @cached_property
    def faces(self) -> MetricFaces:
        faces = MetricFaces(np.empty((len(self), N_MESH, 3)), np.empty((len(self), 4, 4)))
        for block in blocks(len(self)):
            solved = solve_metric_faces(self.motion.landmarks[block], self.motion.size)
            faces.vertices[block], faces.poses[block] = solved.vertices, solved.poses
        return faces

    @cached_property
    def rest(self) -> MetricFaces | None:
        """The one face of `Motion.rest`; None where the motion has none."""
        if self.motion.rest is None:
            return None
        return solve_metric_faces(self.motion.rest[None], self.motion.size)

    @cached_property
    def shots(self) -> Shots:
        return find_shots(self.motion, self.faces)


@dataclass(frozen=True, eq=False)
class Measured:
    """A motion and a portrait measured from their rests: what no strength, head motion or room changes.

    Attributes
    ----------
    shots : of the motion, one where its rest is known or its neutral frame was given
    own : the portrait's face
    rest_is_known : whether the motion has a rest of its own that counts
    resting_faces, resting_poses : ``(S, 468, 3)`` and ``(S, 4, 4)``, the rest of each setup
    wider : ``(S,)`` how much further the portrait's lips open than those of each setup
    eyes : the portrait's
    looking : where the driver looks
    notes : as of `Aligned`
    """

    shots: Shots
    own: OwnFace
    rest_is_known: bool
    resting_faces: np.ndarray
    resting_poses: np.ndarray
    wider: np.ndarray
    eyes: PortraitEyes
    looking: DrivingGaze
    notes: tuple[str, ...]


def measure(
    driving: SolvedMotion,
    reference: Landmarks,
    expression: PortraitExpression,
    neutral: int | None,
    conjugate: ConjugateGaze,
) -> Measured:
    """What `align` needs to know of a motion and the portrait with landmarks `reference`; the other parameters are
    those of `AlignmentSettings`."""
    motion, faces = driving.motion, driving.faces
    portrait = solve_metric_faces(reference.normalised[None], reference.size)
    known = driving.rest if neutral is None else None
    own = own_face(portrait, expression, single=len(motion) == 1 and known is None)
    shots = driving.shots if neutral is None and known is None else one_shot(len(motion))
    if known is None:
        frames = [np.flatnonzero(shots.setups == setup) for setup in range(shots.count)]
        rests = [rest_of(motion, faces, some, own, expression, neutral) for some in frames]
    else:
        rests = [Rest(known.vertices[0], known.poses[0])]
    resting_faces = np.stack([rest.face for rest in rests])
    return Measured(
        shots=shots,
        own=own,
        rest_is_known=known is not None,
        resting_faces=resting_faces,
        resting_poses=np.stack([rest.pose for rest in rests]),
        # A mouth that was closed opens as far as the driving one, by each face's own measure.
        wider=1.0 + own.taken.mouth * (eye_distance(own.relaxed) / eye_distance(resting_faces) - 1.0),
        eyes=PortraitEyes.of(reference, portrait, own.relaxed),
        looking=driving_gaze(motion, faces, conjugate, shots.setups, known),
        notes=(*notes_on_portrait(own), *notes_on_shots(motion, shots)),
    )


def align_motion(
    motion: Motion,
    reference: Landmarks,
    settings: AlignmentSettings = DEFAULT_ALIGNMENT,
    room: Room | None = None,
) -> np.ndarray:
    """The `points` of `align`."""
    return align(motion, reference, settings, room).points


def align(
    motion: Motion,
    reference: Landmarks,
    settings: AlignmentSettings = DEFAULT_ALIGNMENT,
    room: Room | None = None,
    *,
    solve: Callable[[Motion], SolvedMotion] = SolvedMotion,
    measure: Callable[..., Measured] = measure,
    foreseen: bool = True,
) -> Aligned:
    """The driving motion on the portrait's face.

    Each shot of the driving has its own rest: a frame of relaxed expression, whose head the portrait's own pose stands
    for. In a clip that shows the portrait itself, that frame is the rest, so that the clip comes out as it is. A motion
    of one frame has no such frame: its expression is measured from its own fitted neutral face, put in place of the
    portrait's, and its head is turned as it is; so a picture that drives itself comes out as it is, too. A motion with
    a `rest` is measured from that, however many frames it has: expression, gaze, and the head's turn, which is made in
    the portrait's own frame. The settings' `pose` is added to every frame. Nothing of this acts with the head motions
    `absolute` and `image`.

    Parameters
    ----------
    motion : the driving motion, T frames
    reference : the portrait's landmarks
    room : left, top, right and bottom of what the head's travel stays in, pixels; None is the portrait's whole picture
    solve, measure : `SolvedMotion` and `measure`, or the same with a memory, so that another strength costs little
    foreseen : the motion is the whole clip; see `heads.within_room`

    Raises
    ------
    MotionError
        The neutral frame does not exist.
    """
    if settings.neutral is not None and not 0 <= settings.neutral < len(motion):
        raise MotionError(
            f"{shown(motion.source)} has the frames 0 to {len(motion) - 1}; {settings.neutral} cannot be its neutral frame."
        )
    if settings.head == "image":
        return Aligned(unaligned(motion, reference.size))
    solved = solve(motion)
    if settings.head == "absolute":
        return Aligned(_as_released(solved, reference, settings))

    measured = measure(
        solved, reference, settings.portrait_expression, settings.neutral, settings.conjugate_gaze
    )
    driving, own, shots = solved.faces, measured.own, measured.shots
    notes = [*measured.notes]
    strengths = _vertex_strengths(settings)[:, None]
    still = own.face - np.minimum(strengths, 1.0) * (own.face - own.relaxed)

    moves = Moves.of(summed(settings.pose or {}))
    moving, turning = bool(moves.controls.any()), bool(moves.head.any())

    poses = np.broadcast_to(own.pose, driving.poses.shape)
    travels = turning
    if settings.head == "relative" and measured.rest_is_known:
        poses = turned_from_rest(driving.poses, measured.resting_poses[0], own.pose, settings.head_strength)
        travels = True
    elif settings.head == "relative" and len(motion) == 1:
        poses, turn = turned_as(driving.poses[0], own.pose, settings.head_strength)
        notes += notes_on_turn(turn)
    elif settings.head == "relative":
        resting = measured.resting_poses[shots.setups]
        poses = relative_poses(driving.poses[shots.shown], resting, own.pose, settings.head_strength)
        travels = True
    if turning:
        poses = turned_further(poses, moves.head)
    if travels:
        oval = list(FACE_OVAL_LOOP)
        offsets = driving.vertices[shots.shown[:, None], oval]
        offsets = offsets - measured.resting_faces[shots.setups[:, None], oval]
        outlines = still[oval] + linear_offsets(moves.controls)[oval] + strengths[oval] * offsets
        poses, travel = within_room(
            poses, own.pose, own.face[oval], outlines, room, reference.size, foreseen=foreseen
        )
        notes += notes_on_travel(travel)

    reach = strengths * lid_heights(still, measured.resting_faces[0]) if measured.rest_is_known else strengths
    directions = measured.eyes.following(measured.looking, settings.gaze)[shots.shown] + moves.gaze
    points = np.empty((len(motion), N_LANDMARKS, 2))
    for block in blocks(len(motion), MOVED_AT_ONCE):
        setups = shots.setups[block]
        offsets = driving.vertices[shots.shown[block]] - measured.resting_faces[setups]  # V_i - V_neutral
        if own.taken.mouth > 0.0:
            offsets = with_wider_lip_gaps(offsets, measured.wider[setups])
        offsets *= reach
        vertices = np.add(offsets, still, out=offsets)
        if moving:
            move_faces(vertices, moves.controls, still)
        irises = measured.eyes.irises(vertices, directions[block])
        points[block] = project(np.concatenate([vertices, irises], axis=1), poses[block], reference.size)
        points[block] = uncrossed(points[block])
    return Aligned(points, tuple(notes))


def _as_released(driving: SolvedMotion, reference: Landmarks, settings: AlignmentSettings) -> np.ndarray:
    """One neutral frame for all, expressions added to the portrait's own; one frame is compared with the mean face."""
    motion, faces = driving.motion, driving.faces
    if len(motion) == 1:
        both = SolvedMotion(after_mean_face(motion))
        return _as_released(both, reference, replace(settings, neutral=0))[1:]
    portrait = solve_metric_faces(reference.normalised[None], reference.size)
    neutral = settings.neutral
    if neutral is None:
        neutral = least_expressive(motion, faces, np.arange(len(motion)))
    poses = released_poses(faces.poses, portrait.poses[0], settings.head_strength)
    own_places = iris_places(reference.normalised[None, :, :2].astype(np.float64))
    points = np.empty((len(motion), N_LANDMARKS, 2))
    for block in blocks(len(motion)):
        offsets = faces.vertices[block] - faces.vertices[neutral]  # V_i - V_neutral
        vertices = portrait.vertices + _vertex_strengths(settings)[:, None] * offsets
        mesh_points = project(vertices, poses[block], reference.size)
        places = iris_places(motion.landmarks[block, :, :2].astype(np.float64))
        points[block] = irises_at(mesh_points, own_places + settings.gaze * (places - own_places))
    return points


def after_mean_face(motion: Motion) -> Motion:
    """A motion of one frame with the mean face before it: same place and size in the picture, no turn of the head."""
    pose = solve_metric_faces(motion.landmarks, motion.size).poses
    straight = pose.copy()
    straight[0, :3, :3] = np.eye(3) * rotations_and_scales(pose)[1]
    distance = -(mean_face()[:, 2] * straight[0, 2, 2] + straight[0, 2, 3])
    depth = (distance / distance.mean() - 1.0) / frustum_at_one(motion.size)[0]
    mesh = project(mean_face()[None], straight, motion.size)
    points = place_irises(mesh, motion.landmarks[..., :2].astype(np.float64)) / motion.size
    depths = np.concatenate([depth, depth[np.repeat(OUTER_EYE_CORNERS, 5)]])
    mean = np.concatenate([points, depths[None, :, None]], axis=2).astype(np.float32)
    return Motion(
        landmarks=np.concatenate([mean, motion.landmarks]),
        timestamps=motion.timestamps[0] + np.array([-1.0, 0.0]) / motion.frame_rate,
        frame_rate=motion.frame_rate,
        size=motion.size,
        source=motion.source,
        found=np.ones(2, bool),
    )


def align_in_picture(motion: Motion, reference: Landmarks) -> np.ndarray:
    """The driving landmarks as they were detected, with one shift and one scale for the whole clip.

    These bring the face oval of the first frame to the middle and size of the portrait's. It is all that the ablation
    "2D landmarks" of Table 2 can do: the driving face keeps its own proportions, and a head that is turned otherwise
    stays so. Returns ``(T, 478, 2)`` pixels in the portrait's picture.
    """
    points = motion.landmarks[..., :2].astype(np.float64) * motion.size
    oval = list(FACE_OVAL_LOOP)
    own, driving = reference.points[oval].astype(np.float64), points[0, oval]
    scale = np.linalg.norm(np.ptp(own, axis=0)) / max(float(np.linalg.norm(np.ptp(driving, axis=0))), 1e-9)
    middle = (own.min(axis=0) + own.max(axis=0)) / 2
    return middle + scale * (points - (driving.min(axis=0) + driving.max(axis=0)) / 2)


def unaligned(motion: Motion, size: tuple[int, int]) -> np.ndarray:
    """The driving points scaled to cover a picture of ``size``, centre on centre; the portrait's face is not looked at.

    So the driving person's face shape and place show in the result. Returns ``(T, 478, 2)`` pixels.
    """
    scale = max(size[0] / motion.size[0], size[1] / motion.size[1])
    centred = motion.landmarks[..., :2].astype(np.float64) - 0.5
    return centred * motion.size * scale + np.array(size) / 2


def neutral_frame(motion: Motion) -> int:
    """The number of the frame with the least expression.

    With blendshapes it is the frame whose 52 scores sum to the least (as in the released code). Without, it is found by
    geometry, see `neutral.expression_scores`. Only frames in which a face was found are candidates.
    """
    return least_expressive(motion, SolvedMotion(motion).faces, np.arange(len(motion)))


def _vertex_strengths(settings: AlignmentSettings) -> np.ndarray:
    """``(468,)``: the expression strength, times a region's own where the region is."""
    strengths = np.ones(N_MESH)
    for name, weights in region_weights().items():
        strengths += weights * (getattr(settings, name) - 1.0)
    return settings.expression * strengths

"""What a pose does to a portrait, whatever drives it."""

from itertools import product

import numpy as np
import pytest

from followyouremoji.face.alignment import align, align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.expressions import CONTROLS
from followyouremoji.face.gaze import eye_openings
from followyouremoji.face.geometry import eye_distance
from followyouremoji.face.motion import Motion
from followyouremoji.face.poses import Moves, lid_heights, neutral_face, summed
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sliders import EFFECTS, SLIDERS
from followyouremoji.face.topology import FACE_OVAL_LOOP, LEFT_IRIS, N_MESH, RIGHT_IRIS
from followyouremoji.requests.bundled import EXAMPLES, bundled_motion, portrait_landmarks

PORTRAITS = ("ada", "emoji", "fox", "max")
UPPER, LOWER = [159, 386], [145, 374]  # of the right and the left eye
NAMES = tuple(slider.name for slider in SLIDERS)
ENDS = [(slider.name, end) for slider in SLIDERS for end in (slider.low, slider.high) if end]


def portrait(name: str) -> Landmarks:
    landmarks = portrait_landmarks(EXAMPLES / f"{name}.png")
    assert landmarks is not None
    return Landmarks(landmarks, (512, 512))


@pytest.fixture(scope="module", params=PORTRAITS)
def reference(request: pytest.FixtureRequest) -> Landmarks:
    return portrait(request.param)


@pytest.fixture(scope="module")
def hello() -> Motion:
    """Frames at rest, of a grin, a blink, looks to both sides and a wink."""
    return bundled_motion("hello")[::6]


def posed(motion: Motion, reference: Landmarks, **pose: float) -> np.ndarray:
    return align_motion(motion, reference, AlignmentSettings(pose=pose or None))


def test_amounts_add_up_within_what_a_face_can_do() -> None:
    def moves(**pose: float) -> Moves:
        return Moves.of(summed(pose))

    def control(name: str, **pose: float) -> float:
        return float(moves(**pose).controls[CONTROLS.index(name)])

    assert control("smile_left", smile=0.5) == pytest.approx(0.55)
    assert control("smile_left", smile=0.2, grin=0.5) == pytest.approx(0.22 + 0.475)
    assert control("smile_left", smile=1.0, laugh=1.5) == 1.1
    assert control("blink_left", blink=1.0, wink_left=1.0) == 1.0
    assert control("jaw_side", jaw_aside=-1.0) == -0.9
    np.testing.assert_allclose(moves(gaze_x=0.2, left_eye_x=0.3).gaze, [[7.0, 0.0], [17.5, 0.0]])
    np.testing.assert_allclose(moves(gaze_y=-1.0, right_eye_y=-1.0).gaze, [[0.0, -25.0], [0.0, -25.0]])
    assert moves(yaw=10.0, roll=-5.0, smile=1.0).head.tolist() == [10.0, 0.0, -5.0]
    assert not moves().controls.any()


@pytest.mark.parametrize("head", ["relative", "none"])
@pytest.mark.parametrize("frames", [1, 17])
def test_a_pose_of_zeros_changes_nothing_to_the_bit(hello: Motion, head: str, frames: int) -> None:
    zeros = dict.fromkeys(EFFECTS, 0.0)
    plain, with_zeros = (
        align_motion(hello[:frames], portrait("ada"), AlignmentSettings(head=head, pose=pose))  # type: ignore[arg-type]
        for pose in (None, zeros)
    )
    np.testing.assert_array_equal(plain, with_zeros)


@pytest.mark.parametrize(("name", "amount"), ENDS)
def test_every_slider_moves_a_face_and_leaves_it_whole(
    hello: Motion, reference: Landmarks, name: str, amount: float
) -> None:
    """At both ends, whatever the driver does meanwhile: lids and lips do not cross, pupils are between the lids."""
    before, after = posed(hello, reference), posed(hello, reference, **{name: amount})
    distance = eye_distance(reference.points)
    assert np.abs(after - before).max() > 0.01 * distance
    rolled = -np.radians(amount) if name == "roll" else 0.0
    down = np.array([np.sin(rolled), np.cos(rolled)])
    slack = 0.01 * distance
    assert ((after[:, [*LOWER, 14]] - after[:, [*UPPER, 13]]) @ down).min() > -slack
    for pupil, upper, lower in zip((RIGHT_IRIS, LEFT_IRIS), UPPER, LOWER, strict=True):
        height = after[:, [upper, pupil, lower]] @ down
        opened = height[:, 2] - height[:, 0]
        assert (height[:, 1] - height[:, 0]).min() > -0.1 * distance
        assert (height[:, 2] - height[:, 1])[opened > 0.05 * distance].min(initial=1.0) > -0.05 * distance


def test_a_wink_closes_one_eye_for_good(hello: Motion, reference: Landmarks) -> None:
    own = eye_openings(reference.points[None])[0]
    for eye, name in enumerate(("wink_right", "wink_left")):
        opened = eye_openings(posed(hello, reference, **{name: 1.0}))
        plain = eye_openings(posed(hello, reference))
        assert opened[:, eye].max() < 0.15 * own[eye]
        np.testing.assert_allclose(opened[:, 1 - eye], plain[:, 1 - eye], atol=0.02)


def test_each_eye_looks_by_itself(reference: Landmarks) -> None:
    rest = bundled_motion("smile")[:1]
    distance = eye_distance(reference.points)
    plain = posed(rest, reference)
    for name, pupil, other in (
        ("left_eye_x", LEFT_IRIS, RIGHT_IRIS),
        ("right_eye_x", RIGHT_IRIS, LEFT_IRIS),
    ):
        moved = posed(rest, reference, **{name: 0.6}) - plain
        assert moved[0, pupil, 0] > 0.02 * distance
        np.testing.assert_allclose(moved[0, other], 0.0, atol=1e-6)
        np.testing.assert_allclose(moved[0, :N_MESH], 0.0, atol=1e-6)
    up = posed(rest, reference, gaze_y=0.5) - plain
    assert up[0, [LEFT_IRIS, RIGHT_IRIS], 1].max() < -0.01 * distance


def test_the_head_turns_as_the_labels_say(reference: Landmarks) -> None:
    rest = bundled_motion("smile")[:1]

    def moved(point: int, **pose: float) -> np.ndarray:
        change: np.ndarray = (posed(rest, reference, **pose) - posed(rest, reference))[0, point]
        return change / eye_distance(reference.points)

    nose, forehead = 4, 10
    assert moved(nose, yaw=15.0)[0] > 0.1 > -0.1 > moved(nose, yaw=-15.0)[0]
    assert moved(nose, pitch=15.0)[1] < -0.05 < 0.05 < moved(nose, pitch=-15.0)[1]
    assert moved(forehead, roll=15.0)[0] > 0.1 > -0.1 > moved(forehead, roll=-15.0)[0]


@pytest.mark.parametrize("head", ["relative", "none"])
def test_a_turned_head_stays_in_the_picture(hello: Motion, head: str) -> None:
    close = portrait("ada")
    middle = close.normalised[:, :2].mean(axis=0)
    near = close.normalised.copy()
    near[:, :2] = (near[:, :2] - middle) * 1.5 + (0.6, 0.5)
    near[:, 2] *= 1.5
    reference = Landmarks(near, (512, 512))
    room = reference.points[list(FACE_OVAL_LOOP)]
    for angles in product((-30.0, 30.0), repeat=3):
        pose = dict(zip(("yaw", "pitch", "roll"), angles, strict=True))
        aligned = align(hello, reference, AlignmentSettings(head=head, pose=pose))  # type: ignore[arg-type]
        oval = aligned.points[:, list(FACE_OVAL_LOOP)]
        assert oval.min() > min(0.0, room.min()) - 1.0
        assert oval.max() < max(512.0, room.max()) + 1.0


def test_lids_go_as_far_as_the_eyes_are_open() -> None:
    face = neutral_face()
    np.testing.assert_array_equal(lid_heights(face, face), 1.0)
    wide = face.copy()
    wide[UPPER, 1] += face[UPPER, 1] - face[LOWER, 1]
    np.testing.assert_allclose(lid_heights(wide, face)[[*UPPER, *LOWER], 1], 2.0)
    np.testing.assert_array_equal(lid_heights(wide, face)[:, [0, 2]], 1.0)
    closed = face.copy()
    closed[UPPER, 1] = face[LOWER, 1] - 0.1
    np.testing.assert_array_equal(lid_heights(closed, face)[UPPER, 1], 0.0)


def test_a_pose_is_added_to_the_driving(hello: Motion) -> None:
    """A driver who grins and a portrait that is told to smile: more than either; and the driver's strength is no
    matter of the pose."""
    ada = portrait("ada")
    corners = [61, 291]

    def width(points: np.ndarray) -> np.ndarray:
        spread: np.ndarray = np.linalg.norm(points[:, corners[0]] - points[:, corners[1]], axis=-1)
        return spread

    driven, both = posed(hello, ada), posed(hello, ada, smile=1.0)
    assert (width(both) - width(driven)).min() > 0.05 * eye_distance(ada.points)
    still = align_motion(
        hello, ada, AlignmentSettings(expression=0.0, head="none", gaze=0.0, pose={"smile": 1.0})
    )
    assert np.ptp(width(still)) < 1e-6

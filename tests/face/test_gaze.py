"""Gaze in degrees: measured, steadied, and given to eyes of another shape."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.errors import SettingsError
from followyouremoji.face.alignment import align_motion
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.gaze import (
    LOWER_LIDS,
    UPPER_LIDS,
    Eyes,
    Gaze,
    PortraitEyes,
    driving_gaze,
    measure_gaze,
    steady_gaze,
    usual_difference,
)
from followyouremoji.face.geometry import iris_places, project, solve_metric_faces
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.topology import mean_face
from tests.face.synthetic import screen_landmarks, turn

SIZE = (512, 512)
RATE = 30.0
RIMS = np.tile([[0, 0, 0], [0.58, 0, 0], [0, 0.58, 0], [-0.58, 0, 0], [0, -0.58, 0]], (2, 1))


def looking(
    face: np.ndarray, directions: np.ndarray, yaw: float = 0.0, pitch: float = 0.0, eyes: Eyes | None = None
) -> np.ndarray:
    """Landmarks (478, 3) of a face whose eyes look in directions (2, 2) or one for both."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(yaw, pitch, 0), (0, 0, -50)
    both = np.broadcast_to(np.asarray(directions, float), (2, 2))
    own = PortraitEyes(eyes or Eyes.of(face[None]), both, np.zeros(2), RIMS)
    landmarks = np.zeros((478, 3))
    landmarks[:468] = screen_landmarks(face, pose, SIZE)
    irises = project(own.irises(face[None], both[None]), pose[None], SIZE)[0]
    landmarks[468:, :2] = irises / SIZE
    return landmarks


def motion_of(landmarks: list[np.ndarray]) -> Motion:
    count = len(landmarks)
    return Motion(
        np.stack(landmarks).astype(np.float32),
        np.arange(count) / RATE,
        RATE,
        SIZE,
        "test",
        np.ones(count, bool),
    )


def measured(points: np.ndarray, like: Landmarks) -> np.ndarray:
    """Directions (T, 2, 2) of aligned points, in which the depth is that of the portrait."""
    depth = np.broadcast_to(like.normalised[:, 2:], (*points.shape[:2], 1))
    landmarks = np.concatenate([points / like.size, depth], axis=2)
    faces = solve_metric_faces(landmarks, like.size)
    return measure_gaze(landmarks, faces, like.size, Eyes.of(faces.vertices)).directions


def lids_lowered(face: np.ndarray, share: float) -> np.ndarray:
    face = face.copy()
    upper, lower = UPPER_LIDS.ravel(), LOWER_LIDS.ravel()
    face[upper, 1] -= share * (face[upper, 1] - face[lower, 1])
    return face


def steady(directions: np.ndarray, trust: np.ndarray | None = None, conjugate: str = "auto") -> np.ndarray:
    trust = np.ones(directions.shape[:2]) if trust is None else trust
    return steady_gaze(Gaze(directions, trust), RATE, conjugate)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.floats(-30, 30), st.floats(-12, 12), st.floats(-0.4, 0.4), st.floats(-0.25, 0.25))
def test_directions_come_back_whichever_way_the_head_is_turned(
    azimuth: float, elevation: float, yaw: float, pitch: float
) -> None:
    landmarks = looking(mean_face(), np.array([azimuth, elevation]), yaw, pitch)[None]
    faces = solve_metric_faces(landmarks, SIZE)
    gaze = measure_gaze(landmarks, faces, SIZE, Eyes.of(faces.vertices))
    # The depth of a turned face is only weakly known.
    assert np.abs(gaze.directions - [azimuth, elevation]).max() < 5.0
    assert (gaze.trust == 1).all()


def test_half_of_an_adult_s_eye_radius_aside_is_thirty_degrees() -> None:
    """The iris of an adult moves on a sphere of 10.4 mm; the mean face is an adult's, with eyes of 28 mm."""
    pose = np.eye(4)
    pose[2, 3] = -50
    landmarks = np.stack([looking(mean_face(), np.zeros(2))] * 3)
    centres = Eyes.of(mean_face()[None]).balls(mean_face()[None])[0][0] + [0, 0, 1.04]
    for frame, shift in enumerate(([0.52, 0, -0.14], [-0.52, 0, -0.14], [0, 0.27, -0.04])):
        pixels = project((centres + shift)[None], pose[None], SIZE)[0]
        landmarks[frame, 468:, :2] = np.repeat(pixels, 5, axis=0) / SIZE
    faces = solve_metric_faces(landmarks, SIZE)
    seen = measure_gaze(landmarks, faces, SIZE, Eyes.of(faces.vertices)).directions
    expected = np.array([[30, 0], [-30, 0], [0, 15]])
    assert np.abs(seen - expected[:, None]).max() < 3.0


def test_a_half_closed_eye_looks_where_it_looked() -> None:
    """Where its place in the eye's box jumps by a quarter of the box."""
    face, half = mean_face(), lids_lowered(mean_face(), 0.4)
    eyes = Eyes.of(face[None])
    landmarks = np.stack([looking(each, np.array([10.0, -4.0]), eyes=eyes) for each in (face, half)])
    faces = solve_metric_faces(landmarks, SIZE)
    gaze = measure_gaze(landmarks, faces, SIZE, eyes)
    assert np.abs(np.diff(gaze.directions, axis=0)).max() < 0.5
    assert np.diff(iris_places(landmarks[..., :2])[:, 0, 1], axis=0)[0] < -0.15


def test_an_eye_of_another_shape_looks_in_the_same_direction() -> None:
    broad = mean_face() * (1.15, 0.92, 1.0)
    tall = mean_face()
    tall[UPPER_LIDS[:, 1:-1].ravel(), 1] += 0.3
    tall[LOWER_LIDS[:, 1:-1].ravel(), 1] -= 0.3
    asked = np.array([[0, 0], [25, 0], [-25, 0], [0, 9], [0, -9], [15, -6]], float)
    motion = motion_of([looking(mean_face(), direction) for direction in asked])
    for face in (broad, tall):
        portrait = Landmarks(looking(face, np.array([3.0, 1.0])).astype(np.float32), SIZE)
        seen = measured(align_motion(motion, portrait, AlignmentSettings(head="none", neutral=0)), portrait)
        assert np.abs(seen - asked[:, None]).max() < 2.5


def test_strength_runs_from_the_portrait_s_own_gaze_to_the_driver_s_and_beyond() -> None:
    motion = motion_of([looking(mean_face(), np.array(each, float)) for each in ((0, 0), (16, 0))])
    portrait = Landmarks(looking(mean_face(), np.array([4.0, 2.0])).astype(np.float32), SIZE)
    for strength, expected in ((0.0, 4.0), (0.5, 10.0), (1.0, 16.0), (1.5, 22.0)):
        settings = AlignmentSettings(head="none", neutral=0, gaze=strength)
        seen = measured(align_motion(motion, portrait, settings), portrait)
        assert seen[1, :, 0] == pytest.approx(expected, abs=1.0)


def test_a_stray_pupil_is_brought_back_and_small_noise_only_if_asked() -> None:
    truth = np.zeros((60, 2, 2))
    truth[30:, :, 0] = 20.0  # a saccade
    tracked = truth.copy()
    tracked[10, 1] = (25.0, -12.0)  # for a frame, the left pupil is found elsewhere
    tracked[40:, 0] += np.random.default_rng(0).uniform(-1.5, 1.5, (20, 2))  # the right one trembles
    auto, on, off = (steady(tracked, conjugate=each) for each in ("auto", "on", "off"))
    assert np.abs(auto - truth)[10].max() < 3.0
    assert np.abs(on - truth)[10].max() < 3.0
    np.testing.assert_allclose(off, tracked, atol=1e-9)
    np.testing.assert_allclose(auto[40:], tracked[40:], atol=1e-9)
    assert np.abs(on[40:, 0] - on[40:, 1]).mean() < 0.3 * np.abs(tracked[40:, 0] - tracked[40:, 1]).mean()
    np.testing.assert_allclose(on[28:32, :, 0], truth[28:32, :, 0], atol=1e-9)  # as quick as it was


@pytest.mark.parametrize("conjugate", ["auto", "on", "off"])
def test_eyes_that_are_crossed_for_half_a_second_are_crossed(conjugate: str) -> None:
    tracked = np.random.default_rng(0).normal(0, 0.5, (90, 2, 2))
    tracked[30:45, :, 0] += (17.0, -17.0)
    between = np.subtract(*np.moveaxis(steady(tracked, conjugate=conjugate), 1, 0))[:, 0]
    assert np.abs(between[32:43] - 34).max() < 3.0
    assert np.abs(between[:28]).max() < 3.0
    assert np.abs(between[48:]).max() < 3.0


@pytest.mark.parametrize("eye", [0, 1])
def test_an_eye_that_turns_alone_for_half_a_second_does(eye: int) -> None:
    tracked = np.zeros((90, 2, 2))
    tracked[30:45, eye, 0] = (26.0, -26.0)[eye]
    np.testing.assert_allclose(steady(tracked)[32:43], tracked[32:43], atol=1.0)


def test_eyes_that_look_aside_do_not_cross_by_what_the_tracking_makes_of_it() -> None:
    """As in a filmed glance: the two eyes are seen 15 and 55 degrees to the side."""
    tracked = np.zeros((90, 2, 2))
    tracked[..., 0] = (9.5, -9.5)
    tracked[30:45, :, 0] = (-15.0, -55.0)
    seen = steady(tracked, conjugate="on")[32:43, :, 0]
    assert np.abs(seen[:, 0] - seen[:, 1] - 19.0).max() < 7.0


def test_one_height_for_both_eyes_in_sideways_glances() -> None:
    """Nobody looks up with one eye alone, but the tracking differs by 10 degrees and more."""
    tracked = np.zeros((60, 2, 2))
    tracked[20:40, :, 0] = 30.0
    tracked[20:40, 1, 1] = 12.0
    heights = steady(tracked, conjugate="on")[20:40, :, 1]
    assert np.abs(heights[:, 0] - heights[:, 1]).max() <= 3.0 + 1e-9
    assert heights.mean() == pytest.approx(6.0, abs=0.5)


def test_closed_eyes_hold_their_direction_and_ease_into_the_next() -> None:
    directions = np.zeros((60, 2, 2))
    directions[:, :, 0] = 8.0
    directions[36:, :, 0] = -8.0  # it opens looking elsewhere
    trust = np.ones((60, 2))
    trust[24:36] = 0.0
    directions[24:36, :, 1] = -17.0  # what the tracking makes of a blink
    result = steady(directions, trust)
    np.testing.assert_allclose(result[..., 1], 0.0, atol=1e-9)
    np.testing.assert_allclose(result[24:31, :, 0], 8.0, atol=1e-9)
    steps = np.abs(np.diff(result[:, :, 0], axis=0))
    assert steps.max() < 0.35 * 16  # five frames of 0.15 s, smoothly
    np.testing.assert_array_equal(result[36:], directions[36:])


def test_a_winking_eye_looks_where_the_other_one_does() -> None:
    directions = np.zeros((60, 2, 2))
    directions[:, :, 0] = np.linspace(-10, 10, 60)[:, None]
    truth = directions.copy()
    trust = np.ones((60, 2))
    trust[20:40, 0] = 0.0
    directions[20:40, 0] = (5.0, -15.0)
    for conjugate in ("auto", "on", "off"):
        np.testing.assert_allclose(steady(directions, trust, conjugate), truth, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.sampled_from(["auto", "on", "off"]))
def test_any_tracking_gives_finite_directions(seed: int, frames: int, conjugate: str) -> None:
    rng = np.random.default_rng(seed)
    directions = rng.normal(0, 30, (frames, 2, 2))
    trust = np.clip(rng.normal(0.5, 0.7, (frames, 2)), 0, 1) * rng.integers(0, 2)
    assert np.isfinite(steady(directions, trust, conjugate)).all()


def test_pupils_of_closed_eyes_lie_on_the_lids() -> None:
    shut = lids_lowered(mean_face(), 0.97)
    eyes = PortraitEyes(Eyes.of(mean_face()[None]), np.zeros((2, 2)), np.zeros(2), RIMS)
    for direction in ((0, 0), (20, 15), (-20, -15)):
        irises = eyes.irises(shut[None], np.broadcast_to(np.array(direction, float), (1, 2, 2)))[0]
        for eye, centre in enumerate(irises[[0, 5]]):
            rims = shut[np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye]])]
            nearest = np.linalg.norm(rims[:, :2] - centre[:2], axis=1).min()
            assert nearest < 0.25  # centimetres; the points of a lid are 0.4 apart


def test_a_portrait_with_closed_eyes_opens_them_looking_ahead() -> None:
    shut = looking(lids_lowered(mean_face(), 0.9), np.array([12.0, -16.0]), eyes=Eyes.of(mean_face()[None]))
    portrait = Landmarks(shut.astype(np.float32), SIZE)
    motion = motion_of([looking(mean_face() * (1.15, 0.9, 1), np.array([20.0, 0.0]))] * 3)  # somebody else
    for strength, expected in ((0.0, 0.0), (1.0, 20.0)):
        settings = AlignmentSettings(head="none", gaze=strength, portrait_expression="replace")
        seen = measured(align_motion(motion, portrait, settings), portrait)
        assert seen[..., 0] == pytest.approx(expected, abs=1.5)
        assert np.abs(seen[..., 1]).max() < 4.0


def test_how_a_driver_s_eyes_are_built_stays_the_driver_s_but_crossed_eyes_do_not() -> None:
    """Eyes that seem 12 degrees too close together at rest do not make the portrait squint; 36 degrees do."""

    def seen(apart: float, own: float = 0.0) -> float:
        motion = motion_of([looking(mean_face(), np.array([[apart / 2, 0], [-apart / 2, 0]]))] * 9)
        own_eyes = np.array([[own / 2, 0], [-own / 2, 0]])
        portrait = Landmarks(looking(mean_face() * (1.1, 1, 1), own_eyes).astype(np.float32), SIZE)
        directions = measured(
            align_motion(motion, portrait, AlignmentSettings(head="none", neutral=0)), portrait
        )
        return float((directions[:, 0, 0] - directions[:, 1, 0]).mean())

    assert seen(12.0) == pytest.approx(0.0, abs=1.5)
    assert seen(0.0, own=-10.0) == pytest.approx(-10.0, abs=1.5)
    assert seen(44.0) == pytest.approx(44.0, abs=4.0)
    assert usual_difference(Gaze(np.zeros((3, 2, 2)), np.zeros((3, 2)))).tolist() == [0, 0]


def test_two_people_in_one_clip_have_their_own_eyes() -> None:
    one = [looking(mean_face(), np.array([[6.0, 0], [-6.0, 0]]))] * 8
    other = [looking(mean_face(), np.array([[-4.0, 0], [4.0, 0]]))] * 8
    motion = motion_of(one + other)
    faces = solve_metric_faces(motion.landmarks, SIZE)
    usual = driving_gaze(motion, faces, "auto", np.repeat([0, 1], 8)).usual[:, 0]
    assert usual[:8] == pytest.approx(12.0, abs=1.0)
    assert usual[8:] == pytest.approx(-8.0, abs=1.0)


def test_the_released_alignment_knows_nothing_of_it() -> None:
    rng = np.random.default_rng(3)
    motion = motion_of([looking(mean_face(), rng.normal(0, 10, (2, 2))) for _ in range(6)])
    portrait = Landmarks(looking(mean_face() * (1.1, 1, 1), np.zeros(2)).astype(np.float32), SIZE)
    released = AlignmentSettings(head="absolute", neutral=0)
    points = align_motion(motion, portrait, released)
    np.testing.assert_allclose(
        iris_places(points), iris_places(motion.landmarks[..., :2].astype(np.float64)), atol=1e-6
    )
    np.testing.assert_array_equal(
        align_motion(motion, portrait, replace(released, conjugate_gaze="on")), points
    )


def test_another_word_for_it_is_refused() -> None:
    with pytest.raises(SettingsError, match="'auto', 'on' or 'off'"):
        AlignmentSettings(conjugate_gaze="maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("apart", "usual"),
    [((15.0, 6.0), (15.0, 6.0)), ((-25.0, -10.0), (-15.0, -6.0)), ((45.0, 20.0), (0.0, 0.0))],
)
def test_how_eyes_are_built_is_at_most_20_degrees_across_and_8_upwards(
    apart: tuple[float, float], usual: tuple[float, float]
) -> None:
    """What differs by more is an expression, and by twice that wholly one."""
    directions = np.zeros((5, 2, 2))
    directions[:, 0] = apart
    assert usual_difference(Gaze(directions, np.ones((5, 2)))) == pytest.approx(usual)

"""Drawn portraits: the truth that comes with a picture is consistent, and motion is smooth and alive."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skia")

from followyouremoji.face.drawing import expression_mask, face_mask
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from followyouremoji.portraits import (
    STYLES,
    Identity,
    Look,
    Performance,
    draw_portrait,
    expressive_motion,
    random_identity,
    speech,
)
from followyouremoji.portraits.head import to_picture
from followyouremoji.portraits.sheet import portrait_sheet


@pytest.fixture(scope="module")
def identities() -> list[Identity]:
    rng = np.random.default_rng(11)
    return [random_identity(rng, STYLES[k % len(STYLES)]) for k in range(10)]


def test_there_are_many_named_expressions() -> None:
    assert len(EXPRESSIONS) >= 18
    vectors = np.array([expression.vector() for expression in EXPRESSIONS.values()])
    assert vectors.shape == (len(EXPRESSIONS), len(CONTROLS))
    assert np.abs(vectors).max() <= 2.0


def test_same_seed_draws_the_same_picture() -> None:
    first, second = (
        draw_portrait(random_identity(rng), Performance.random(rng), 96)
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert np.array_equal(first.picture, second.picture)
    assert np.array_equal(first.points, second.points)


def test_vertices_and_pose_project_to_the_points(identities: list[Identity]) -> None:
    rng = np.random.default_rng(0)
    for identity in identities:
        drawn = draw_portrait(identity, Performance.random(rng), 128)
        assert drawn.picture.shape == (128, 128, 3)
        assert drawn.picture.dtype == np.uint8
        assert drawn.points.shape == (478, 2)
        np.testing.assert_allclose(to_picture(drawn.vertices, drawn.pose, 128), drawn.points[:468], atol=1e-6)


def test_face_fills_about_half_of_the_picture(identities: list[Identity]) -> None:
    for identity in identities:
        points = draw_portrait(identity, Performance.neutral(), 128).points[:468] / 128
        extent = np.ptp(points, axis=0).max()
        assert 0.42 < extent < 0.66
        assert points.min() > 0.0
        assert points.max() < 1.0


def test_points_do_not_depend_on_the_resolution(identities: list[Identity]) -> None:
    small, large = (draw_portrait(identities[0], Performance.of("smile"), size).points for size in (64, 256))
    np.testing.assert_allclose(4.0 * small, large, atol=1e-6)


def test_closed_eyes_close_and_only_they(identities: list[Identity]) -> None:
    for identity in identities:
        openness = {
            name: draw_portrait(identity, Performance.of(name), 64).points
            for name in ("neutral", "wink_left")
        }
        gap = {name: np.linalg.norm(p[[159, 386]] - p[[145, 374]], axis=1) for name, p in openness.items()}
        assert gap["wink_left"][1] < 0.2 * gap["neutral"][1]
        assert gap["wink_left"][0] > 0.5 * gap["neutral"][0]


def test_gaze_and_yaw_go_to_the_pictures_right(identities: list[Identity]) -> None:
    for identity in identities:
        ahead = draw_portrait(identity, Performance.neutral(), 64).points
        right = draw_portrait(identity, Performance(gaze=((0.8, 0.0), (0.8, 0.0))), 64).points
        turned = draw_portrait(identity, Performance(yaw=20.0), 64).points
        for iris in (RIGHT_IRIS, LEFT_IRIS):
            assert right[iris, 0] > ahead[iris, 0] + 0.3
        assert np.array_equal(right[:468], ahead[:468])
        middle = 0.5 * (turned[234, 0] + turned[454, 0])
        assert turned[1, 0] > middle + 2.0


def test_moving_eyes_change_only_the_eyes(identities: list[Identity]) -> None:
    identity = identities[0]
    ahead = draw_portrait(identity, Performance.neutral(), 128)
    aside = draw_portrait(identity, Performance(gaze=((0.8, 0.0), (0.8, 0.0))), 128)
    changed = np.argwhere(np.abs(ahead.picture.astype(int) - aside.picture).max(axis=2) > 2)
    assert len(changed) > 20
    eyes = ahead.points[[33, 133, 159, 145, 263, 362, 386, 374]][:, ::-1]
    assert (changed >= eyes.min(axis=0) - 6).all()
    assert (changed <= eyes.max(axis=0) + 6).all()


def test_lips_never_cross() -> None:
    rng = np.random.default_rng(5)
    upper, lower = (81, 82, 13, 312, 311), (178, 87, 14, 317, 402)
    for _ in range(40):
        drawn = draw_portrait(random_identity(rng), Performance.random(rng), 32)
        assert (drawn.vertices[list(upper), 1] >= drawn.vertices[list(lower), 1] - 1e-9).all()


@pytest.mark.parametrize("motion", [speech, expressive_motion])
def test_motion_is_smooth_and_blinks(motion) -> None:
    moments = motion(np.random.default_rng(2), 150, 25.0)
    assert len(moments) == 150
    controls = np.array([moment.controls for moment in moments])
    blink = controls[:, CONTROLS.index("blink_left")]
    assert blink.max() > 0.95
    assert blink.min() < 0.1
    assert controls.std(axis=0).max() > 0.1
    angles = np.array([(moment.yaw, moment.pitch, moment.roll) for moment in moments])
    assert np.ptp(angles[:, 0]) > 3.0
    # No head turns faster than 100 degrees a second.
    assert np.abs(np.diff(angles, axis=0)).max() < 4.0


def test_masks_cover_the_face(identities: list[Identity]) -> None:
    drawn = draw_portrait(identities[0], Performance.neutral(), 128)
    face = face_mask(drawn.points, (128, 128))
    assert face.shape == (128, 128)
    assert face.dtype == bool
    x, y = drawn.points[1].astype(int)
    assert face[y, x]
    assert not face[0, 0]
    x, y = drawn.points[13].astype(int)
    assert expression_mask(drawn.points, (128, 128))[y, x]


def test_a_portrait_sheet_has_a_row_per_identity(identities: list[Identity]) -> None:
    sheet = portrait_sheet(np.random.default_rng(0), identities[:3], 2, 48)
    assert sheet.shape == (3 * 48, 2 * 48, 3)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="person"):
        random_identity(np.random.default_rng(0), "robot")


@pytest.mark.parametrize("style", ["person", "cartoon", "stone", "emoji", "painting"])
def test_a_face_detector_sees_what_is_drawn(style: str) -> None:
    """At least 5 of 6 frontal faces found as drawn, without a look over them; points within 8 % of the distance between
    the pupils (mean over points and pictures)."""
    mesh = pytest.importorskip("mediapipe.python.solutions.face_mesh", reason="the mesh finds them")
    rng = np.random.default_rng(9)
    errors = []
    with mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as detector:
        for _ in range(6):
            plain = replace(random_identity(rng, style), look=Look())
            drawn = draw_portrait(plain, Performance.neutral(), 256)
            found = detector.process(drawn.picture).multi_face_landmarks
            if not found:
                continue
            points = np.array([(point.x, point.y) for point in found[0].landmark]) * 256
            pupils = np.linalg.norm(drawn.points[RIGHT_IRIS] - drawn.points[LEFT_IRIS])
            errors.append(np.linalg.norm(points - drawn.points, axis=1).mean() / pupils)
    assert len(errors) >= 5
    assert np.mean(errors) < 0.08

"""A face fitted to a few of its points, against drawn faces whose landmarks are exactly known."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.errors import PointsError, SettingsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.fitting import Fitted, fit_face
from followyouremoji.face.geometry import project, solve_metric_faces
from followyouremoji.face.placed_points import POINTS, PlacedPoints
from followyouremoji.face.topology import N_MESH, TRIANGLES
from followyouremoji.face.window import face_window
from followyouremoji.portraits import Performance, random_identity
from followyouremoji.portraits.truth import exact_landmarks

VISIBLE = [name for name in POINTS if "left" not in name]  # of a head turned to the picture's right
FACES = 4
Truth = tuple[Landmarks, float]
"""Landmarks, and the eye distance in pixels that they have, or would have from the front."""


def truth(style: str, seed: int, yaw: float, size: int = 512) -> Truth:
    rng = np.random.default_rng(seed)
    who, moment = random_identity(rng, style), replace(Performance.random(rng), yaw=yaw)
    posed, front = exact_landmarks(who, [moment, replace(moment, yaw=0.0)]).astype(np.float32)
    apart = size * np.linalg.norm(front[33, :2] - front[263, :2])
    return Landmarks(posed, (size, size)), float(apart)


def named(landmarks: Landmarks, names: list[str]) -> dict[str, np.ndarray]:
    points = landmarks.points.astype(np.float64)
    return {name: points[list(POINTS[name].landmarks)].mean(axis=0) for name in names}


def error(fitted: Fitted, true: Truth) -> float:
    """Mean over the mesh, in eye distances."""
    landmarks, apart = true
    off = np.linalg.norm(fitted.landmarks.points - landmarks.points, axis=1)[:N_MESH]
    return float(off.mean() / apart)


def front_sides(points: np.ndarray) -> np.ndarray:
    """(852,) which triangles turn their front to the camera."""
    a, b, c = (points[TRIANGLES[:, corner]] for corner in range(3))
    ab, ac = b - a, c - a
    return np.asarray(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0] < 0)


@pytest.mark.parametrize(
    ("style", "yaw", "names", "most"),
    [
        ("person", 0.0, [*POINTS], 0.035),
        ("person", -35.0, [*POINTS], 0.035),
        ("person", 60.0, VISIBLE, 0.045),
        ("person", 85.0, VISIBLE, 0.045),
        ("animal", 0.0, [*POINTS], 0.05),
        ("animal", 40.0, [*POINTS], 0.055),
        ("cartoon", 0.0, [*POINTS], 0.045),
        ("person", 0.0, ["right_pupil", "left_pupil", "nose_tip", "mouth_right", "mouth_left"], 0.075),
    ],
)
def test_the_fit_is_near_the_truth(style: str, yaw: float, names: list[str], most: float) -> None:
    for seed in range(FACES):
        true = truth(style, seed, yaw)
        fitted = fit_face(named(true[0], names), true[0].size)
        assert error(fitted, true) < most
        assert max(fitted.residuals[name] for name in names if name not in fitted.doubted) < 0.03
        depth = fitted.landmarks.normalised[:, 2] - true[0].normalised[:, 2]
        assert np.abs(depth).mean() * true[0].size[0] < 0.1 * true[1]


@pytest.mark.parametrize("yaw", [0.0, 40.0])
def test_one_misplaced_point_is_found_and_pulls_no_other(yaw: float) -> None:
    for seed, name in enumerate(["right_eye_outer", "left_brow_middle", "nose_tip", "mouth_left"]):
        true = truth("person", seed, yaw)
        points = named(true[0], [*POINTS])
        clean = fit_face(points, true[0].size)
        points[name] = points[name] + 0.3 * true[1] * np.array([0.6, 0.8])
        fitted = fit_face(points, true[0].size)
        assert fitted.doubted == (name,)
        assert fitted.residuals[name] > 0.15
        assert error(fitted, true) < error(clean, true) + 0.02


def test_exchanged_pupils_are_doubted_and_irises_stay_in_the_eyes() -> None:
    true = truth("person", 0, 0.0)
    points = named(true[0], [*POINTS])
    points["right_pupil"], points["left_pupil"] = points["left_pupil"], points["right_pupil"]
    fitted = fit_face(points, true[0].size)
    assert set(fitted.doubted) == {"right_pupil", "left_pupil"}
    assert np.linalg.norm(fitted.landmarks.points[[468, 473]] - true[0].points[[468, 473]], axis=1).max() < (
        0.12 * true[1]
    )


def test_a_hand_s_noise_is_borne() -> None:
    rng = np.random.default_rng(0)
    for seed in range(FACES):
        true = truth("person", seed, 20.0)
        points = named(true[0], [*POINTS])
        points = {name: place + 0.02 * true[1] * rng.normal(size=2) for name, place in points.items()}
        assert error(fit_face(points, true[0].size), true) < 0.05


def test_the_order_of_points_is_irrelevant() -> None:
    true = truth("person", 1, 20.0)
    points = named(true[0], [*POINTS])
    forwards = fit_face(points, true[0].size)
    backwards = fit_face(dict(reversed(points.items())), true[0].size)
    np.testing.assert_array_equal(forwards.landmarks.normalised, backwards.landmarks.normalised)


@pytest.mark.parametrize(
    ("scale", "wide", "tall", "place"),
    [(0.05, 1.0, 1.0, 0.0), (20.0, 3.0, 1.0, 0.5), (1.0, 3.0, 3.0, 0.0), (1.0, 1.0, 3.0, 1.0)],
)
def test_every_size_and_shape_of_picture(scale: float, wide: float, tall: float, place: float) -> None:
    """The same face somewhere in a larger picture: seen a little from aside, it is fitted as well."""
    true, apart = truth("person", 2, 10.0)
    size = round(512 * scale * wide), round(512 * scale * tall)
    shift = place * (np.array(size) - 512 * scale)
    points = {name: scale * p + shift for name, p in named(true, [*POINTS]).items()}
    fitted = fit_face(points, size)
    off = np.linalg.norm(fitted.landmarks.points - (scale * true.points + shift), axis=1)[:N_MESH]
    assert off.mean() / (scale * apart) < 0.035
    assert not fitted.doubted


@pytest.mark.parametrize("degrees", [-170.0, -90.0, -30.0, 60.0, 135.0])
def test_a_face_that_lies_or_stands_on_its_head(degrees: float) -> None:
    true, apart = truth("person", 3, 15.0)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = {name: turn @ (place - 256) + 256 for name, place in named(true, [*POINTS]).items()}
    fitted = fit_face(points, true.size)
    off = np.linalg.norm(fitted.landmarks.points - ((true.points - 256) @ turn.T + 256), axis=1)[:N_MESH]
    assert off.mean() / apart < 0.035


def test_the_mesh_follows_proportions_that_no_human_face_has() -> None:
    """Smaller eyes far apart, a mouth near the nose: what was placed is where it was placed."""
    placed = PlacedPoints.template((500, 500))
    points = {name: np.array(place) for name, place in placed.points.items() if "brow" not in name}
    for side, way in (("right", -1), ("left", 1)):
        eye = points[f"{side}_pupil"].copy()
        for name in points:
            if name.startswith(f"{side}_"):
                points[name] = eye + 0.7 * (points[name] - eye) + (20 * way, 0)
    for name in ("upper_lip", "lower_lip", "mouth_right", "mouth_left", "chin"):
        points[name] = points[name] - (0, 15)
    fitted = fit_face(points, placed.picture)
    assert not fitted.doubted
    assert max(fitted.residuals.values()) < 0.02
    front = front_sides(fitted.landmarks.points)
    assert front.mean() > 0.93


@pytest.mark.parametrize(("style", "yaw"), [("person", 0.0), ("animal", 30.0), ("person", 80.0)])
def test_what_is_seen_of_the_mesh_does_not_fold(style: str, yaw: float) -> None:
    for seed in range(FACES):
        true, _ = truth(style, seed, yaw)
        fitted = fit_face(named(true, VISIBLE if yaw > 50 else [*POINTS]), true.size)
        seen = front_sides(true.points)
        assert (seen & ~front_sides(fitted.landmarks.points)).sum() < 0.1 * seen.sum()


@pytest.mark.parametrize("yaw", [0.0, 80.0])
def test_the_result_is_a_metric_face_and_has_a_window(yaw: float) -> None:
    true, _ = truth("person", 0, yaw)
    fitted = fit_face(named(true, VISIBLE if yaw else [*POINTS]), true.size).landmarks
    assert fitted.normalised.shape == (478, 3)
    assert fitted.normalised.dtype == np.float32
    faces = solve_metric_faces(fitted.normalised[None], fitted.size)
    again = project(faces.vertices, faces.poses, fitted.size)[0]
    np.testing.assert_allclose(again, fitted.points[:N_MESH], atol=0.01)
    turned = np.degrees(np.arctan2(faces.poses[0, 0, 2], faces.poses[0, 2, 2]))
    assert abs(turned - yaw) < 20
    corners = np.array([[0, 0], [256, 0], [0, 256]])
    own, exact = (face_window(points, 256).to_picture(corners) for points in (fitted.points, true.points))
    np.testing.assert_allclose(own, exact, atol=0.1 * np.ptp(exact))


def test_a_closed_eye_is_closed() -> None:
    points = dict(PlacedPoints.template((500, 500)).points)
    points["left_eye_top"] = points["left_eye_bottom"]
    found = fit_face(points, (500, 500)).landmarks.points
    left, right = found[[386, 374]], found[[159, 145]]
    assert left[1, 1] - left[0, 1] < 0.15 * (right[1, 1] - right[0, 1])
    assert (found[[249, 390, 373, 374, 380, 381, 382], 1] >= found[[466, 388, 387, 386, 385, 384, 398], 1] - 0.05).all()  # fmt: skip


def test_any_points_make_landmarks_or_an_error_for_users() -> None:
    rng = np.random.default_rng(0)
    template = PlacedPoints.template((300, 200)).points
    made = 0
    for trial in range(120):
        spread = (0.02, 0.1, 0.4)[trial % 3] * 200
        points = {name: np.array(place) + spread * rng.normal(size=2) for name, place in template.items()}
        try:
            fitted = fit_face(points, (300, 200))
        except (SettingsError, PointsError):
            assert trial % 3 == 2
            continue
        made += 1
        assert np.isfinite(fitted.landmarks.normalised).all()
        assert np.ptp(fitted.landmarks.points, axis=0).max() < 5 * np.ptp([*points.values()], axis=0).max()
    assert 80 <= made < 120


def test_points_that_make_no_face_are_refused() -> None:
    with pytest.raises(SettingsError, match="there is no point `nose`"):
        fit_face({"nose": (1.0, 2.0)}, (100, 100))

"""Figures of pictures, on pictures whose figures are known."""

import numpy as np
import pytest

from followyouremoji.benchmark.metrics import regions as metrics
from followyouremoji.face.topology import LEFT_EYE_LOOP, LEFT_IRIS, RIGHT_EYE_LOOP, RIGHT_IRIS, mean_face
from followyouremoji.fidelity import luma, psnr, ssim


def frontal_points(size: int = 128) -> np.ndarray:
    """The mean face from the front, irises in the middle of the eyes: (478, 2)."""
    face = mean_face()[:, :2] * (1, -1)
    face = size / 2 + 0.5 * size * (face - face.mean(axis=0)) / np.ptp(face[:, 1])
    irises = [face[list(loop)].mean(axis=0) for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP)]
    return np.concatenate([face, np.repeat(irises, 5, axis=0)])


@pytest.fixture
def points() -> np.ndarray:
    return frontal_points()


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (128, 128, 3), np.uint8)


def gaze_error(picture: np.ndarray, truth: np.ndarray, *points: np.ndarray) -> float:
    """In widths of the eye, the mean over both."""
    shifts = metrics.iris_shifts(luma(picture), luma(truth), *points)
    return float(np.linalg.norm(shifts, axis=1).mean())


def test_equal_pictures_have_the_best_figures(noise, points) -> None:
    assert set(metrics.l1_by_region(noise, noise, points).values()) == {0.0}
    assert psnr(noise, noise) == np.inf
    assert ssim(noise, noise) == pytest.approx(1.0, abs=1e-9)
    assert metrics.landmark_error(points, points) == 0
    assert gaze_error(noise, noise, points, points, points) == 0


def test_a_brighter_picture_is_off_by_its_brightness(points) -> None:
    dark, bright = np.full((2, 128, 128, 3), 100, np.uint8)
    bright = bright + np.uint8(51)
    assert metrics.l1_by_region(bright, dark, points) == pytest.approx(
        dict.fromkeys(("face", "eyes", "mouth", "picture"), 0.2)
    )
    assert psnr(bright, dark) == pytest.approx(20 * np.log10(5))


def test_only_the_region_that_differs_is_charged(points) -> None:
    truth = np.full((128, 128, 3), 90, np.uint8)
    masks = metrics.region_masks(points, (128, 128))
    picture = truth.copy()
    picture[masks["mouth"]] = 141
    found = metrics.l1_by_region(picture, truth, points)
    assert found["mouth"] == pytest.approx(0.2)
    assert found["eyes"] == 0
    assert 0 < found["picture"] < found["face"] < found["mouth"]
    assert not (masks["mouth"] & masks["eyes"]).any()
    assert (masks["face"] & masks["mouth"]).sum() > 0.9 * masks["mouth"].sum()


def test_a_shift_of_all_landmarks_is_the_landmark_error(points) -> None:
    pupils = metrics.pupil_distance(points)
    assert metrics.landmark_error(points + np.array([0.03, 0.04]) * pupils, points) == pytest.approx(0.05)
    assert np.isnan(metrics.landmark_error(np.full_like(points, np.nan), points))


def test_a_find_elsewhere_or_of_another_size_is_not_the_face(points) -> None:
    pupils = metrics.pupil_distance(points)
    middle = points.mean(axis=0)
    for close in (points, points + 0.3 * pupils, middle + 1.2 * (points - middle)):
        assert metrics.of_the_face(close, points) is close
    nothing = np.full_like(points, np.nan)
    for other in (
        points + np.array([1.1 * pupils, 0]),
        middle + 0.5 * (points - middle),
        middle + 2 * (points - middle),
        nothing,
    ):
        assert np.isnan(metrics.of_the_face(other, points)).all()


def with_pupils(points: np.ndarray, moved: tuple[float, float]) -> np.ndarray:
    """A picture of dark irises on pale eyes, moved by so many widths of the eye."""
    y, x = np.mgrid[0.5:128, 0.5:128]
    picture = np.full((128, 128), 220.0)
    for loop, iris in ((RIGHT_EYE_LOOP, RIGHT_IRIS), (LEFT_EYE_LOOP, LEFT_IRIS)):
        width = np.ptp(points[list(loop), 0])
        centre = points[iris] + np.array(moved) * width
        distance = np.hypot(x - centre[0], y - centre[1])
        picture -= 180 * np.clip(0.5 + 0.16 * width - distance, 0, 1)
    return np.repeat(picture[..., None], 3, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("moved", [(0.2, 0.0), (-0.1, 0.0), (0.12, 0.05)])
def test_the_gaze_error_is_the_way_of_the_irises(points, moved) -> None:
    truth, picture = with_pupils(points, (0, 0)), with_pupils(points, moved)
    error = gaze_error(picture, truth, points, points, points)
    assert error == pytest.approx(np.hypot(*moved), abs=0.03)


def test_an_eye_that_lies_elsewhere_does_not_look_elsewhere(points) -> None:
    truth = with_pupils(points, (0, 0))
    moved = np.roll(truth, (3, 5), axis=(0, 1))
    assert gaze_error(moved, truth, points + np.array([5, 3]), points, points) == pytest.approx(0, abs=0.03)


def test_closed_eyes_have_no_gaze(points, noise) -> None:
    closed = points.copy()
    for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP):
        closed[list(loop), 1] = closed[list(loop), 1].mean()
    assert np.isnan(gaze_error(noise, noise, closed, closed, closed))


def test_flicker_is_what_exceeds_the_truth() -> None:
    moving = np.linspace(0, 200, 16)[:, None, None, None] * np.ones((16, 8, 8, 3))
    shaking = moving + 10 * (-1.0) ** np.arange(16)[:, None, None, None]
    steady = np.full((16, 8, 8, 3), 80)
    clips = [np.clip(clip, 0, 255).astype(np.uint8) for clip in (moving, shaking, steady)]
    truth = clips[0]
    assert metrics.flicker(truth, truth) == 0
    assert metrics.flicker(clips[2], truth) == 0
    assert metrics.flicker(clips[1], truth) == pytest.approx(40 / 255, rel=0.1)

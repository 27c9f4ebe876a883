"""The appearance metric."""

import numpy as np
import pytest

from followyouremoji.benchmark.metrics import identity
from tests.benchmark.metrics.faces_at_hand import (
    SIZE,
    case_at_hand,
    landmarks_of,
    observed,
    poses_of,
    smiling,
)

FRAMES = 6


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return landmarks_of(smiling(np.zeros(FRAMES)), poses_of(np.linspace(0, 10, FRAMES)))


def figures(case, frames: np.ndarray, landmarks: np.ndarray) -> dict[str, float]:
    return {one.metric: one.value for one in identity.measure(observed(case, frames, landmarks))}


def test_the_truth_looks_like_itself_and_another_picture_does_not(landmarks) -> None:
    case = case_at_hand(landmarks)
    assert figures(case, case.driving, landmarks) == pytest.approx({"appearance": 1, "appearance_drift": 0})
    redder = np.clip(case.driving + np.array([40, 0, 0]), 0, 255).astype(np.uint8)
    assert figures(case, redder, landmarks)["appearance"] < 0.98


def test_a_face_that_is_not_found_is_looked_at_where_it_should_be(landmarks) -> None:
    case = case_at_hand(landmarks)
    nowhere = np.full_like(landmarks, np.nan)
    assert figures(case, case.driving, nowhere)["appearance"] == pytest.approx(1)


def test_without_a_truth_the_portrait_is_who_it_should_be(landmarks) -> None:
    case = case_at_hand(np.repeat(landmarks[:1], FRAMES, axis=0), truth=False)
    still = np.repeat(case.portrait[None], FRAMES, axis=0)
    assert figures(case, still, case.motion.landmarks)["appearance"] == pytest.approx(1)


def test_the_drift_is_the_last_third_less_the_first() -> None:
    assert identity.last_less_first(np.array([1.0, 2, 9, 9, 5, 6])) == pytest.approx(4.0)
    assert np.isnan(identity.last_less_first(np.array([1.0, 2.0])))


def test_the_descriptor_holds_the_mean_colours_of_its_patches() -> None:
    points = landmarks_of(smiling(np.zeros(1)), poses_of(np.zeros(1)))[0, :, :2] * SIZE
    picture = np.full((SIZE, SIZE, 3), (200, 120, 60), np.uint8)
    colours = identity.patch_colours(identity.describe(picture, points)[None])[0]
    whole = colours[len(colours) // 2]
    assert whole == pytest.approx([58.08, 26.18, 45.19], abs=0.2)  # by skimage.color
    assert np.isnan(identity.describe(picture, np.full_like(points, np.nan))).all()


@pytest.mark.slow
def test_the_scale_in_the_package_is_the_one_that_is_measured() -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    measured, kept = identity.measured_scale(256), identity.appearance_scale()
    assert kept.mean == pytest.approx(measured.mean, rel=5e-3, abs=1e-3)
    assert kept.spread == pytest.approx(measured.spread, rel=1e-2, abs=1e-3)

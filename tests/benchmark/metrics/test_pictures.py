"""Picture metrics of whole clips."""

import numpy as np
import pytest

from followyouremoji import fidelity
from followyouremoji.benchmark.metrics import pictures, regions
from tests.benchmark.metrics.faces_at_hand import (
    SIZE,
    case_at_hand,
    landmarks_of,
    observed,
    pictures_of,
    poses_of,
    smiling,
)

FRAMES = 4


@pytest.fixture
def landmarks() -> np.ndarray:
    return landmarks_of(smiling(np.zeros(FRAMES)), poses_of(np.linspace(0, 10, FRAMES)))


def test_the_truth_has_perfect_figures(landmarks) -> None:
    case = case_at_hand(landmarks)
    found = {one.metric: one.value for one in pictures.measure(observed(case, case.driving, landmarks))}
    assert found.pop("ssim") == found.pop("ms_ssim") == 1
    assert found.pop("psnr") == pictures.BEST_PSNR
    assert found == dict.fromkeys(("l1", "l1_face", "l1_eyes", "l1_mouth"), 0.0)


def test_a_clips_figure_is_the_mean_of_its_frames(landmarks) -> None:
    case = case_at_hand(landmarks)
    result = pictures_of(FRAMES, seed=3)
    found = {one.metric: one.value for one in pictures.measure(observed(case, result, landmarks))}
    both = list(zip(result, case.driving, strict=True))
    assert found["ssim"] == pytest.approx(np.mean([fidelity.ssim(*frames) for frames in both]))
    assert found["psnr"] == pytest.approx(np.mean([fidelity.psnr(*frames) for frames in both]))
    assert found["l1"] == pytest.approx(np.abs(result.astype(float) - case.driving).mean() / 255)
    faces = [regions.region_masks(points[:, :2] * SIZE, (SIZE, SIZE))["face"] for points in landmarks]
    by_hand = [fidelity.l1(*frames, face) for frames, face in zip(both, faces, strict=True)]
    assert found["l1_face"] == pytest.approx(np.mean(by_hand))


def test_without_a_truth_there_is_no_value(landmarks) -> None:
    case = case_at_hand(landmarks, truth=False)
    assert all(np.isnan(one.value) for one in pictures.measure(observed(case, case.driving, landmarks)))


def test_frames_are_compared_in_their_order(landmarks) -> None:
    case = case_at_hand(landmarks)
    measured = pictures.measure(observed(case, case.driving[::-1], landmarks))
    assert next(one.value for one in measured if one.metric == "l1") > 0

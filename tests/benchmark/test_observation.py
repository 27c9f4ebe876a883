"""What is seen in results, by the real detector on drawn portraits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("skia", reason="drawn portraits need skia")

from benchmarks.metrics import DrawnCase

from followyouremoji.benchmark.metrics import METRICS, measure
from followyouremoji.benchmark.observation import Finds, Observer
from followyouremoji.errors import DataError
from followyouremoji.portraits import Performance, random_identity

FRAMES = 4


class CountingObserver(Observer):
    """Counts the clips that the detector looks at."""

    looked = 0

    def look(self, frames: np.ndarray) -> Finds:
        self.looked += 1
        return super().look(frames)


@pytest.fixture(scope="module")
def case() -> DrawnCase:
    who = random_identity(np.random.default_rng(4), "person")
    return DrawnCase.of(who, [Performance(yaw=2.0 * frame) for frame in range(FRAMES)], 192)


@pytest.fixture(scope="module")
def observer():
    with CountingObserver() as observer:
        yield observer


def test_the_truth_is_perfect_by_every_metric(case, observer) -> None:
    measured = measure(observer.observe(case, case.truth))
    without_bundle = [metric for metric in METRICS if set(metric.needs) <= {"truth"}]
    assert [one.metric for one in measured] == [metric.name for metric in without_bundle]
    values = {one.metric: one.value for one in measured}
    perfect = {"psnr": 100.0, "landmark_accuracy": 100.0, "landmark_auc": 100.0}
    for metric in without_bundle:
        best = perfect.get(metric.name, 1.0 if metric.better == "more" else 0.0)
        assert values[metric.name] == pytest.approx(best, abs=1e-6), metric.name


def test_a_frame_without_the_face_is_not_found(case, observer) -> None:
    frames = case.truth.copy()
    frames[1] = 128
    frames[2] = np.roll(frames[2], 96, axis=1)  # a face, but elsewhere
    observation = observer.observe(case, frames)
    assert observation.result.found.tolist() == [True, False, False, True]
    assert np.isnan(observation.points[1:3]).all()
    assert np.isfinite(observation.result.places).all()
    values = {one.metric: one.value for one in measure(observation)}
    assert values["found"] == 0.5
    assert values["landmark_accuracy"] == pytest.approx(50, abs=2)
    assert values["landmark_error"] < 1


def test_what_results_are_compared_with_is_looked_at_once(case, observer) -> None:
    measure(observer.observe(case, case.truth))
    before = observer.looked
    for shift in (1, 2):
        measure(observer.observe(case, np.roll(case.truth, shift, axis=2)))
    again = DrawnCase(case.identity, case.performances, case.truth, case.landmarks)
    measure(observer.observe(again, np.roll(case.truth, 3, axis=2)))
    assert observer.looked == before + 3  # the results alone


def test_a_frame_that_stands_still_is_looked_at_once(case, observer, monkeypatch) -> None:
    looked: list[np.ndarray] = []
    detect = observer._detector.detect
    monkeypatch.setattr(
        observer._detector, "detect", lambda picture: looked.append(picture) or detect(picture)
    )
    finds = observer.look(np.stack([case.truth[0]] * 3 + [case.truth[3]] * 2 + [case.truth[0]]))
    assert len(looked) == 3
    each = [detect(case.truth[frame]).normalised for frame in (0, 0, 0, 3, 3, 0)]
    np.testing.assert_array_equal(finds.landmarks, each)


def test_a_result_of_other_frames_is_refused(case, observer) -> None:
    for frames in (case.truth[:-1], case.truth[:, ::2, ::2], case.truth.astype(np.float32)):
        with pytest.raises(DataError, match=r"uint8 \(4, 192, 192, 3\) were to be made"):
            observer.observe(case, frames)

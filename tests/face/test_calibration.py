"""The rest is the first calm second, or after three seconds the calmest."""

import numpy as np
import pytest

from followyouremoji.face.calibration import CALM, LONGEST, RELAXED, Calibration, restlessness
from followyouremoji.face.motion import Motion
from followyouremoji.requests.bundled import bundled_motion

RATE = 25.0


@pytest.fixture(scope="module")
def hello() -> Motion:
    return bundled_motion("hello")


def found_at(frames: np.ndarray, size: tuple[int, int]) -> tuple[int, np.ndarray] | None:
    calibration = Calibration()
    for frame, landmarks in enumerate(frames):
        rest = calibration.add(landmarks, size, frame / RATE)
        if rest is not None:
            return frame, rest
    return None


def test_a_face_that_rests_is_known_after_a_second(hello: Motion) -> None:
    still = np.repeat(hello.landmarks[:1], 40, axis=0)
    jittery = still + np.random.default_rng(0).normal(0, 2e-4, still.shape)
    found = found_at(jittery, hello.size)
    assert found is not None
    assert found[0] == 25
    assert np.abs(found[1] - still[0]).max() < 5e-4


def test_a_blink_does_not_show_in_the_rest(hello: Motion) -> None:
    still = np.repeat(hello.landmarks[:1], 40, axis=0)
    still[8:13, 159] = still[8:13, 145]  # an upper lid on the lower one, for a fifth of a second
    found = found_at(still, hello.size)
    assert found is not None
    np.testing.assert_allclose(found[1], hello.landmarks[0])


def test_of_a_face_that_never_rests_the_calmest_second_counts(hello: Motion) -> None:
    """It nods all the time, for a second in the middle by less."""
    frames = np.repeat(hello.landmarks[:1], 100, axis=0)
    size = np.where(np.abs(np.arange(100) - 45) <= 12, 0.5, 1.0)
    frames[..., 2] += (0.3 * size * np.sin(np.arange(100)))[:, None] * (frames[..., 1] - 0.5)
    assert restlessness(frames[:25], hello.size)[0] > CALM
    found = found_at(frames, hello.size)
    assert found is not None
    assert found[0] == round(LONGEST * RATE)
    expected = np.median(frames[33:58], axis=0)
    assert np.abs(found[1] - expected).max() < 0.02


def test_a_second_must_be_whole(hello: Motion) -> None:
    calibration = Calibration()
    for frame in range(20):
        assert calibration.add(hello.landmarks[0], hello.size, frame / RATE) is None
    calibration.lost()
    for frame in range(60, 85):
        assert calibration.add(hello.landmarks[0], hello.size, frame / RATE) is None
    assert calibration.add(hello.landmarks[0], hello.size, 85 / RATE) is not None


def test_an_expression_is_told_from_rest(hello: Motion) -> None:
    """The bundled motion begins at rest, and opens its mouth later."""
    resting, speaking = (
        restlessness(np.repeat(one[None], 5, axis=0), hello.size)
        for one in (hello.landmarks[0], hello.landmarks[widest(hello)])
    )
    assert max(resting[0], speaking[0]) < 1e-6  # within rounding
    assert resting[1] < min(RELAXED, 0.8 * speaking[1])


def widest(motion: Motion) -> int:
    """The frame of the widest mouth."""
    return int((motion.landmarks[:, 14, 1] - motion.landmarks[:, 13, 1]).argmax())

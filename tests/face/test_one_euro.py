"""The causal filter takes jitter out of what rests, and lets a blink and a turning head through."""

import numpy as np

from followyouremoji.face.one_euro import LandmarkFilter
from tests.face.test_smoothing import BLINK, SIZE, clean, error, lid_gap

__all__ = ["clean"]

RATE = 25.0


def filtered(landmarks: np.ndarray) -> np.ndarray:
    steadied = LandmarkFilter()
    return np.stack([steadied(one, SIZE, frame / RATE) for frame, one in enumerate(landmarks)])


def test_jitter_falls_where_nothing_moves(clean: np.ndarray) -> None:
    still = np.repeat(clean[:1], 50, axis=0)
    jittery = still + np.random.default_rng(0).normal(0, 0.3 / 512, still.shape)
    steady = filtered(jittery)[10:]
    assert error(steady, still[10:]) < 0.7 * error(jittery[10:], still[10:])
    trembling = [np.abs(np.diff(one, 2, axis=0)).mean() for one in (steady, jittery[10:])]
    assert trembling[0] < 0.6 * trembling[1]


def test_a_blink_and_a_turn_come_through_in_time(clean: np.ndarray) -> None:
    """The lid is shut in the frame in which it is, to a sixth of its way, where an average over a tenth of a second
    would leave it half open; and the turning head is at most a pixel behind."""
    steady = filtered(clean)
    assert lid_gap(steady)[52] < 0.17 * lid_gap(clean)[0]
    frames = [frame for frame in range(5, 100) if not 49 <= frame <= 60 and frame not in BLINK]
    assert error(steady[frames], clean[frames]) < 1.0


def test_what_does_not_move_stays_as_it_is(clean: np.ndarray) -> None:
    still = np.repeat(clean[:1], 5, axis=0)
    np.testing.assert_allclose(filtered(still), still, atol=1e-6)

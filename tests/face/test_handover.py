"""A jump that comes later, and in no jump."""

import numpy as np
import pytest

from followyouremoji.face.handover import Handover
from followyouremoji.face.tracking import EASED_SECONDS

BEFORE, AFTER = np.zeros((3, 2)), np.full((3, 2), 10.0)


@pytest.mark.parametrize("rate", [10.0, 25.0, 60.0])
def test_a_jump_is_over_after_its_time_whatever_the_rate(rate: float) -> None:
    handover = Handover()
    handover(BEFORE, 0.0)
    handover.jumped(BEFORE, AFTER)
    times = np.arange(1, 3 * EASED_SECONDS * rate) / rate
    shown = np.array([handover(AFTER, time)[0, 0] for time in times])
    assert (np.diff(shown, prepend=0.0) > 0).all()
    assert shown.max() < 10.0
    assert shown[times >= EASED_SECONDS + 1e-9][0] >= 0.95 * 10.0 - 1e-6
    assert shown[times <= 0.1 * EASED_SECONDS].max(initial=0.0) < 0.1 * 10.0  # it sets off from rest


def test_what_moves_after_the_jump_moves_in_full() -> None:
    """The difference from the points does not depend on how they move."""
    still, moving = Handover(), Handover()
    for one in (still, moving):
        one(BEFORE, 0.0)
        one.jumped(BEFORE, AFTER)
    for frame in range(1, 10):
        moved = AFTER + frame
        late = still(AFTER, frame / 25) - AFTER
        np.testing.assert_allclose(moving(moved, frame / 25) - moved, late)


def test_a_jump_a_frame_does_not_hold_the_points_back_for_good() -> None:
    """As while a slider is dragged for a second: at its end the points are less than a third of the way behind."""
    handover = Handover()
    shown = handover(BEFORE, 0.0)
    for frame in range(1, 26):
        before, after = BEFORE + (frame - 1) * 0.4, BEFORE + frame * 0.4
        handover.jumped(before, after)
        shown = handover(after, frame / 25)
    assert 10.0 > shown[0, 0] > 10.0 * 2 / 3

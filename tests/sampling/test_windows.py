"""Overlapping windows cover a clip, and blending predictions is blending latents."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.windows import Window, overlapping_windows


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 400), st.integers(4, 32), st.integers(0, 3), st.sampled_from(["even", "gaussian"]))
def test_windows_cover_all_frames_with_shares_that_sum_to_one(frames, length, overlap, blend) -> None:
    windows = overlapping_windows(frames, length, overlap, blend)
    total = np.zeros(frames)
    for window in windows:
        assert window.stop - window.start == min(length, frames)
        assert (window.shares > 0).all()
        total[window.start : window.stop] += window.shares
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    assert windows[0].start == 0
    assert windows[-1].stop == frames
    for before, after in pairwise(windows):
        assert before.stop - after.start >= overlap


def test_the_release_s_tiles() -> None:
    """16 frames, overlap 4, weights exp(-(i - 7.5)^2 / (2 * 0.01 * 16^2))."""
    first, second = overlapping_windows(28, 16, 4, "gaussian")
    assert (first.start, first.stop, second.start, second.stop) == (0, 16, 12, 28)
    weight = np.exp(-((np.array([4.5, 7.5]) ** 2) / 5.12))  # frame 12 in the first tile and in the second
    assert first.shares[12] == pytest.approx(weight[0] / weight.sum())
    assert second.shares[0] == pytest.approx(weight[1] / weight.sum())


def test_the_release_s_windows_average_where_they_overlap() -> None:
    first, second = overlapping_windows(40, 24, 4)
    assert (first.start, first.stop, second.start, second.stop) == (0, 24, 16, 40)
    assert set(first.shares[16:]) == set(second.shares[:8]) == {0.5}


@pytest.mark.parametrize("index", [0, 3, 9])
def test_blended_predictions_step_to_blended_latents(index: int) -> None:
    schedule = ddim_schedule(10)
    generator = torch.Generator().manual_seed(0)
    latents, first, second = torch.randn(3, 5, 8, generator=generator, dtype=torch.float64)
    share = torch.rand(5, 1, generator=generator, dtype=torch.float64)
    stepped = [schedule.step(latents, v, index) for v in (first, second)]
    blended = schedule.step(latents, share * first + (1 - share) * second, index)
    torch.testing.assert_close(blended, share * stepped[0] + (1 - share) * stepped[1])


def test_no_frames_no_windows_and_impossible_overlap() -> None:
    assert overlapping_windows(0, 16) == []
    with pytest.raises(ValueError, match="cannot overlap"):
        overlapping_windows(10, 4, 4)


def test_a_short_clip_has_one_window() -> None:
    (window,) = overlapping_windows(5, 16, blend="gaussian")
    assert isinstance(window, Window)
    assert (window.start, window.stop) == (0, 5)
    np.testing.assert_array_equal(window.shares, np.ones(5))

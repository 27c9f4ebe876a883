"""What the benchmark of live animation counts."""

import numpy as np
import pytest
from benchmarks.live import Run, back_and_forth, figures, table

from followyouremoji.live import LiveFrame


def test_a_clip_goes_back_and_forth_without_showing_its_ends_twice() -> None:
    assert [back_and_forth(count, 4) for count in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert [back_and_forth(count, 1) for count in range(3)] == [0, 0, 0]


def test_rate_and_latency_count_from_the_first_frame_that_moves() -> None:
    """Of 60 frames in two seconds and a half, the last 50 move, at 25 a second, 0.1 s late, and every tenth 0.2 s."""
    picture = np.zeros((2, 2, 3), np.uint8)
    frames = [
        LiveFrame(picture, 0.04 * n, 0.2 if n % 10 == 0 else 0.1, "live" if n >= 10 else "calibrating")
        for n in range(60)
    ]
    taken = np.array([frame.time for frame in frames])
    row = figures(Run(frames, taken, 7 + 1.25 * taken, 70, 10))
    assert row["rate"] == pytest.approx(25)
    assert (row["latency"], row["slow_latency"]) == (pytest.approx(100), pytest.approx(200))
    assert row["slow_gap"] == pytest.approx(40)
    assert row["processor"] == pytest.approx(50)
    assert row["states"] == {"live": 50, "calibrating": 10}
    assert table([{"size": 256, **row}]).splitlines()[2] == "| 256 | 25.0 | 100 | 200 | 40 | 50 | 70 | 10 |"

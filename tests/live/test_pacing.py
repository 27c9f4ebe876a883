"""When frames are handed out, told by a clock of the test's own."""

import numpy as np
import pytest

from followyouremoji.live.pacing import HELD_BACK, LATEST, RECENT, Finished, Pacing

PICTURE = np.zeros((2, 2, 3), np.uint8)


def frame(pushed: float, time: float | None = None) -> Finished:
    return Finished(PICTURE, pushed if time is None else time, pushed, "live")


def handed_out(ready: list[tuple[float, float]], step: float = 0.001, until: float = 10.0) -> list[float]:
    """When each frame is handed out that was (pushed, ready), by a caller who asks every `step`; NaN for those that
    are not."""
    pacing, out = Pacing(), dict.fromkeys((pushed for pushed, _ in ready), np.nan)
    waiting = sorted(ready, key=lambda one: one[0])
    for now in np.arange(0, until, step):
        while waiting and waiting[0][1] <= now:
            pacing.add(frame(waiting.pop(0)[0]), now)
        for one in pacing.take(now):
            out[one.time] = now
    return [out[pushed] for pushed, _ in ready]


def test_a_chunk_that_is_ready_at_once_comes_at_the_sources_rate() -> None:
    """Four frames a chunk, ready as the last of them is pushed and 0.1 s more; 25 a second."""
    ready = [(0.04 * n, 0.04 * (n - n % 4 + 3) + 0.1) for n in range(100)]
    times = np.array(handed_out(ready))
    assert np.isfinite(times).all()
    gaps = np.diff(times)[8:]
    assert gaps.min() > HELD_BACK * 0.04 - 0.002
    assert gaps.max() < 0.04 + 3 * (1 - HELD_BACK) * 0.04 + 0.012  # what three held-back frames gained
    assert (times - [pushed for pushed, _ in ready]).max() < 0.12 + 0.1 + 0.01


def test_one_late_frame_holds_back_those_after_it_for_a_while() -> None:
    ready = [(0.04 * n, 0.04 * n + (0.3 if n == 20 else 0.1)) for n in range(100)]
    latencies = np.array(handed_out(ready)) - [pushed for pushed, _ in ready]
    assert latencies[19] == pytest.approx(0.1, abs=0.005)
    assert latencies[20] == pytest.approx(0.3, abs=0.005)
    assert (np.diff(latencies[20:70]) < 0.002).all()
    assert latencies[30] == pytest.approx(0.3 - 10 * (1 - HELD_BACK) * 0.04, abs=0.01)
    assert latencies[75:].max() < 0.11


def test_late_frames_are_dropped_where_a_later_one_is_ready() -> None:
    pacing = Pacing()
    for pushed in (0.0, 0.04, 0.08):
        pacing.add(frame(pushed), LATEST + 0.06)
    (taken,) = pacing.take(LATEST + 0.06 + 1.0)
    assert taken.time == 0.08
    assert taken.latency == pytest.approx(LATEST + 0.06 + 1.0 - 0.08)
    assert pacing.figures(1.6, 5, 2).dropped == 4
    assert pacing.figures(1.6, 5, 2).delivered == 1


def test_a_frame_is_not_held_back_until_it_is_late() -> None:
    """A source whose times run ten times as fast as the clock."""
    pacing = Pacing()
    pacing.add(frame(0.0, 0.0), 0.1)
    pacing.add(frame(0.04, 10.0), 0.14)
    assert pacing.next_due == 0.1
    pacing.take(0.14)
    assert pacing.next_due == pytest.approx(0.04 + LATEST)


def test_figures_are_of_the_last_seconds() -> None:
    pacing = Pacing()
    assert pacing.figures(0.0, 0, 0).rate == 0.0
    for n in range(1000):
        pacing.add(frame(0.02 * n), 0.02 * n + (0.3 if n < 500 else 0.1))
        pacing.take(0.02 * n + (0.3 if n < 500 else 0.1))
    now = 0.02 * 999 + 0.1
    figures = pacing.figures(now, 1000, 0)
    assert figures.rate == pytest.approx(50, abs=1)
    assert figures.latency == pytest.approx(0.1)
    assert figures.slow_latency == pytest.approx(0.1)
    assert figures.delivered == 1000
    assert pacing.figures(now + RECENT + 1, 1000, 0).rate == 0.0

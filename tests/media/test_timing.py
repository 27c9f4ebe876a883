"""A clip's clock, by numbers alone: rates, held frames, breaks, and resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.media.timing import (
    Clock,
    Packets,
    Segment,
    generated_rate,
    natural_rate,
    place_sound,
    resample,
    schedule,
)


def in_milliseconds(times: np.ndarray) -> np.ndarray:
    return np.round(times, 3)


@pytest.mark.parametrize(
    "rate", [7.5, 12.0, 15.0, 17.3, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0, 120.0, 240.0]
)  # fmt: skip
@pytest.mark.parametrize("rounded", [False, True])
def test_the_rate_of_regular_frames(rate: float, rounded: bool) -> None:
    times = np.arange(400) / rate
    times = in_milliseconds(times) if rounded else times
    assert natural_rate(times) == pytest.approx(rate, rel=2e-4)
    some = np.delete(
        times, np.random.default_rng(0).integers(1, 399, 120)
    )  # a third of the frames was dropped
    assert natural_rate(some) == pytest.approx(rate, rel=1e-3)


def test_the_rate_where_frames_are_held_or_come_at_two_rates() -> None:
    held = np.concatenate([np.arange(45) / 30, 7.5 + np.arange(45) / 30])
    slower = np.concatenate([np.arange(60) / 30, 2.0 + np.arange(30) / 15])
    assert natural_rate(held) == natural_rate(slower) == 30.0


def test_the_rate_of_uneven_frames_is_that_of_the_busiest_second() -> None:
    gif = np.cumsum([0.0, *[0.03, 0.03, 0.04] * 40])  # 30 a second, in hundredths
    pulldown = np.cumsum([0.0, *[2 / 59.94, 3 / 59.94] * 100])  # film in a broadcast's fields
    assert natural_rate(gif) == 30.0
    assert natural_rate(pulldown) == pytest.approx(24000 / 1001)
    rng = np.random.default_rng(1)
    phone = np.arange(300) / 30 + rng.uniform(-0.008, 0.008, 300)
    assert natural_rate(np.sort(phone)) == pytest.approx(30.0, abs=1.0)
    burst = np.sort(np.concatenate([np.arange(60) / 10, 2.001 + np.arange(20) / 1000]))
    assert natural_rate(burst) == 30.0  # ten and twenty frames in that second
    screen = np.cumsum(rng.exponential(0.1, 100))  # ten frames a second in the mean
    assert 10.0 <= natural_rate(screen) <= 25.0
    paused = np.cumsum([0.0, *[*[0.03, 0.05, 0.04, 0.07] * 4, 3.0] * 5])
    assert 1 / 0.0475 <= natural_rate(paused) <= 25.0


@settings(max_examples=200, deadline=None)
@given(gaps=st.lists(st.floats(0.0, 5.0), max_size=40))
def test_any_times_have_a_rate(gaps: list[float]) -> None:
    rate = natural_rate(np.cumsum([0.0, *gaps]))
    assert np.isfinite(rate)
    assert rate > 0.0


@pytest.mark.parametrize(
    ("own", "generated"), [(240.0, 60.0), (120.0, 60.0), (100.0, 50.0), (90.0, 45.0), (60.0, 60.0), (29.97, 29.97)]
)  # fmt: skip
def test_no_more_than_60_frames_a_second_are_generated_unasked(own: float, generated: float) -> None:
    assert generated_rate(own) == pytest.approx(generated)
    assert generated_rate(own, 77.0) == 77.0


def shown(
    times: np.ndarray, rate: float, last: float, start: float | None = None
) -> tuple[np.ndarray, list[int]]:
    """The regular times, and the numbers of the frames that are shown then."""
    durations = np.append(np.diff(times), last)[: len(times)]
    pairs = list(resample(zip(times, durations, range(len(times)), strict=True), rate, start))
    return np.array([time for time, _ in pairs]), [frame for _, frame in pairs]


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.floats(0.001, 0.4), max_size=30),
    rate=st.floats(1.0, 60.0),
    last=st.floats(0.01, 2.0),
)
def test_each_place_shows_what_is_shown_in_its_middle(gaps: list[float], rate: float, last: float) -> None:
    times = np.concatenate([[0.7], 0.7 + np.cumsum(gaps)])
    regular, chosen = shown(times, rate, last)
    np.testing.assert_allclose(regular, 0.7 + np.arange(len(chosen)) / rate)
    middles = regular + 0.5 / rate
    for middle, frame in zip(middles, chosen, strict=True):
        assert times[frame] <= middle + 1e-6
        assert frame == len(times) - 1 or times[frame + 1] >= middle - 1e-5
    assert abs(len(chosen) / rate - (times[-1] + last - 0.7)) <= max(0.51 / rate, 1 / rate - last) + 1e-6


def test_regular_frames_stay_as_they_are() -> None:
    assert shown(np.arange(50) / 30.0, 30.0, 1 / 30)[1] == list(range(50))
    assert shown(np.arange(50) / 50.0, 25.0, 1 / 50)[1] == list(range(0, 50, 2))
    assert shown(in_milliseconds(np.arange(300) / 30.0), 30.0, 0.033)[1] == list(range(300))
    assert shown(np.zeros(0), 25.0, 0.0)[1] == []


def test_a_held_frame_is_shown_until_the_next_comes() -> None:
    assert shown(np.array([0.0, 1.0, 1.5]), 2.0, 2.0)[1] == [0, 0, 1, 2, 2, 2, 2]
    assert shown(np.array([0.0, 1.0]), 2.0, 0.5, start=0.5)[1] == [0, 1]


def stream(times: np.ndarray, step: float) -> Packets:
    times = np.asarray(times, float)
    return Packets(times, times, np.full(len(times), step), np.ones(len(times), bool))


def test_packets_in_coding_order_are_shown_in_theirs() -> None:
    pts = np.array([0, 3, 1, 2, 6, 4, 5]) / 30
    packets = Packets(pts, np.arange(-1, 6) / 30, np.full(7, 1 / 30), np.ones(7, bool))
    plan = schedule(packets, [], True, 25.0)
    assert plan is not None
    np.testing.assert_array_equal(plan.ranks, [0, 3, 1, 2, 6, 4, 5])
    np.testing.assert_allclose(plan.clock.times, np.arange(7) / 30)
    assert plan.clock.end == pytest.approx(7 / 30)
    later = plan.begun_at(2)
    np.testing.assert_array_equal(later.ranks, [-1, 1, -1, 0, 4, 2, 3])
    np.testing.assert_allclose(later.clock.times, np.arange(5) / 30)
    assert later.segments[0].shift == pytest.approx(-2 / 30)


def test_times_that_fall_begin_anew_for_pictures_and_sound() -> None:
    pictures = stream(np.concatenate([5 + np.arange(30) / 30, 1 + np.arange(30) / 30]), 1 / 30)
    sound = stream(np.concatenate([5 + np.arange(50) / 50, 1 + np.arange(50) / 50]), 1 / 50)
    plan = schedule(pictures, [sound], True, 25.0)
    assert plan is not None
    assert plan.breaks == 1
    np.testing.assert_allclose(plan.clock.times, np.arange(60) / 30)
    np.testing.assert_allclose(sound.pts + place_sound(sound, plan.segments), np.arange(100) / 50)


def test_a_jump_ahead_is_closed_though_times_fall_back_into_it_later() -> None:
    pictures = stream(
        np.concatenate([np.arange(15) / 30, 7.5 + np.arange(30) / 30, 1.2 + np.arange(45) / 30]), 1 / 30
    )
    sound = stream(
        np.concatenate([np.arange(25) / 50, 7.5 + np.arange(50) / 50, 1.2 + np.arange(75) / 50]), 1 / 50
    )
    plan = schedule(pictures, [sound], True, 25.0)
    assert plan is not None
    assert plan.breaks == 2
    np.testing.assert_allclose(plan.clock.times, np.arange(90) / 30)
    np.testing.assert_allclose(sound.pts + place_sound(sound, plan.segments), np.arange(150) / 50, atol=1e-6)


def test_sound_that_begins_a_little_before_its_pictures_goes_with_them() -> None:
    """Not with the part before, which ends less than a second earlier by the file's clock."""
    sound = stream(np.concatenate([np.arange(25) / 50, 1.18 + np.arange(75) / 50]), 1 / 50)
    parts = (Segment(0.0, 0.5, 0.0), Segment(1.2, 2.7, -0.7))
    np.testing.assert_allclose(sound.pts[25:] + place_sound(sound, parts)[25:], 0.48 + np.arange(75) / 50)


@pytest.mark.parametrize(
    ("jump", "heard", "closed"),
    [
        (6.0, "with the pictures", True),
        (6.0, "through", False),
        (6.0, "not", False),
        (90_000.0, "not", True),
        (90_000.0, "with the pictures", True),
        (90_000.0, "its own time", True),
    ],
)
def test_jumps_and_held_frames(jump: float, heard: str, closed: bool) -> None:
    broken = np.concatenate([np.arange(30) / 30, jump + 1 + np.arange(30) / 30])
    sounds = {
        "with the pictures": [
            stream(np.concatenate([np.arange(50) / 50, jump + 1 + np.arange(50) / 50]), 1 / 50)
        ],
        "its own time": [stream(np.arange(100) / 50, 1 / 50)],
        "through": [stream(np.arange(8 * 50) / 50, 1 / 50)],
        "not": [],
    }[heard]
    plan = schedule(stream(broken, 1 / 30), sounds, True, 25.0)
    assert plan is not None
    assert plan.breaks == closed
    assert plan.clock.end == pytest.approx(2.0 if closed else 2.0 + jump)
    if closed and sounds:
        placed = sounds[0].pts + place_sound(sounds[0], plan.segments)
        np.testing.assert_allclose(placed, np.arange(100) / 50, atol=1e-6)


def test_packets_without_times_take_their_places() -> None:
    nothing = np.full(10, np.nan)
    plan = schedule(Packets(nothing, nothing, np.zeros(10), np.ones(10, bool)), [], False, 20.0)
    assert plan is not None
    assert not plan.by_time
    np.testing.assert_allclose(plan.clock.times, np.arange(10) / 20)
    dropped = np.array([0.0, 1, 2, 6, 7]) / 30
    plan = schedule(Packets(nothing[:5], dropped, np.zeros(5), np.ones(5, bool)), [], False, 20.0)
    assert plan is not None
    np.testing.assert_allclose(plan.clock.times, dropped)


def test_a_file_without_a_picture_has_no_clock() -> None:
    assert (
        schedule(stream(np.arange(5), 1.0).__class__(*[np.zeros(0)] * 3, np.zeros(0, bool)), [], True, 25.0)
        is None
    )


def test_a_clock_knows_its_end() -> None:
    clock = Clock.of(np.array([0.0, 0.1, 0.2]), 2.0)
    assert clock.end == pytest.approx(2.2)
    assert clock.frame_rate == 10.0
    assert Clock.of(np.array([0.0, 0.1, 0.2])).end == pytest.approx(0.3)

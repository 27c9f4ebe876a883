"""The plan over frames: laws that hold for every length of clip and every window (Sec. 3.3)."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.sampling.progressive import LOOKED_AHEAD, Segment, batched, chain, plan

lengths = st.integers(0, 1000)
windows = st.integers(3, 40)


@settings(deadline=None)  # a busy machine is no failure
@given(lengths, windows)
def test_every_frame_is_generated_exactly_once(frames: int, window: int) -> None:
    generated = [frame for segment in plan(frames, window) for frame in segment.new]
    assert sorted(generated) == list(range(frames))


@settings(deadline=None)
@given(lengths, windows)
def test_segments_fit_the_window_ascend_and_read_only_what_exists(frames: int, window: int) -> None:
    made: set[int] = set()
    for segment in plan(frames, window):
        assert 1 <= len(segment.frames) <= window
        assert list(segment.frames) == sorted(set(segment.frames))
        assert set(segment.frames) - set(segment.new) <= made
        made |= set(segment.new)


@settings(deadline=None)
@given(lengths, windows)
def test_keyframes_come_first_and_later_segments_know_their_first_and_last(frames: int, window: int) -> None:
    segments = plan(frames, window)
    if not segments:
        return
    assert not any(segments[0].known)
    assert {0, frames - 1} <= set(segments[0].frames)
    for segment in segments[1:]:
        assert segment.known[0]
        assert segment.known[-1]
        assert not any(segment.known[1:-1])


@settings(deadline=None)
@given(lengths, windows)
def test_keyframes_are_evenly_spaced(frames: int, window: int) -> None:
    for segment in plan(frames, window):
        gaps = [b - a for a, b in pairwise(segment.frames)]
        assert not gaps or max(gaps) - min(gaps) <= 1


@settings(deadline=None)
@given(st.integers(1, 1000), windows)
def test_a_clip_completes_from_its_start_with_few_frames_waiting(frames: int, window: int) -> None:
    """Depth first: frames that are made but wait for an earlier one are at most a window for each level."""
    levels = 1
    while (window - 1) ** levels < frames:
        levels += 1
    made: set[int] = set()
    complete = 0
    for segment in plan(frames, window):
        made |= set(segment.new)
        while complete in made:
            complete += 1
        assert len(made) - complete <= window * levels


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (0, []),
        (1, [((0,), (False,))]),
        (4, [((0, 1, 2, 3), (False,) * 4)]),
        (
            5,
            [
                ((0, 2, 4), (False, False, False)),
                ((0, 1, 2), (True, False, True)),
                ((2, 3, 4), (True, False, True)),
            ],
        ),
    ],
)
def test_short_clips(frames: int, expected: list) -> None:
    assert plan(frames, window=4) == [Segment(*segment) for segment in expected]


def test_a_long_clip_has_more_than_one_level_of_keyframes() -> None:
    """(16 - 1) ** 2 = 225 gaps is what two levels reach over; one frame more than that needs a third."""
    two, three = plan(226, window=16), plan(227, window=16)
    assert len(two) == 1 + 15
    widest = [max(b - a for a, b in pairwise(s.frames)) for s in three]
    assert {1} < set(widest)
    assert len(set(widest)) == 3
    assert len(three[1].frames) > 2
    assert three[1].known[1] is False


def test_a_window_without_room_between_keyframes_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        plan(5, window=2)


cut_places = st.sets(st.integers(1, 299), max_size=6).map(lambda cuts: tuple(sorted(cuts)))


@settings(deadline=None)
@given(st.integers(1, 400), windows)
def test_a_loop_joins_its_end_to_its_beginning(frames: int, window: int) -> None:
    """Every step of the circle, the one from the last frame to the first among them, lies inside one segment; of up to
    3 frames in any order."""
    segments = plan(frames, window, loop=True)
    assert sorted(frame for segment in segments for frame in segment.new) == list(range(frames))
    steps = {step for segment in segments for step in pairwise(segment.frames)}
    if frames <= 3:
        steps |= {(b, a) for a, b in steps}
    assert frames == 1 or {(frame, (frame + 1) % frames) for frame in range(frames)} <= steps
    made: set[int] = set()
    for segment in segments:
        assert len(segment.frames) <= window
        assert set(segment.read) <= made
        made |= set(segment.new)


def test_a_short_loop_knows_its_first_frame_again_at_its_end() -> None:
    """It would fit in one window, but then its end would know nothing of its beginning."""
    assert [(s.frames, s.known) for s in plan(6, 16, loop=True)] == [
        ((0, 3), (False, False)),
        ((0, 1, 2, 3), (True, False, False, True)),
        ((3, 4, 5, 0), (True, False, False, True)),
    ]


@settings(deadline=None)
@given(cut_places, windows, st.booleans())
def test_no_segment_reaches_across_a_cut(cuts: tuple[int, ...], window: int, loop: bool) -> None:
    segments = plan(300, window, cuts, loop)
    assert sorted(frame for segment in segments for frame in segment.new) == list(range(300))
    scene = np.searchsorted(cuts, np.arange(300), side="right")
    if loop:
        scene[scene == len(cuts)] = 0  # the last scene goes on with the first
    for segment in segments:
        assert len(set(scene[list(segment.frames)])) == 1


@pytest.mark.parametrize("cuts", [(0,), (5, 3), (10,), (4, 4)])
def test_cuts_that_are_none(cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cuts must ascend"):
        plan(10, 4, cuts)


@settings(deadline=None)
@given(st.integers(0, 300), windows)
def test_a_chain_goes_on_from_the_last_frame(frames: int, window: int) -> None:
    segments = chain(frames, window)
    assert [frame for segment in segments for frame in segment.new] == list(range(frames))
    for before, after in pairwise(segments):
        assert after.read == (before.frames[-1],)
        assert len(before.frames) == window


@settings(deadline=None)
@given(lengths, windows, st.integers(1, 9))
def test_batches_hold_every_segment_once_and_read_only_what_exists(
    frames: int, window: int, size: int
) -> None:
    segments = plan(frames, window)
    batches = batched(segments, size)
    assert sorted(s.frames for batch in batches for s in batch) == sorted(s.frames for s in segments)
    made: set[int] = set()
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len({len(segment.frames) for segment in batch}) == 1
        for segment in batch:
            assert set(segment.read) <= made
        made |= {frame for segment in batch for frame in segment.new}


def test_batches_of_one_are_the_segments_in_their_order() -> None:
    segments = plan(100, 8)
    assert batched(segments, 1) == [(segment,) for segment in segments]


def test_batches_stay_near_the_order_of_the_plan() -> None:
    """So that a clip is still complete from its start on early: no segment comes more than a few batches too soon."""
    segments = plan(1000, 16)
    place = {segment: number for number, segment in enumerate(segments)}
    batches = batched(segments, 4)
    assert len(batches) < 0.4 * len(segments)
    first_left = 0
    done: set[int] = set()
    for batch in batches:
        assert max(place[segment] for segment in batch) < first_left + LOOKED_AHEAD * 4
        done |= {place[segment] for segment in batch}
        while first_left in done:
            first_left += 1

"""The plan over frames: laws that hold for every length of clip and every window (Sec. 3.3)."""

from itertools import chain as joined
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.sampling.progressive import AHEAD, Segment, batched, chain, plan


def segments_of(levels: list[tuple[Segment, ...]]) -> list[Segment]:
    return list(joined.from_iterable(levels))


lengths = st.integers(0, 1000)
windows = st.integers(3, 40)


@settings(deadline=None)  # a busy machine is no failure
@given(lengths, windows)
def test_every_frame_is_generated_exactly_once(frames: int, window: int) -> None:
    generated = [frame for segment in segments_of(plan(frames, window)) for frame in segment.new]
    assert sorted(generated) == list(range(frames))


@settings(deadline=None)
@given(lengths, windows)
def test_segments_fit_the_window_ascend_and_read_only_earlier_levels(frames: int, window: int) -> None:
    made: set[int] = set()
    for level in plan(frames, window):
        assert level
        for segment in level:
            assert 1 <= len(segment) <= window
            assert list(segment.frames) == sorted(set(segment.frames))
            assert set(segment.read) <= made
        made |= {frame for segment in level for frame in segment.new}


@settings(deadline=None)
@given(lengths, windows)
def test_keyframes_come_first_and_later_segments_know_their_first_and_last(frames: int, window: int) -> None:
    segments = segments_of(plan(frames, window))
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
    for segment in segments_of(plan(frames, window)):
        gaps = [b - a for a, b in pairwise(segment.frames)]
        assert not gaps or max(gaps) - min(gaps) <= 1


@settings(deadline=None)
@given(st.integers(1, 1000), windows)
def test_levels_are_as_few_as_can_be_and_the_last_completes_the_clip_in_order(
    frames: int, window: int
) -> None:
    """`n` levels reach over (window - 1) ** n steps from frame to frame."""
    levels = plan(frames, window)
    fewest = 0 if frames == 0 else 1
    while frames > window and (window - 1) ** fewest < frames - 1:
        fewest += 1
    assert len(levels) == fewest
    for level in levels:
        assert list(level) == sorted(level, key=lambda segment: segment.frames)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (0, []),
        (1, [[((0,), (False,))]]),
        (4, [[((0, 1, 2, 3), (False,) * 4)]]),
        (
            5,
            [
                [((0, 2, 4), (False, False, False))],
                [((0, 1, 2), (True, False, True)), ((2, 3, 4), (True, False, True))],
            ],
        ),
    ],
)
def test_short_clips(frames: int, expected: list) -> None:
    assert plan(frames, window=4) == [tuple(Segment(*segment) for segment in level) for level in expected]


def test_a_long_clip_has_more_than_one_level_of_keyframes() -> None:
    """(16 - 1) ** 2 = 225 gaps is what two levels reach over; one frame more than that needs a third."""
    two, three = plan(226, window=16), plan(227, window=16)
    assert [len(level) for level in two] == [1, 15]
    assert len(three) == 3
    widest = [{max(b - a for a, b in pairwise(s.frames)) for s in level} for level in three]
    assert min(widest[0]) > max(widest[1]) > max(widest[2]) == 1


def test_a_window_without_room_between_keyframes_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        plan(5, window=2)


cut_places = st.sets(st.integers(1, 299), max_size=6).map(lambda cuts: tuple(sorted(cuts)))


@settings(deadline=None)
@given(st.integers(1, 400), windows)
def test_a_loop_joins_its_end_to_its_beginning(frames: int, window: int) -> None:
    """Every step of the circle, the one from the last frame to the first among them, lies inside one segment; of up to
    3 frames in any order."""
    segments = segments_of(plan(frames, window, loop=True))
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
    assert [(s.frames, s.known) for s in segments_of(plan(6, 16, loop=True))] == [
        ((0, 3), (False, False)),
        ((0, 1, 2, 3), (True, False, False, True)),
        ((3, 4, 5, 0), (True, False, False, True)),
    ]


@settings(deadline=None)
@given(cut_places, windows, st.booleans())
def test_no_segment_reaches_across_a_cut(cuts: tuple[int, ...], window: int, loop: bool) -> None:
    segments = segments_of(plan(300, window, cuts, loop))
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
    levels = chain(frames, window)
    assert all(len(level) == 1 for level in levels)
    segments = segments_of(levels)
    assert [frame for segment in segments for frame in segment.new] == list(range(frames))
    for before, after in pairwise(segments):
        assert after.read == (before.frames[-1],)
        assert len(before.frames) == window


def test_scenes_share_their_levels() -> None:
    """A short scene is whole on the first level, a long one is filled in later."""
    levels = plan(30, 4, cuts=(3,))
    assert [segment.frames[0] for segment in levels[0]] == [0, 3]
    assert all(min(segment.frames) >= 3 for level in levels[1:] for segment in level)


@settings(deadline=None)
@given(lengths, windows, st.integers(1, 9))
def test_batches_hold_every_segment_of_a_level_once(frames: int, window: int, size: int) -> None:
    for level in plan(frames, window):
        batches = batched(level, size)
        assert sorted(s.frames for batch in batches for s in batch) == sorted(s.frames for s in level)
        for batch in batches:
            assert 1 <= len(batch) <= size
            assert len({len(segment) for segment in batch}) == 1


def test_batches_of_one_are_the_segments_in_their_order() -> None:
    level = plan(100, 8)[-1]
    assert batched(level, 1) == [(segment,) for segment in level]


def test_batches_stay_near_the_order_of_the_plan() -> None:
    """So that a clip is still complete from its start on early: no segment comes more than a few batches too soon."""
    level = plan(1000, 16)[-1]
    place = {segment: number for number, segment in enumerate(level)}
    batches = batched(level, 4)
    assert len(batches) < 0.4 * len(level)
    come = [place[segment] for batch in batches for segment in batch]
    assert max(abs(number - when) for when, number in enumerate(come)) < AHEAD * 4

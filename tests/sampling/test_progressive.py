"""The plan over frames: laws that hold for every length of clip and every window (Sec. 3.3)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.sampling.progressive import Segment, plan

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

"""Parts of a clip, by frames and by times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from followyouremoji.errors import ClipError
from followyouremoji.media.ranges import WHOLE, ClipRange, Moment, moment_text, parse_moment
from followyouremoji.media.timing import Clock

REGULAR = Clock.of(np.arange(90) / 30, 1 / 30)
HELD = Clock.of(np.array([0.0, 0.1, 0.2, 5.0, 5.1]), 0.1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("40", 40), ("0", 0), ("1.5s", 1.5), ("2s", 2.0), (".5 s", 0.5), ("0:12", 12.0), ("12:30", 750.0),
        ("1:02:03.5", 3723.5), (" 7 ", 7),
    ],
)  # fmt: skip
def test_what_users_write(text: str, moment: Moment) -> None:
    found = parse_moment(text)
    assert found == moment
    assert type(found) is type(moment)


@pytest.mark.parametrize(
    "text", ["", "1.5", "-1", "-1s", "s", "1m", "nan", "inf", "1:2:3:4", "12:", "half", "1e3s"]
)
def test_what_is_no_place_in_a_clip(text: str) -> None:
    with pytest.raises(ClipError, match=r"1\.5s or 0:12"):
        parse_moment(text)


@given(st.one_of(st.integers(0, 10**6), st.integers(0, 10**6).map(lambda value: value / 1000)))
def test_a_moment_told_is_read_again(moment: Moment) -> None:
    again = parse_moment(moment_text(moment))
    assert type(again) is type(moment)
    assert again == pytest.approx(moment, rel=1e-11)


@pytest.mark.parametrize(
    ("clip_range", "frames"),
    [
        (WHOLE, (0, 90)),
        (ClipRange(40), (40, 90)),
        (ClipRange(10, 20), (10, 20)),
        (ClipRange(10, 999), (10, 90)),
        (ClipRange(1.0, 2.0), (30, 60)),
        (ClipRange(30, 2.0), (30, 60)),
        (ClipRange(1.0, 60), (30, 60)),
        (ClipRange(1.0, duration=5), (30, 35)),
        (ClipRange(30, duration=0.5), (30, 45)),
        (ClipRange(duration=100.0), (0, 90)),
    ],
)
def test_ranges_of_a_regular_clip(clip_range: ClipRange, frames: tuple[int, int]) -> None:
    span = clip_range.within(REGULAR, "a.mp4")
    assert (span.first, span.after) == frames
    assert span.start == pytest.approx(frames[0] / 30)
    assert span.stop == pytest.approx(frames[1] / 30)


def test_a_range_that_begins_while_a_frame_is_held_begins_with_it() -> None:
    span = ClipRange(3.0, 5.05).within(HELD, "a.gif")
    assert (span.first, span.after, span.start, span.stop) == (2, 4, 3.0, 5.05)
    inside = ClipRange(3.0, 4.0).within(HELD, "a.gif")
    assert (inside.first, inside.after) == (2, 3)


@pytest.mark.parametrize(
    ("clip_range", "words"),
    [
        (ClipRange(90), "has 90 frames"), (ClipRange(3.0), "lasts 3.00 s"), (ClipRange(60, 1.0), "is empty"),
        (ClipRange(2.0, 30), "is empty"),
    ],
)  # fmt: skip
def test_ranges_that_a_clip_does_not_have(clip_range: ClipRange, words: str) -> None:
    with pytest.raises(ClipError, match=words) as error:
        clip_range.within(REGULAR, "a.mp4")
    assert "a.mp4" in str(error.value)


@pytest.mark.parametrize(
    "ends",
    [
        (5, 5),
        (8, 3),
        (-1,),
        (2.0, 1.0),
        (float("nan"),),
        (0, 10, 10),
        (0, None, 0),
        (0, None, 0.0),
        (0, float("inf")),
    ],
)
def test_ranges_that_no_clip_has(ends: tuple[Moment, ...]) -> None:
    with pytest.raises(ClipError):
        ClipRange(*ends)


def test_ranges_say_what_they_are() -> None:
    assert str(ClipRange(40, 1.5)) == "40 to 1.5s"
    assert str(ClipRange(40.0, duration=10)) == "40s for 10"
    assert str(WHOLE) == "0 to the end"
    assert parse_moment("40") == 40

"""How long and how quick stickers are, and with which pose they begin."""

import numpy as np
import pytest

from followyouremoji.errors import MotionError
from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.face.keyframes import expression_motion
from followyouremoji.face.motion import Motion
from followyouremoji.face.timeline import looped
from followyouremoji.stickers.motions import Timing, expression_loop, fitted, liveliest, named_motion
from followyouremoji.stickers.request import Closing
from followyouremoji.stickers.services import SERVICES


@pytest.mark.parametrize("closing", ["blend", "pingpong"])
@pytest.mark.parametrize("rate", [12.0, 25.0, 29.97, 50.0, 60.0])
@pytest.mark.parametrize("seconds", [0.4, 1.9, 2.0, 7.3, 60.0])
@pytest.mark.parametrize("service", SERVICES)
def test_a_sticker_is_as_long_and_as_quick_as_its_service_takes(
    service: str, seconds: float, rate: float, closing: Closing
) -> None:
    format = SERVICES[service]
    timing = Timing.fitting(format, seconds, rate, closing)
    assert timing.frames >= 2
    assert timing.rate <= 30.0 + 1e-9
    assert format.max_seconds is None or timing.seconds <= format.max_seconds + 1e-9
    assert format.max_rate is None or timing.rate <= format.max_rate
    assert format.max_frames is None or timing.frames <= format.max_frames
    assert 1000 / timing.rate >= format.least_frame_ms
    if closing == "pingpong":
        assert timing.frames == 2 * timing.of_motion(closing) - 2
    if format.whole_seconds:
        assert timing.seconds == pytest.approx(max(1, round(timing.seconds)))
    if format.whole_seconds and seconds > 1.0:
        assert timing.frames >= format.least_frames
    if not format.whole_seconds and closing == "blend":
        assert timing.seconds <= seconds + 1e-9


def test_rates_are_whole_fractions_of_the_motions_own() -> None:
    """So that no frame is made between two of the motion's."""
    assert Timing.fitting(SERVICES["telegram"], 2.0, 25.0, "blend") == Timing(50, 25.0)
    assert Timing.fitting(SERVICES["telegram"], 9.0, 60.0, "blend") == Timing(90, 30.0)
    assert Timing.fitting(SERVICES["line"], 2.0, 25.0, "blend") == Timing(20, 10.0)
    assert Timing.fitting(SERVICES["line"], 1.8, 25.0, "blend") == Timing(20, 10.0)  # the last pose is held
    assert Timing.fitting(SERVICES["line"], 9.0, 25.0, "blend") == Timing(20, 10.0)


def test_a_motion_that_is_too_short_is_held() -> None:
    short = expression_motion("smile")[5:15]
    made = fitted(short, Timing(20, 20.0), "blend")
    assert (len(made), made.frame_rate, made.duration) == (20, 20.0, pytest.approx(1.0))
    assert np.array_equal(made.landmarks[8:], np.repeat(made.landmarks[-1:], 12, axis=0))
    assert not np.array_equal(made.landmarks[0], made.landmarks[7])


def steps(motion: Motion) -> np.ndarray:
    """How far points move on the mean from each frame to the next, the last to the first among them."""
    closed = np.concatenate([motion.points, motion.points[:1]])
    moved: np.ndarray = np.linalg.norm(np.diff(closed, axis=0), axis=-1).mean(axis=-1)
    return moved


@pytest.mark.parametrize("name", NAMED_EXPRESSIONS)
def test_expressions_begin_at_their_height_and_close_without_a_jump(name: str) -> None:
    loop = looped(expression_loop(name), "blend")
    assert loop.rest is not None
    rest, face = loop.rest[:, :2] * loop.size, loop.points - loop.points.mean(axis=1, keepdims=True)
    far = np.linalg.norm(face - (rest - rest.mean(axis=0)), axis=-1).mean(axis=-1)
    assert far[0] > 0.7 * far.max()
    assert steps(loop)[-1] <= steps(loop).max()
    blinks = np.ptp(loop.points[:, [159, 145], 1], axis=1)  # the lids of the right eye
    open_at_rest = abs(rest[159, 1] - rest[145, 1])
    assert blinks.min() < 0.4 * open_at_rest, "the blink is lost"


def test_the_liveliest_frame_is_no_blink_and_no_turn() -> None:
    generator = np.random.default_rng(0)
    rest = generator.normal(size=(478, 2))
    points = np.repeat(rest[None], 40, axis=0)
    points[5, :200] += 30.0  # quick
    points[10:14] += 500.0  # the head travels
    points[20:31, :100] += 10.0
    assert 20 <= liveliest(points, rest) <= 30


def test_motions_by_name() -> None:
    for given in ("laugh", "bundled:laugh"):
        motion = named_motion(given)
        assert isinstance(motion, Motion)
        assert np.array_equal(motion.landmarks, expression_loop("laugh").landmarks)
    assert named_motion("bundled:hello") != named_motion("hello")
    with pytest.raises(MotionError, match="dance"):
        named_motion("bundled:dance")

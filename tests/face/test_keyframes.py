"""Motions of keyframes: their course, their file, and what they do to portraits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import MotionError, SettingsError
from followyouremoji.face.alignment import align, align_motion
from followyouremoji.face.expressions import EXPRESSIONS, NAMED_EXPRESSIONS
from followyouremoji.face.gaze import eye_openings
from followyouremoji.face.geometry import eye_distance
from followyouremoji.face.keyframes import (
    EASINGS,
    MOST_BYTES,
    Easing,
    Keyframe,
    Keyframes,
    expression_motion,
    keyframe_motion,
    read_keyframes,
    write_keyframes,
)
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sliders import SLIDERS
from followyouremoji.face.timeline import looped
from tests.face.test_poses import PORTRAITS, portrait

ENDS = [(slider.name, end) for slider in SLIDERS for end in (slider.low, slider.high) if end]
TURN = {"pitch": 8.0, "yaw": -20.0, "roll": 10.0, "smile": 0.7, "left_eye_x": 0.5, "wink_right": 1.0}


def shown(*poses: dict[str, float]) -> Motion:
    """Poses one frame after the other."""
    return keyframe_motion([Keyframe(seconds=k / 25, pose=pose) for k, pose in enumerate(poses)])


def course(easing: Easing, seconds: float | None = None) -> np.ndarray:
    """How far a mouth opens, from 0 to the whole in the second after 0.2 s, ten frames a second."""
    keys = [Keyframe(seconds=0.2, easing=easing), Keyframe(seconds=1.2, pose={"mouth_open": 0.5})]
    points = keyframe_motion(keys, 10.0, seconds).landmarks[..., 1]
    gap: np.ndarray = points[:, 14] - points[:, 13]
    whole = shown({"mouth_open": 0.5}).landmarks[0, :, 1]
    return (gap - gap[0]) / (whole[14] - whole[13] - gap[0])


def test_ways_from_one_keyframe_to_the_next() -> None:
    assert course("ease") == pytest.approx(
        [0, 0, 0, *(t * t * (3 - 2 * t) for t in np.arange(1, 11) / 10)], abs=0.03
    )
    assert course("linear") == pytest.approx([0, 0, *np.arange(11) / 10], abs=0.03)
    assert course("hold") == pytest.approx([0] * 12 + [1], abs=1e-4)
    assert course("overshoot").max() == pytest.approx(1.1, abs=0.02)
    for easing in EASINGS:
        assert course(easing)[[0, -1]] == pytest.approx([0, 1], abs=1e-4)
        assert len(course(easing)) == 13
        assert course(easing, seconds=2.0)[12:] == pytest.approx([1] * 8, abs=1e-4)


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_motion_does_what_its_poses_do(name: str) -> None:
    """At every point to 0.013 of the eye distance, and to 0.006 on the mean."""
    reference = portrait(name)
    poses: list[dict[str, float]] = [{end[0]: end[1]} for end in ENDS]
    distance = eye_distance(reference.points)
    for pose in (*poses, TURN):
        moved = align_motion(shown(pose), reference, AlignmentSettings(portrait_expression="keep"))
        wanted = align_motion(shown({}), reference, AlignmentSettings(portrait_expression="keep", pose=pose))
        apart = np.linalg.norm(moved - wanted, axis=-1) / distance
        assert apart.max() < 0.013, pose
        assert apart.mean() < 0.006, pose


def test_a_portrait_at_rest_stays_as_it_is_even_where_no_keyframe_rests() -> None:
    """Its own gaze and pose, too."""
    reference = portrait("ada")
    still = align_motion(shown({}, {}, {}), reference)
    assert np.abs(still - reference.points).max() < 0.2
    smiling = shown({"smile": 1.0}, {"smile": 1.0})
    assert np.abs(align_motion(smiling, reference) - reference.points).max() > 3.0


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_blink_closes_eyes_of_every_size(name: str) -> None:
    reference = portrait(name)
    closed = eye_openings(align_motion(shown({}, {"blink": 1.0}), reference)[1][None])
    assert closed.max() < 0.15 * eye_openings(reference.points[None]).min()


def test_a_user_may_still_say_which_frame_is_neutral() -> None:
    reference = portrait("max")
    aligned = align_motion(shown({"smile": 1.0}, {}), reference, AlignmentSettings(neutral=0, gaze=0.0))
    assert np.abs(aligned[0] - reference.points).max() < 0.2


def test_held_poses_are_no_cuts() -> None:
    turned = [Keyframe(seconds=k, pose={"yaw": (-1) ** k * 30.0}, easing="hold") for k in range(3)]
    assert align(keyframe_motion(turned), portrait("ada")).notes == ()


def test_the_rest_is_kept(tmp_path: Path) -> None:
    motion = shown({"smile": 1.0}, {"yaw": 10.0}, {"blink": 1.0})
    assert motion.rest is not None
    motion.save(tmp_path / "one.fyemotion")
    loaded = Motion.load(tmp_path / "one.fyemotion")
    for kept in (loaded, motion[1:], motion.at_rate(10.0), motion.smoothed(), looped(motion, "pingpong")):
        np.testing.assert_array_equal(kept.rest, motion.rest)
    reference = portrait("fox")
    np.testing.assert_array_equal(align_motion(loaded, reference), align_motion(motion, reference))


def as_text(**changes: Any) -> str:
    whole = {
        "format": "followyouremoji-keyframes",
        "version": 1,
        "frame_rate": 25,
        "keyframes": [{"seconds": 0, "pose": {"smile": 0.4}, "easing": "ease"}, {"seconds": 1, "pose": {}}],
    }
    return json.dumps({name: value for name, value in (whole | changes).items() if value is not None})


def test_a_file_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text(as_text())
    read = read_keyframes(path)
    assert read.keyframes[0] == Keyframe(seconds=0.0, pose={"smile": 0.4}, easing="ease")
    assert len(read.motion()) == read.frames == 26
    with pytest.raises(MotionError, match="already"):
        write_keyframes(path, read)
    write_keyframes(path, read, overwrite=True)
    assert read_keyframes(path) == read
    with pytest.raises(MotionError, match="nowhere"):
        write_keyframes(tmp_path / "nowhere" / "k.json", read)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON text"),
        ("[]", "must be a table"),
        (as_text(format="x"), "`format` must be 'followyouremoji-keyframes'"),
        (as_text(version=2), "`version` must be 1"),
        (as_text(frame_rate=1000), "`frame_rate` must be a number from 1 to 60"),
        (as_text(seconds=601), "`seconds` must be a number from 0 to 600"),
        (as_text(keyframes=None), "`keyframes` is missing"),
        (as_text(keyframes=[]), "`keyframes`"),
        (as_text(keyframes=[{"seconds": k / 10} for k in range(1001)]), "`keyframes`"),
        (as_text(keyframes=[{"pose": {}}]), r"`keyframes\[0\]\.seconds` is missing"),
        (as_text(keyframes=[{"seconds": -1}]), r"`keyframes\[0\]\.seconds` must be"),
        (as_text(keyframes=[{"seconds": 1}, {"seconds": 1}]), r"`keyframes\[1\]` at 1 s does not come after"),
        (as_text(keyframes=[{"seconds": 0, "pose": {"smil": 1}}]), "did you mean smile"),
        (
            as_text(keyframes=[{"seconds": 0, "pose": {"\x1b[2J" * 9000: 1}}]),
            r"there is no '\\x1b\[2J.*\.\.\.; the",
        ),
        (as_text(keyframes=[{"seconds": 0, "pose": 3}]), r"`keyframes\[0\]\.pose` must be a table"),
        (as_text(keyframes=[{"seconds": 0, "easing": "fast"}]), "'hold' or 'overshoot'"),
        (as_text(more=1), "unknown entry `more`"),
        (" " * (MOST_BYTES + 1), "longer than 4096 KiB"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(MotionError, match=words) as caught:
        read_keyframes(path)
    assert "bad.json" in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 900


def test_the_longest_motion_of_keyframes_can_be_read_again(tmp_path: Path) -> None:
    """A face at rest packs to a hundredth, and its file was taken for one made to fill the memory."""
    still = keyframe_motion([Keyframe(seconds=0.0)], 60.0, 600.0)
    still.save(tmp_path / "still.fyemotion")
    assert len(Motion.load(tmp_path / "still.fyemotion")) == len(still)


def test_missing_files_and_bad_keyframes_in_python(tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=r"absent\.json cannot be read"):
        read_keyframes(tmp_path / "absent.json")
    with pytest.raises(MotionError, match="cannot be read: it is no regular file"):
        read_keyframes(Path("/dev/zero"))
    with pytest.raises(SettingsError):
        keyframe_motion([])
    with pytest.raises(SettingsError, match="frame_rate"):
        Keyframes(keyframes=(Keyframe(seconds=0.0),), frame_rate=0.0)


@pytest.mark.parametrize("name", NAMED_EXPRESSIONS)
def test_an_expression_rises_and_ends_where_it_began(name: str) -> None:
    motion = expression_motion(name)
    assert (len(motion), motion.duration, motion.source) == (50, 2.0, name)
    assert motion.rest is not None
    for frame in (0, -1):
        assert np.abs(motion.landmarks[frame] - motion.rest).max() < 1e-4
    steps = np.abs(np.diff(motion.points, axis=0)).max(axis=(1, 2))
    assert steps.max() < 0.12 * eye_distance(motion.points[0])
    assert np.count_nonzero(steps > 0.05) > 40  # it is never quite still
    held = motion.landmarks[15:28].mean(axis=0) - motion.rest
    assert np.abs(held).max() * 512 > 1.5


def test_expressions_differ() -> None:
    motions = [expression_motion(name).landmarks[20, :468] for name in NAMED_EXPRESSIONS]
    for k, one in enumerate(motions):
        assert all(np.abs(one - other).max() * 512 > 1.0 for other in motions[:k])
    with pytest.raises(KeyError):
        expression_motion("dance")
    assert len(expression_motion("oh", 60.0)) == 120
    assert "oh" in EXPRESSIONS


def test_the_shortest_motion_is_one_frame() -> None:
    assert len(keyframe_motion([Keyframe(seconds=0.0)], 25.0, 0.001)) == 1


def test_a_pose_between_two_keyframes_is_between_theirs() -> None:
    """What only one of them has goes from rest or to it."""
    keys = (
        Keyframe(seconds=0.0, pose={"smile": 0.4, "yaw": 10.0}, easing="linear"),
        Keyframe(seconds=1.0, pose={"yaw": 20.0, "mouth_open": 0.8}, easing="linear"),
    )
    between = Keyframes(keyframes=keys).pose_at(0.25)
    assert between == pytest.approx({"smile": 0.3, "yaw": 12.5, "mouth_open": 0.2})

"""What a motion shows where a clip does not show the whole face. The tracker is scripted; its faces are mean faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from followyouremoji.errors import FaceNotFound
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.face.topology import mean_face
from followyouremoji.face.tracking import motion_of, track_motion

SIZE = (640, 480)
RATE = 10.0


def face_at(x: float, y: float = 0.5) -> np.ndarray:
    """The mean face, a fifth of the picture wide, with its middle at (x, y): (478, 3) normalised."""
    face = mean_face() - mean_face().mean(axis=0)
    face = face / np.ptp(face[:, 0]) * 0.2 * (1.0, -1.0, -1.0)
    face[:, 1] *= SIZE[0] / SIZE[1]
    return np.concatenate([face, face[[33] * 5 + [263] * 5]]) + np.array([x, y, 0.0])


def walking(places: Iterable[float | None]) -> list[Landmarks | None]:
    """A face at each of the places (x), scores counting the frames; None where nothing is seen."""
    return [
        None if x is None else Landmarks(face_at(x).astype(np.float32), SIZE, np.full(52, i, np.float32))
        for i, x in enumerate(places)
    ]


def motion(places: Iterable[float | None]) -> tuple[Motion, str]:
    seen = walking(places)
    made, report = motion_of(seen, np.arange(len(seen)) / RATE, RATE, "clip.mp4")
    return made, str(report)


def middles(made: Motion) -> np.ndarray:
    """(T,): where each frame's face is, as given to `face_at`."""
    return made.landmarks[:, :468, 0].mean(axis=1)


def without(places: np.ndarray, missing: Iterable[int]) -> list[float | None]:
    gone = set(missing)
    return [None if i in gone else float(x) for i, x in enumerate(places)]


SLOW = np.linspace(0.3, 0.7, 40)


def test_a_short_gap_is_bridged_and_reported() -> None:
    made, report = motion(without(SLOW, range(5, 10)))  # half a second
    np.testing.assert_allclose(middles(made), SLOW, atol=1e-5)
    np.testing.assert_allclose(made.blendshapes[:, 0], np.arange(40), rtol=1e-6)  # type: ignore[index]
    assert list(np.flatnonzero(~made.found)) == [5, 6, 7, 8, 9]
    assert "0.50 s for 0.50 s (frames 5 to 9)" in report
    assert "interpolation" in report


def test_a_long_gap_holds_the_last_pose_and_is_reported() -> None:
    made, report = motion(without(SLOW, range(15, 25)))
    np.testing.assert_allclose(middles(made)[14:25], SLOW[14], atol=1e-5)
    assert "frames 15 to 24" in report
    assert "last whole pose is held" in report


def test_a_held_pose_is_reached_and_left_without_a_jerk() -> None:
    """Nowhere does the face move much faster than it walked, though it has gone on by a fifth of a face meanwhile."""
    made, _ = motion(without(SLOW, range(15, 25)))
    pace = np.abs(np.diff(middles(made)))
    assert pace.max() < 5 * (SLOW[1] - SLOW[0])
    assert abs(np.diff(pace)).max() < 3 * (SLOW[1] - SLOW[0])
    np.testing.assert_allclose(
        middles(made)[[10, 29]], SLOW[[10, 29]], atol=1e-5
    )  # 0.4 s away all is as seen


def test_the_distorted_pose_at_the_edge_of_the_picture_is_not_held() -> None:
    """A face that walks out to the right is imagined outside by a tracker for some frames more."""
    places = np.concatenate([np.linspace(0.5, 0.88, 20), np.linspace(0.92, 1.05, 5)])
    made, _ = motion([*places.tolist(), *[None] * 15])
    assert (middles(made) < 0.9).all()
    np.testing.assert_allclose(middles(made)[20:], places[19], atol=1e-5)
    assert not made.found[20:].any()  # nor is one of them the neutral frame
    assert made.found[:20].all()


def test_where_no_whole_face_was_seen_the_nearest_pose_is_held() -> None:
    made, _ = motion([0.97] * 10 + [None] * 10)
    np.testing.assert_allclose(middles(made), 0.97, atol=1e-5)


def test_a_face_that_comes_back_elsewhere_is_shown_there_at_once() -> None:
    made, _ = motion([0.2] * 20 + [None] * 10 + [0.8] * 20)
    np.testing.assert_allclose(middles(made), [0.2] * 30 + [0.8] * 20, atol=1e-5)


def test_the_ends_hold_the_nearest_pose() -> None:
    made, report = motion(without(SLOW, [0, 1, 39]))
    np.testing.assert_allclose(middles(made)[[0, 1, 39]], SLOW[[2, 2, 38]], atol=1e-5)
    assert len(report.splitlines()) == 2
    assert "first whole pose is held" in report


def test_a_clip_without_gaps_reports_nothing() -> None:
    made, report = motion(SLOW)
    assert made.found.all()
    assert report == ""


class ScriptedDetector(FaceDetector):
    """Sees the same face in every frame but those that are missing."""

    def __init__(self, missing: set[int]) -> None:
        super().__init__()
        self.missing = missing

    def track(
        self, frames: Iterable[np.ndarray], face: int | None = None, any_turn: bool = False
    ) -> Iterator[Landmarks | None]:
        for number, _ in enumerate(frames):
            yield None if number in self.missing else walking([0.5])[0]


def test_a_clip_without_any_face_is_an_error() -> None:
    clip = ((number / RATE, np.zeros((8, 8, 3), np.uint8)) for number in range(40))
    with pytest.raises(FaceNotFound, match=r"clip\.mp4 \(40 frames\)"):
        track_motion(clip, RATE, ScriptedDetector(set(range(40))), "clip.mp4")


def test_a_stream_of_times_and_pictures_is_read_once() -> None:
    stream = ((0.5 + number / 7, np.zeros((8, 8, 3), np.uint8)) for number in range(9))
    made, _ = track_motion(stream, 7.0, ScriptedDetector({3}), "clip.mp4")
    np.testing.assert_allclose(made.timestamps, 0.5 + np.arange(9) / 7)
    assert made.size == SIZE

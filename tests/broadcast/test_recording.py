"""Recordings: frames at the places of their times, whatever was left out between them."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.broadcast.recording import Recording
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.writing import ClipWriter
from tests.broadcast.moments import moment

RATE = 25.0
STILL = np.full((48, 64, 3), 10, np.uint8)


def recorded(path: Path, times: dict[float, int], end: float, rate: float = RATE) -> list[int]:
    """Brightnesses of the frames that are written, of frames with these by their times."""
    with ClipWriter(path, rate, (64, 48)) as writer:
        recording = Recording(writer, rate, STILL)
        for time, brightness in times.items():
            recording.show(moment(time, brightness))
        recording.finish(end)
    with ClipReader(path) as clip:
        return [round(picture.mean()) for _, picture in clip]


def test_frames_that_came_stay_where_they_belong_and_those_left_out_are_held(tmp_path: Path) -> None:
    times = {0.0: 50, 0.04: 80, 0.16: 110, 0.2: 140}
    assert recorded(tmp_path / "a.mp4", times, 0.32) == pytest.approx(
        [50, 80, 80, 80, 110, 140, 140, 140], abs=1
    )


def test_until_the_first_frame_comes_the_portrait_is_still(tmp_path: Path) -> None:
    assert recorded(tmp_path / "a.mp4", {0.08: 90}, 0.16) == pytest.approx([10, 10, 90, 90], abs=1)
    assert recorded(tmp_path / "b.mp4", {}, 0.0) == pytest.approx([10], abs=1)


def test_of_frames_that_share_a_place_the_last_is_kept(tmp_path: Path) -> None:
    times = {0.0: 50, 0.033: 80, 0.05: 110, 0.067: 140}
    assert recorded(tmp_path / "a.mp4", times, 0.12, rate=12.5) == pytest.approx([80, 140], abs=1)


def test_times_that_tremble_lose_no_frame(tmp_path: Path) -> None:
    """A camera's pictures come a little early or late; half a place to either side changes nothing."""
    rng = np.random.default_rng(0)
    frames = 50
    times = {
        max(0.0, number / RATE + rng.uniform(-0.015, 0.015)): 20 + 4 * number for number in range(frames)
    }
    got = recorded(tmp_path / "a.mp4", times, frames / RATE)
    assert got == pytest.approx([20 + 4 * number for number in range(frames)], abs=1)

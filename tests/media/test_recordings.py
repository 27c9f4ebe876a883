"""Files as people have them: no frame is lost, and what was seen and heard together stays together."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import ClipRange
from tests.media.recordings import (
    SHARED,
    STEP,
    assert_together,
    flashes,
    record,
    written_again,
)
from tests.media.synthetic import heard_onsets, write_clip

needs_cases = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are not here")

# Frames of its own, rate, regular frames and seconds of each, as measure.py and the packets of the files tell.
CASES = {
    "base.mp4": (90, 30.0, 90, 3.0),
    "tmcd.mov": (90, 30.0, 90, 3.0),
    "afirst.mp4": (90, 30.0, 90, 3.0),
    "apac.mp4": (90, 30.0, 90, 3.0),
    "aac_apac.mp4": (90, 30.0, 90, 3.0),
    "drop.avi": (75, 30.0, 91, 91 / 30),
    "hold.mp4": (90, 30.0, 270, 9.0),
    "vfr.mp4": (90, 30.0, 120, 4.0),
    "turn.webm": (24, 12.0, 24, 2.0),
    "short.mp4": (8, 30.0, 11, 11 / 30),
}


@needs_cases
@pytest.mark.parametrize("name", CASES)
def test_shared_cases(name: str) -> None:
    own, rate, regular, seconds = CASES[name]
    with ClipReader(SHARED / name) as clip:
        assert len(list(clip)) == clip.info.frames == own
        assert clip.info.frame_rate == rate
        assert clip.info.duration == pytest.approx(seconds, abs=0.005)
        assert clip.damage is None
    with ClipReader(SHARED / name, frame_rate=rate) as clip:
        assert len(list(clip)) == clip.expected_frames == regular


@needs_cases
@pytest.mark.parametrize("name", ["base.mp4", "tmcd.mov", "afirst.mp4", "aac_apac.mp4"])
def test_shared_cases_stay_in_step(name: str, tmp_path: Path) -> None:
    assert_together(SHARED / name, tmp_path, [1.0, 2.0])


@needs_cases
def test_a_browsers_recording_without_a_duration(tmp_path: Path) -> None:
    with ClipReader(SHARED / "mr6_nd.webm") as clip:
        assert clip.info.duration == pytest.approx(2.72, abs=0.1)
        assert 36 <= clip.info.duration * clip.info.frame_rate <= 90
    seen, heard = written_again(SHARED / "mr6_nd.webm", tmp_path / "again.mp4")
    # In the file itself the flashes are 0.055 and 0.095 s behind the beeps (measure.py).
    np.testing.assert_allclose(seen - heard, [0.055, 0.095], atol=STEP)


def test_captures_with_dropped_frames(tmp_path: Path) -> None:
    path = tmp_path / "drop.avi"
    record(
        path, "mpeg4", "libmp3lame", keep=lambda number: not (number % 5 == 3 and 5 < number < 30),
        options={"bf": "0", "g": "1"},
    )  # fmt: skip
    with ClipReader(path) as clip:
        assert clip.info.frames == 85
        assert clip.info.duration == pytest.approx(3.0, abs=0.04)
    assert_together(path, tmp_path, [1.02, 2.02])


@pytest.mark.parametrize(("codec", "reordered"), [("mpeg4", "2"), ("libx264", "2"), ("mjpeg", "0")])
def test_avi_whose_frames_lie_in_another_order(tmp_path: Path, codec: str, reordered: str) -> None:
    record(tmp_path / "a.avi", codec, "pcm_s16le", options={"bf": reordered})
    with ClipReader(tmp_path / "a.avi") as clip:
        np.testing.assert_allclose([time for time, _ in clip], np.arange(90) / 30, atol=1e-6)
    assert_together(tmp_path / "a.avi", tmp_path, [1.0, 2.0])


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov"])
def test_a_frame_held_and_a_rate_that_changes(tmp_path: Path, kind: str) -> None:
    held = np.concatenate([np.arange(45) / 30, 7.5 + np.arange(45) / 30])
    slower = np.concatenate([np.arange(60) / 30, 2.0 + np.arange(30) / 15])
    for times, seconds in ((held, 9.0), (slower, 4.0)):
        record(tmp_path / f"a.{kind}", sound=None, times=times)
        with ClipReader(tmp_path / f"a.{kind}") as clip:
            assert clip.info.frame_rate == 30.0
        with ClipReader(tmp_path / f"a.{kind}", frame_rate=30.0) as clip:
            regular = list(clip)
        assert len(regular) == pytest.approx(30 * seconds, abs=1)
        assert sum(not np.array_equal(one, other) for (_, one), (_, other) in pairwise(regular)) == 89


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [("a.ts", "libx264", "aac"), ("a.ts", "mpeg2video", "mp2"), ("a.mkv", "mpeg4", "libmp3lame"), ("a.webm", "libvpx", "libopus")],
)  # fmt: skip
def test_recordings_that_begin_between_key_frames(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    """The first key frame kept is that of 1.0 s."""
    record(tmp_path / name, codec, sound, keep=lambda number: number >= 17, options={"g": "30", "bf": "0"})
    with ClipReader(tmp_path / name) as clip:
        assert clip.info.frames == len(list(clip))
        assert clip.damage is None
        late = 2.0 - clip.info.duration
    assert 0.0 <= late + 1 / 15 <= 1 / 15 + 0.01  # MPEG-4's and MPEG-2's begin up to two frames before
    seen, heard = written_again(tmp_path / name, tmp_path / "again.mp4")
    np.testing.assert_allclose(seen[-1] - heard[-1], 0.0, atol=STEP)
    np.testing.assert_allclose(heard[-1], 1.0 - late, atol=STEP)


def test_a_webm_of_one_frame_is_a_picture(tmp_path: Path) -> None:
    record(tmp_path / "a.webm", "libvpx", None, times=[0.0])
    with ClipReader(tmp_path / "a.webm") as clip:
        assert clip.info.frames == 1


@pytest.mark.parametrize(("rate", "generated"), [(240, 60.0), (120, 60.0), (100, 50.0), (50, 50.0)])
def test_high_speed_clips(tmp_path: Path, rate: int, generated: float) -> None:
    record(tmp_path / "a.mp4", rate=rate, seconds=2.2, options={"preset": "ultrafast"})
    with ClipReader(tmp_path / "a.mp4") as clip:
        assert clip.info.frame_rate == rate
    seen, heard = written_again(tmp_path / "a.mp4", tmp_path / "again.mp4")
    np.testing.assert_allclose(seen, [1.0, 2.0], atol=1 / generated + 0.015)
    np.testing.assert_allclose(heard, [1.0, 2.0], atol=0.015)
    with av.open(str(tmp_path / "again.mp4")) as container:
        assert container.streams.video[0].average_rate == generated


@pytest.mark.parametrize(
    ("clip_range", "rate", "onsets"),
    [
        (ClipRange(15), None, [0.5, 1.5]),
        (ClipRange(0.9, 2.5), None, [0.1, 1.1]),
        (ClipRange(0.9, duration=48), 24.0, [0.1, 1.1]),
        (ClipRange(27, duration=0.5), 50.0, [0.1]),
    ],
)
def test_ranges_and_rates_keep_step(
    tmp_path: Path, clip_range: ClipRange, rate: float | None, onsets: list[float]
) -> None:
    record(tmp_path / "a.mp4")
    assert_together(tmp_path / "a.mp4", tmp_path, onsets, clip_range=clip_range, frame_rate=rate)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.mp4", "libx264", {"g": "12", "bf": "3"}), ("a.ts", "mpeg2video", {"g": "12", "bf": "2"}), ("a.mkv", "libx265", {}),
     ("a.webm", "libvpx-vp9", {"g": "15"}), ("a.avi", "mpeg4", {"bf": "2"}), ("a.mkv", "mjpeg", {})],
)  # fmt: skip
def test_a_range_late_in_a_clip_is_found_without_decoding_all_before(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    record(tmp_path / name, codec, None, options={**options, "x265-params": "keyint=12:log-level=error"})
    whole = list(ClipReader(tmp_path / name))
    for first in (1, 40, 59, 60, 61, 89):
        part = list(ClipReader(tmp_path / name, ClipRange(first)))
        assert [time for time, _ in part] == [time for time, _ in whole[first:]]
        assert all(
            np.array_equal(one, other) for (_, one), (_, other) in zip(part, whole[first:], strict=True)
        )
    if not name.endswith("avi"):
        with ClipReader(tmp_path / name) as clip:
            assert len(list(clip._source.frames(80))) < 45


def test_a_file_whose_name_looks_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path("plain.mp4"), frames=5, audio_codec="aac")
    Path("12:30").mkdir()
    Path("plain.mp4").rename("12:30/r.mp4")
    with ClipReader("12:30/r.mp4") as clip:
        assert len(list(clip)) == 5


def test_the_numbers_that_a_container_claims_are_not_believed(tmp_path: Path) -> None:
    """An MP4 in pieces claims no count of frames, and a Matroska written as it is recorded no duration."""
    record(tmp_path / "a.mp4", movflags="frag_keyframe+empty_moov")
    record(tmp_path / "a.mkv", live="1")
    for name in ("a.mp4", "a.mkv"):
        with ClipReader(tmp_path / name) as clip:
            assert clip.info.frames == len(list(clip)) == 90
            assert clip.info.duration == pytest.approx(3.0, abs=0.01)
            assert clip.info.frame_rate == 30.0
            assert clip.damage is None
        assert_together(tmp_path / name, tmp_path, [1.0, 2.0])
    assert len(flashes(tmp_path / "a.mp4")) == len(heard_onsets(tmp_path / "a.mp4")) == 2

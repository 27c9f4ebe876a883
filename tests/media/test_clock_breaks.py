"""Clocks that jump, fall or begin anew, and sound with holes: what was seen and heard together stays together."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from followyouremoji.media.clips import ClipReader
from tests.media.recordings import STEP, assert_together, joined, record, written_again


@pytest.mark.parametrize(("codec", "sound"), [("libx264", "aac"), ("mpeg2video", "mp2")])
def test_joined_transport_streams(tmp_path: Path, codec: str, sound: str) -> None:
    record(tmp_path / "one.ts", codec, sound)
    record(tmp_path / "late.ts", codec, sound, moved=lambda time: time + 10.0)
    for parts in (("one.ts", "one.ts"), ("late.ts", "one.ts"), ("one.ts", "late.ts")):
        joined(tmp_path / "both.ts", *(tmp_path / part for part in parts))
        with ClipReader(tmp_path / "both.ts") as clip:
            assert clip.info.frames == len(list(clip)) == 180
            assert clip.info.duration == pytest.approx(6.0, abs=0.01)
            assert clip.damage is None
            assert len(clip.notes) == 1
        assert_together(tmp_path / "both.ts", tmp_path, [1.0, 2.0, 4.0, 5.0])


def test_a_clock_that_wraps_is_no_damage(tmp_path: Path) -> None:
    """A transport stream's counts 33 bits, 26.5 hours, and then begins anew."""
    record(tmp_path / "a.ts", moved=lambda time: time + 2**33 / 90_000 - 2.4)  # FFmpeg adds 1.4 s
    record(tmp_path / "one.ts")
    with ClipReader(tmp_path / "a.ts") as clip:
        assert len(list(clip)) == 90
        assert clip.damage is None
    joined(tmp_path / "both.ts", tmp_path / "one.ts", tmp_path / "a.ts", tmp_path / "one.ts")
    with ClipReader(tmp_path / "both.ts") as clip:
        assert len(list(clip)) >= 269  # a frame is lost where the clock breaks among frames in another order
        assert clip.damage is None
    seen, heard = written_again(tmp_path / "both.ts", tmp_path / "again.mp4")
    assert len(seen) == 6
    np.testing.assert_allclose(seen, heard, atol=STEP)


def a_jump(time: float) -> float:
    return time if time < 1.5 else time + 20.0


def an_absurd_jump(time: float) -> float:
    return time if time < 1.5 else time + 90_000.0


@pytest.mark.parametrize(
    ("name", "moved", "sound_moved"),
    [("a.mkv", a_jump, None), ("a.mp4", a_jump, None), ("a.mkv", an_absurd_jump, lambda time: time)],
)
def test_jumps_of_the_clock_are_closed(
    tmp_path: Path, name: str, moved: Callable[[float], float], sound_moved: Callable[[float], float] | None
) -> None:
    record(tmp_path / name, moved=moved, sound_moved=sound_moved)
    with ClipReader(tmp_path / name) as clip:
        assert clip.info.duration == pytest.approx(3.0, abs=0.01)
        assert "break off once" in clip.notes[0]
    assert_together(tmp_path / name, tmp_path, [1.0, 2.0])


def test_sound_that_goes_on_tells_a_held_frame_from_a_jump(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(45) / 30, 7.5 + np.arange(45) / 30])
    record(tmp_path / "a.mkv", times=times)
    with ClipReader(tmp_path / "a.mkv") as clip:
        assert clip.info.duration == pytest.approx(9.0, abs=0.01)
        assert clip.notes == ()


@pytest.mark.parametrize(("picture", "sound"), [(0.5, 0.0), (0.0, 0.5), (5.0, 5.0)])
@pytest.mark.parametrize("kind", ["mkv", "ts"])
def test_streams_that_begin_late(tmp_path: Path, kind: str, picture: float, sound: float) -> None:
    record(
        tmp_path / f"a.{kind}",
        moved=lambda time: time + picture,
        sound_moved=lambda time: time + sound,
    )
    seen, heard = written_again(tmp_path / f"a.{kind}", tmp_path / "again.mp4")
    np.testing.assert_allclose(seen, [1.0, 2.0], atol=STEP)
    np.testing.assert_allclose(heard, [1.0 + sound - picture, 2.0 + sound - picture], atol=STEP)


def test_two_packets_of_sound_at_one_time(tmp_path: Path) -> None:
    """Which no file may say that they are copied into."""
    record(tmp_path / "a.mkv", sound_moved=lambda time: time - 0.0213 * (1.4 < time < 1.42))
    with av.open(str(tmp_path / "a.mkv")) as container:
        times = [packet.pts for packet in container.demux(audio=0) if packet.size]
    assert len(set(times)) < len(times)
    assert_together(tmp_path / "a.mkv", tmp_path, [1.0, 2.0])


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_sound_with_a_hole(tmp_path: Path, kind: str) -> None:
    record(tmp_path / f"a.{kind}", heard=lambda time: not 0.3 < time < 0.8)
    assert_together(tmp_path / f"a.{kind}", tmp_path, [1.0, 2.0])

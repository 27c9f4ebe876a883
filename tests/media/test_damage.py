"""Files of which some cannot be decoded: it costs what is damaged, and is said."""

from pathlib import Path

import av
import numpy as np
import pytest

from followyouremoji.errors import ClipError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import ClipRange
from tests.media.recordings import assert_together, record


def spoilt(path: Path, number: int) -> None:
    """Overwrite a picture packet with noise."""
    with av.open(str(path)) as container:
        entry = list(container.streams.video[0].index_entries)[number]
        start, size = entry.pos, entry.size  # of memory that goes with the container
    content = bytearray(path.read_bytes())
    content[start : start + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(content)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_one_bad_packet_costs_one_frame(tmp_path: Path, codec: str) -> None:
    record(tmp_path / "a.mp4", codec)
    spoilt(tmp_path / "a.mp4", 41)
    with ClipReader(tmp_path / "a.mp4", frame_rate=30.0) as clip:
        assert len(list(clip)) == 90
        assert clip.damage is None
        assert "One frame" in clip.notes[0]
    assert_together(tmp_path / "a.mp4", tmp_path, [1.0, 2.0])


@pytest.mark.parametrize("after", [42, 44])
def test_a_range_that_begins_with_a_bad_packet_shows_the_frame_before(tmp_path: Path, after: int) -> None:
    record(tmp_path / "a.mp4", "mpeg4", sound=None)
    spoilt(tmp_path / "a.mp4", 41)
    with ClipReader(tmp_path / "a.mp4", ClipRange(40, 41)) as clip:
        ((_, before),) = clip
    with ClipReader(tmp_path / "a.mp4", ClipRange(41, after)) as clip:
        frames = list(clip)
    assert len(frames) == after - 41
    np.testing.assert_array_equal(frames[0][1], before)


def test_a_bad_packet_at_the_end_is_damage(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", "mpeg4")
    for number in (87, 88, 89):
        spoilt(tmp_path / "a.mp4", number)
    with ClipReader(tmp_path / "a.mp4") as clip:
        assert 80 < len(list(clip)) < 90
        assert clip.damage


def test_a_clip_of_which_nothing_decodes_is_an_error(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4", seconds=0.2, sound=None)
    for number in range(6):
        spoilt(tmp_path / "a.mp4", number)
    with pytest.raises(ClipError, match="not one frame"):
        ClipReader(tmp_path / "a.mp4")

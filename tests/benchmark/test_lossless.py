"""Lossless clips: the very pixels come back, and the same bytes are written each time."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.errors import ClipError
from followyouremoji.media.clips import ClipReader

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), np.uint8)
"""Noise, in which a conversion of colours or a lossy code would show."""


@pytest.mark.parametrize("rate", [25.0, 30000 / 1001])
def test_pixels_and_times_come_back(tmp_path: Path, rate: float) -> None:
    assert write_lossless(tmp_path / "clip.mkv", iter(FRAMES), rate) == len(FRAMES)
    with ClipReader(tmp_path / "clip.mkv") as reader:
        times, pictures = zip(*reader, strict=True)
    np.testing.assert_array_equal(np.stack(pictures), FRAMES)
    np.testing.assert_allclose(times, np.arange(5) / rate, atol=2e-3)  # Matroska counts milliseconds


def test_each_writing_gives_the_same_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    written = []
    for frames in (FRAMES, FRAMES[::-1], FRAMES):
        write_lossless(path, frames, 25.0)
        written.append(path.read_bytes())
    assert written[0] == written[2] != written[1]
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mkv"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no frames"):
        write_lossless(tmp_path / "clip.mkv", [], 25.0)

    def breaking():
        yield FRAMES[0]
        raise ClipError("the source broke")

    with pytest.raises(ClipError, match="source broke"):
        write_lossless(tmp_path / "clip.mkv", breaking(), 25.0)
    with pytest.raises(ClipError, match="cannot write"):
        write_lossless(tmp_path / "nowhere" / "clip.mkv", FRAMES, 25.0)
    assert not list(tmp_path.iterdir())

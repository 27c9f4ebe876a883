"""Which of the streams in a file are used."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.media.clips import ClipReader
from tests.media.recordings import STEP, assert_together, record, without_decoder, written_again
from tests.media.synthetic import moving_picture


def test_other_streams_do_not_disturb(tmp_path: Path) -> None:
    """Subtitles first, then sound, then pictures, and a file that is attached."""

    def others(container: Any) -> list[Any]:
        word = av.Packet(b"Hello")
        word.stream, word.time_base = container.add_mux_stream("subrip"), Fraction(1, 1000)
        word.pts, word.dts, word.duration = 500, 500, 9000
        container.add_attachment("notes.txt", "text/plain", b"Notes.")
        return [word]

    record(tmp_path / "a.mkv", more=others, sound_first=True)
    with ClipReader(tmp_path / "a.mkv") as clip:
        assert clip.info.frames == len(list(clip)) == 90
    assert_together(tmp_path / "a.mkv", tmp_path, [1.0, 2.0])


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_a_cover_that_is_not_marked_as_one_is_passed_over(tmp_path: Path, kind: str) -> None:
    def cover(container: Any) -> list[Any]:
        content = BytesIO()
        Image.new("RGB", (64, 64), "red").save(content, "JPEG")
        stream = container.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        packet = av.Packet(content.getvalue())
        packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 25), 0, 0
        return [packet]

    record(tmp_path / f"a.{kind}", more=cover)
    with ClipReader(tmp_path / f"a.{kind}") as clip:
        assert clip.info.size == (128, 96)
        assert clip.info.frames == len(list(clip)) == 90


@pytest.mark.parametrize("marked", [0, 1])
def test_the_sound_track_marked_default_is_used(tmp_path: Path, marked: int) -> None:
    """Two tracks, the first of which is silent."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sounds = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2)]
        sounds[marked].disposition = av.stream.Disposition.default
        for number, one in enumerate(sounds):
            wave = (8000 * number * np.sin(np.arange(8000)))[None].astype(np.int16)
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(one.encode(frame))
        for index in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(moving_picture(index), format="rgb24")))
        container.mux(video.encode(None))
    written_again(tmp_path / "a.mkv", tmp_path / "again.mp4")
    with av.open(str(tmp_path / "again.mp4")) as container:
        loudest = max(np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0))
    assert (loudest > 0.1) == (marked == 1)


def test_sound_that_nobody_decodes_is_left_out_and_said(tmp_path: Path) -> None:
    record(tmp_path / "a.mp4")
    without_decoder(tmp_path / "a.mp4", 0)
    with ClipReader(tmp_path / "a.mp4") as clip:
        assert not clip.info.has_sound
        assert "cannot be decoded" in clip.notes[0]
        assert len(list(clip)) == 90
        assert clip.damage is None
    seen, heard = written_again(tmp_path / "a.mp4", tmp_path / "again.mp4")
    np.testing.assert_allclose(seen, [1.0, 2.0], atol=STEP)
    assert len(heard) == 0


def test_sound_that_can_be_decoded_is_taken_instead(tmp_path: Path) -> None:
    def silence(container: Any) -> list[Any]:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        packets = [*stream.encode(frame), *stream.encode(None)]
        for packet in packets:
            packet.stream = stream
        return packets

    record(tmp_path / "a.mp4", more=silence)
    without_decoder(tmp_path / "a.mp4", 0)
    with ClipReader(tmp_path / "a.mp4") as clip:
        assert clip.info.has_sound
        assert "another" in clip.notes[0]
    assert_together(tmp_path / "a.mp4", tmp_path, [1.0, 2.0])

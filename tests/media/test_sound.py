"""Sound goes with its frames, cut where they are cut, copied where it can be."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter
from tests.media.synthetic import heard_onsets, moving_picture, square_place, write_clip, write_moving


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("mp4", "aac"), ("mkv", "aac"), ("mp4", "mp3"), ("mkv", "pcm_s16le"), ("mkv", "flac")],
)
def test_sound_is_kept_in_time(tmp_path: Path, kind: str, codec: str) -> None:
    source = tmp_path / f"driving.{kind}"
    write_clip(source, frames=60, audio_codec="libmp3lame" if codec == "mp3" else codec)
    with ClipReader(source, ClipRange(10, 40)) as reader:  # 0.4 s to 1.6 s
        frames = list(reader)
    with ClipWriter(
        tmp_path / "made.mp4", 25, (96, 64), sound_from=source, sound_start=frames[0][0]
    ) as writer:
        assert writer.has_sound
        for _, picture in frames:
            writer.write(picture)
    # The tones of 0.5, 1.0 and 1.5 s; times of sound round to the millisecond in Matroska.
    np.testing.assert_allclose(heard_onsets(tmp_path / "made.mp4"), [0.1, 0.6, 1.1], atol=0.004)
    with av.open(str(tmp_path / "made.mp4")) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == (
            "mp3" if codec == "mp3" else "aac"
        )
        assert container.streams.video[0].frames == 30
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(1.2, abs=0.06)


def test_copied_sound_is_the_same_bytes(tmp_path: Path) -> None:
    write_clip(tmp_path / "driving.mp4", frames=50, audio_codec="aac")
    write_moving(tmp_path / "made.mp4", frames=50, sound_from=tmp_path / "driving.mp4")

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    made, driving = packets(tmp_path / "made.mp4"), packets(tmp_path / "driving.mp4")
    assert made == driving[: len(made)]
    assert len(made) >= len(driving) - 2


def test_sound_of_a_clip_with_a_varying_rate_stays_in_time(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *([0.02, 0.06, 0.04, 0.1] * 9)])  # 37 frames, 1.98 s
    write_clip(tmp_path / "driving.mkv", frames=37, rate=20, times=times.tolist(), audio_codec="aac")
    with ClipReader(tmp_path / "driving.mkv", frame_rate=30.0) as reader:
        frames = list(reader)
    assert len(frames) / 30 == pytest.approx(1.98, abs=0.06)
    with ClipWriter(tmp_path / "made.mp4", 30, (96, 64), sound_from=tmp_path / "driving.mkv") as writer:
        for _, picture in frames:
            writer.write(picture)
    np.testing.assert_allclose(heard_onsets(tmp_path / "made.mp4"), [0.5, 1.0, 1.5], atol=0.004)
    for time, picture in ClipReader(tmp_path / "made.mp4"):
        begun = times <= time + 0.5 / 30 + 2e-3
        assert round(square_place(picture)) in (begun.sum() - 1, (times <= time + 0.5 / 30 - 2e-3).sum() - 1)


@pytest.mark.parametrize("source", ["silent.mp4", "still.gif"])
def test_sound_from_a_clip_without_any(tmp_path: Path, source: str) -> None:
    if source.endswith("mp4"):
        write_clip(tmp_path / source, frames=5)
    else:
        Image.fromarray(moving_picture(0)).save(tmp_path / source)
    write_moving(tmp_path / "made.mp4", sound_from=tmp_path / source)
    assert not ClipReader(tmp_path / "made.mp4").info.has_sound


def test_sound_that_cannot_be_read_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"no song\n" * 100)
    for name, words in (("song.mp3", "cannot be read"), ("gone.mp3", "no file")):
        with pytest.raises(ClipError, match=words):
            write_moving(tmp_path / "made.mp4", sound_from=tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["song.mp3"]

"""Files as people have them: no frame is lost, and what was seen and heard together stays together."""

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.media import decoding
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import ClipRange
from tests.media.recordings import (
    SHARED,
    flashes,
    flashing_picture,
    joined,
    record,
    without_decoder,
    written_again,
)
from tests.media.synthetic import heard_onsets, moving_picture, square_place, write_clip

STEP = 1 / 30 + 0.015  # seconds: a frame, and what an AAC packet and the tone's detection add

needs_cases = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are not here")


def assert_together(source: Path, folder: Path, onsets: list[float], **how: float) -> None:
    """Flash and beep of the clip written again lie at `onsets`."""
    seen, heard = written_again(source, folder / "again.mp4", **how)
    np.testing.assert_allclose(seen, onsets, atol=STEP)
    np.testing.assert_allclose(heard, onsets, atol=STEP)


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


def test_the_last_frame_of_a_gif_is_held(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 100, 2000])
    with ClipReader(tmp_path / "a.gif", frame_rate=10.0) as clip:
        assert clip.info.frame_rate == 10.0
        assert clip.info.duration == pytest.approx(2.2)
        shown = [round(square_place(picture)) for _, picture in clip]
    assert shown == [0, 1, *[2] * 20]


def test_the_still_picture_of_an_animated_png_is_none_of_its_frames(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(4)]
    pictures[0].save(
        tmp_path / "a.png", save_all=True, default_image=True, append_images=pictures[1:], duration=200
    )
    with ClipReader(tmp_path / "a.png") as clip:
        assert clip.info.frame_rate == 5.0
        assert [round(square_place(picture)) for _, picture in clip] == [1, 2, 3]


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


def spoilt(path: Path, number: int) -> None:
    """Overwrite a picture packet with noise."""
    with av.open(str(path)) as container:
        entry = list(container.streams.video[0].index_entries)[number]
    content = bytearray(path.read_bytes())
    content[entry.pos : entry.pos + entry.size] = np.random.default_rng(0).bytes(entry.size)
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


def test_a_phone_that_is_turned_during_the_call(tmp_path: Path) -> None:
    path = tmp_path / "turn.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj420p"
        for index in range(10):
            width, height = (96, 64) if index < 5 else (64, 96)
            picture = np.full((height, width, 3), 90, np.uint8)
            picture[16:48, 16:48] = 250
            content = BytesIO()
            Image.fromarray(picture).save(content, "JPEG", quality=95)
            packet = av.Packet(content.getvalue())
            packet.stream, packet.time_base = video, Fraction(1, 10)
            packet.pts = packet.dts = index
            container.mux_one(packet)
    with ClipReader(path) as clip:
        pictures = [picture for _, picture in clip]
        assert {picture.shape for picture in pictures} == {(64, 96, 3)}
        assert "shape" in clip.notes[0]
    late = pictures[7]
    assert late[:, :20].max() < 20  # bars
    assert late[:, -20:].max() < 20
    box = late[..., 0] > 200
    assert box.any(axis=0).sum() == pytest.approx(box.any(axis=1).sum(), abs=2)  # still square
    assert box.any(axis=1).sum() == pytest.approx(32 * 64 / 96, abs=2)


def test_the_same_shape_at_another_size_fills_the_picture() -> None:
    from followyouremoji.media.frames import fitted

    assert fitted((320, 180), (640, 360)) == (640, 360)
    assert fitted((426, 240), (640, 360)) == (640, 360)  # of 426.7 pixels
    assert fitted((360, 640), (640, 360)) == (202, 360)
    assert fitted((640, 480), (640, 360)) == (480, 360)


def test_a_webm_of_one_frame_is_a_picture(tmp_path: Path) -> None:
    record(tmp_path / "a.webm", "libvpx", None, times=[0.0])
    with ClipReader(tmp_path / "a.webm") as clip:
        assert clip.info.frames == 1


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_webm_lies_on_white(tmp_path: Path, codec: str) -> None:
    layers = np.zeros((64, 64, 4), np.uint8)
    layers[10:40, 10:40] = (200, 20, 20, 255)
    with av.open(str(tmp_path / "a.webm"), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"auto-alt-ref": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuva420p"
        stream.bit_rate = 2_000_000
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(layers, format="rgba").reformat(format="yuva420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with ClipReader(tmp_path / "a.webm") as clip:
        pictures = [picture for _, picture in clip]
    assert len(pictures) == 5
    for picture in pictures:
        np.testing.assert_allclose(picture[25, 25].astype(int), [200, 20, 20], atol=8)
        assert picture[50:, 50:].min() > 250


def test_prores_4444_lies_on_white(tmp_path: Path) -> None:
    layers = np.zeros((64, 64, 4), np.uint8)
    layers[10:40, 10:40] = (200, 20, 20, 255)
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("prores_ks", rate=25, options={"profile": "4444"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuva444p10le"
        frame = av.VideoFrame.from_ndarray(layers, format="rgba").reformat(format="yuva444p10le")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ((_, picture),) = ClipReader(tmp_path / "a.mov")
    np.testing.assert_allclose(picture[25, 25].astype(int), [200, 20, 20], atol=8)
    assert picture[50:, 50:].min() > 250


def test_animated_avif(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(6)]
    pictures[0].save(tmp_path / "a.avif", save_all=True, append_images=pictures[1:], duration=100)
    with ClipReader(tmp_path / "a.avif") as clip:
        assert clip.info.frames == 6
        assert clip.info.frame_rate == 10.0
        assert [round(square_place(picture)) for _, picture in clip] == list(range(6))


def test_heic_pictures_are_whole_and_sequences_move(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    Image.fromarray(flashing_picture(1.0, (640, 480))).save(tmp_path / "a.heic")
    with ClipReader(tmp_path / "a.heic") as clip:
        assert clip.info.frames == 1
        assert clip.info.size == (640, 480)
        assert isinstance(clip._source, decoding.AnimationSource)  # FFmpeg would show tile after tile
    record(tmp_path / "a.mp4", "libx265", None, seconds=1.0)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    content[8:12], content[16:24] = b"msf1", b"hevcmsf1"
    content[content.index(b"vide") :][:4] = b"pict"
    (tmp_path / "a.heics").write_bytes(content)
    with ClipReader(tmp_path / "a.heics") as clip:
        assert len(list(clip)) == 30


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

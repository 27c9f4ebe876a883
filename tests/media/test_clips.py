"""Clips are read as they are shown, with true times; damaged ones as far as they go."""

import struct
from contextlib import closing
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.media.clips import DECODED_AHEAD, ClipReader
from followyouremoji.media.pictures import read_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.prefetch import prefetch
from tests.media.synthetic import moving_picture, square_place, write_clip


def difference(picture: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(picture.astype(int) - expected).mean())


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30)
    with ClipReader(tmp_path / "clip.mp4") as reader:
        frames = list(reader)
        assert reader.info.size == (96, 64)
        assert reader.info.frame_rate == pytest.approx(25.0)
        assert reader.info.frames == reader.expected_frames == len(frames) == 30
        assert reader.info.duration == pytest.approx(30 / 25)
        assert not reader.info.has_sound
        assert reader.damage is None
    np.testing.assert_allclose([time for time, _ in frames], np.arange(30) / 25, atol=1e-6)
    for index, (_, picture) in enumerate(frames):
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        assert difference(picture, moving_picture(index)) < 4.0
        assert square_place(picture) == pytest.approx(index, abs=0.3)


def test_a_clip_decoded_ahead_gives_the_same_frames_and_can_be_left(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30)
    with ClipReader(tmp_path / "clip.mp4") as reader:
        for (time, picture), (shown, beside) in zip(reader, prefetch(reader, DECODED_AHEAD), strict=True):
            assert time == shown
            np.testing.assert_array_equal(picture, beside)
    with ClipReader(tmp_path / "clip.mp4") as reader, closing(prefetch(reader, 2)) as frames:
        next(frames)


def test_a_range_is_a_slice_of_the_frames_and_can_be_read_again(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30)
    with ClipReader(tmp_path / "clip.mp4", ClipRange(7, 12)) as reader:
        for _ in range(2):
            frames = list(reader)
            np.testing.assert_allclose([time for time, _ in frames], np.arange(7, 12) / 25, atol=1e-6)
            assert [round(square_place(picture)) for _, picture in frames] == [7, 8, 9, 10, 11]
        assert reader.expected_frames == 5
    assert len(list(ClipReader(tmp_path / "clip.mp4", ClipRange(25, 99)))) == 5


def test_a_start_beyond_the_end_is_told_at_once_also_of_a_file_without_a_count(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", frames=30)
    assert ClipReader(tmp_path / "clip.mkv").info.frames == 30
    with pytest.raises(ClipError, match="has 30 frames"):
        ClipReader(tmp_path / "clip.mkv", ClipRange(40))


@pytest.mark.parametrize("kind", ["mkv", "mov", "ts", "avi"])
def test_other_containers(tmp_path: Path, kind: str) -> None:
    write_clip(tmp_path / f"clip.{kind}", frames=20, audio_codec="mp2" if kind == "ts" else "pcm_s16le")
    with ClipReader(tmp_path / f"clip.{kind}") as reader:
        assert reader.info.has_sound
        frames = list(reader)
        assert reader.damage is None
    assert [round(square_place(picture)) for _, picture in frames] == list(range(20))
    np.testing.assert_allclose([time for time, _ in frames], np.arange(20) / 25, atol=2e-3)


def test_frames_without_any_packing(tmp_path: Path) -> None:
    frame = b"FRAME\n" + bytes([180]) * (64 * 64) + bytes([128]) * (2 * 32 * 32)
    (tmp_path / "clip.y4m").write_bytes(b"YUV4MPEG2 W64 H64 F25:1 Ip A1:1 C420jpeg\n" + 3 * frame)
    with ClipReader(tmp_path / "clip.y4m") as reader:
        assert [picture.shape for _, picture in reader] == 3 * [(64, 64, 3)]


@pytest.mark.parametrize(
    ("rotation", "mirrored"), [(90, False), (180, False), (270, False), (0, True), (90, True)]
)
def test_phones_rotation_is_followed(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    write_clip(tmp_path / "phone.mp4", frames=3, rotation=rotation, mirrored=mirrored)
    # FFmpeg turns counter-clockwise by the angle, then mirrors across.
    expected = np.rot90(moving_picture(0), rotation // 90)
    expected = expected[:, ::-1] if mirrored else expected
    with ClipReader(tmp_path / "phone.mp4") as reader:
        assert reader.info.size == (expected.shape[1], expected.shape[0])
        _, picture = next(iter(reader))
    assert difference(picture, expected) < 4.0


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, -1)])  # EXIF: upright, and lying on its left
def test_motion_jpeg_with_exif_is_read(tmp_path: Path, orientation: int, turns: int) -> None:
    exif, content = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(moving_picture(0)).save(content, "JPEG", quality=95, exif=exif)
    with av.open(str(tmp_path / "camera.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for index in range(3):
            packet = av.Packet(content.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            container.mux(packet)
    pictures = [picture for _, picture in ClipReader(tmp_path / "camera.mov")]
    assert len(pictures) == 3
    assert difference(pictures[2], np.rot90(moving_picture(0), turns)) < 4.0


def write_frames(
    path: Path, pictures: list[np.ndarray], codec: str, pixels: str, **attributes: object
) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        for name, value in attributes.items():
            setattr(stream.codec_context, name, value)
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_oblong_pixels_become_square(tmp_path: Path) -> None:
    pictures = [moving_picture(index) for index in range(3)]
    write_frames(tmp_path / "wide.mp4", pictures, "libx264", "yuv420p", sample_aspect_ratio=Fraction(4, 3))
    reader = ClipReader(tmp_path / "wide.mp4")
    assert reader.info.size == (128, 64)
    stretched = np.asarray(Image.fromarray(pictures[2]).resize((128, 64)))
    assert difference([picture for _, picture in reader][2], stretched) < 5.0


def test_transparent_video_shows_white(tmp_path: Path) -> None:
    layers = np.zeros((40, 48, 4), np.uint8)
    layers[10:30, 10:30] = (200, 20, 20, 255)
    write_frames(tmp_path / "clear.mov", [layers] * 2, "png", "rgba")
    for _, picture in ClipReader(tmp_path / "clear.mov"):
        np.testing.assert_array_equal(picture[20, 20], [200, 20, 20])
        assert (picture[:10] == 255).all()


@pytest.mark.parametrize("matrix", [1, 2])  # BT.709 by name, and not named
def test_colours_of_high_definition(tmp_path: Path, matrix: int) -> None:
    picture = np.full((640, 640, 3), (30, 200, 60), np.uint8)
    with av.open(str(tmp_path / "hd.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 640
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.colorspace = matrix
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ((_, shown),) = ClipReader(tmp_path / "hd.mp4")
    np.testing.assert_allclose(shown[300, 300].astype(int), [30, 200, 60], atol=4)


def test_a_varying_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.2, 0.3, 0.31, 0.5]
    write_clip(tmp_path / "varying.mp4", frames=7, times=times)
    frames = list(ClipReader(tmp_path / "varying.mp4"))
    np.testing.assert_allclose([time for time, _ in frames], times, atol=1e-3)
    regular = list(ClipReader(tmp_path / "varying.mp4", frame_rate=25.0))
    np.testing.assert_allclose([time for time, _ in regular], np.arange(len(regular)) / 25, atol=1e-6)
    shown = [round(square_place(picture)) for _, picture in regular]
    # By hand: what is shown at 0.02, 0.06, ... of `times`, a frame until the next; the last for 0.04 s or so.
    assert shown[:13] == [0, 1, 2, 2, 2, 3, 3, 3, 5, 5, 5, 5, 5]
    assert set(shown[13:]) == {6}


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations_are_clips(tmp_path: Path, kind: str) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(6)]
    options = {"lossless": True} if kind == "webp" else {}
    path = tmp_path / f"moving.{kind}"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[100, 50, 50, 200, 100, 100], **options
    )
    with ClipReader(path, ClipRange(1)) as reader:
        assert reader.info.frames == 6
        assert reader.info.duration == pytest.approx(0.6)
        assert reader.info.frame_rate == pytest.approx(20.0)  # at which none is lost
        frames = list(reader)
    np.testing.assert_allclose([time for time, _ in frames], [0.1, 0.15, 0.2, 0.4, 0.5])
    for index, (_, picture) in enumerate(frames, start=1):
        assert difference(picture, moving_picture(index)) < (6.0 if kind == "gif" else 0.5)


def test_transparent_animations_show_white(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (40, 40), (0, 0, 0, 0)) for _ in range(2)]
    pictures[1].paste((200, 20, 20, 255), (10, 10, 30, 30))
    pictures[0].save(tmp_path / "clear.webp", save_all=True, append_images=pictures[1:], lossless=True)
    frames = [picture for _, picture in ClipReader(tmp_path / "clear.webp")]
    assert (frames[0] == 255).all()
    np.testing.assert_array_equal(frames[1][20, 20], [200, 20, 20])
    assert (frames[1][:10] == 255).all()


@pytest.mark.parametrize("kind", ["jpg", "bmp", "ppm", "tga", "ico", "jp2", "tif"])
def test_a_still_picture_is_a_clip_of_one_frame(tmp_path: Path, kind: str) -> None:
    path, shown = tmp_path / f"still.{kind}", moving_picture(0, (64, 64))
    pages = {"save_all": True, "append_images": [Image.new("RGB", (64, 64))]} if kind == "tif" else {}
    Image.fromarray(shown).save(path, quality=95, **pages)
    with ClipReader(path) as reader:
        assert reader.info.frames == 1
        ((_, picture),) = reader
    assert difference(picture, shown) < 4.0
    np.testing.assert_array_equal(picture, read_picture(path))


def test_still_pictures_that_cannot_be_used_are_told_in_words(tmp_path: Path) -> None:
    Image.fromarray(moving_picture(0)).save(tmp_path / "whole.bmp")
    content = bytearray((tmp_path / "whole.bmp").read_bytes())
    (tmp_path / "cut.bmp").write_bytes(content[:1000])
    with pytest.raises(ClipError, match=r"cut\.bmp is damaged"):
        ClipReader(tmp_path / "cut.bmp")
    content[18:26] = struct.pack("<ii", 20_000, 20_000)
    (tmp_path / "huge.bmp").write_bytes(content)
    with pytest.raises(ClipError, match="100 megapixels"):
        ClipReader(tmp_path / "huge.bmp")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.mp4", b"This is not a clip at all.\n" * 50, "not a video"),
        ("playlist.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://192.0.2.1/a.ts\n#EXT-X-ENDLIST\n", "playlist.mp4"),
        ("notes.txt", b"Plain notes.\n" * 50, "notes.txt"),
        ("empty.mp4", b"", "empty"),
        ("missing.mp4", None, "no file"),
    ],
)
def test_what_is_no_clip(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClipError) as error:
        ClipReader(path)
    assert words in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_and_sound_alone_are_no_clips(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="folder"):
        ClipReader(tmp_path)
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ClipError, match="no video"):
        ClipReader(tmp_path / "sound.wav")


def test_tiny_and_huge_clips_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.gif")
    with pytest.raises(ClipError, match="too small"):
        ClipReader(tmp_path / "dot.gif")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(ClipError, match="100 megapixels"):
        ClipReader(tmp_path / "huge.png")


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_a_clip_cut_off_is_read_up_to_the_damage(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"cut.{kind}"
    write_clip(path, frames=38, faststart=kind == "mp4")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    with ClipReader(path) as reader:
        assert reader.damage is None
        frames = list(reader)
        assert reader.damage
        read_ahead = [time for time, _ in prefetch(reader, 2)]
        assert read_ahead == [time for time, _ in frames]
        assert reader.damage
    assert 5 < len(frames) < 38
    assert [round(square_place(picture)) for _, picture in frames] == list(range(len(frames)))


def test_a_clip_without_its_index_cannot_be_read(tmp_path: Path) -> None:
    write_clip(tmp_path / "cut.mp4", frames=30)  # its index comes last
    data = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(ClipError, match=r"cut\.mp4.*cut off"):
        ClipReader(tmp_path / "cut.mp4")


def test_an_animation_cut_off_is_read_up_to_the_damage(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 40, 40, 3), dtype=np.uint8)
    pictures = [Image.fromarray(picture) for picture in noise]
    path = tmp_path / "cut.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with ClipReader(path) as reader:
        assert 2 <= len(list(reader)) <= 5
        assert reader.damage


def test_an_iteration_left_early_lets_go_of_the_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30)
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.exists() else 0
    with ClipReader(tmp_path / "clip.mp4") as reader:
        frames = iter(reader)
        next(frames)
    assert next(frames, None) is None
    if before:
        assert len(list(open_files.iterdir())) == before

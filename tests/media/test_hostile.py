"""Files made to do harm: counts, sizes and times that nothing stands behind, and ways to other programs and files."""

from __future__ import annotations

import gc
import struct
import zlib
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from followyouremoji.errors import ClipError, PictureError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_layers
from tests.media.synthetic import moving_picture, write_clip


def numbered(content: bytes, kind: bytes, *numbers: int) -> bytes:
    """An MP4 whose first box of a kind begins, after its version, with other numbers of 32 bits."""
    place = content.index(kind) + 8
    new = struct.pack(f">{len(numbers)}I", *numbers)
    return content[:place] + new + content[place + len(new) :]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (b"stsz", (1, 80_000_000)),  # so many samples of a byte each: FFmpeg would take 2 GB
        (b"elst", (50_000_000,)),
    ],
)
def test_an_index_promises_no_more_than_a_file_can_hold(
    tmp_path: Path, kind: bytes, numbers: tuple[int, ...]
) -> None:
    write_clip(tmp_path / "a.mp4", frames=5, audio_codec="aac")
    content = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(ClipError, match="promises more than the file can hold"):
        ClipReader(numbered(content, kind, *numbers))


def test_a_packed_index_is_not_unpacked(tmp_path: Path) -> None:
    """FFmpeg unpacks one to whatever size it says."""
    write_clip(tmp_path / "a.mp4", frames=5, audio_codec="aac")
    content = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(ClipError, match="packed index, as old QuickTime files have; save it anew"):
        ClipReader(content.replace(b"stco", b"cmov"))


def test_a_fragment_promises_no_more_than_a_file_can_hold(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moving_picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    content = (tmp_path / "a.mp4").read_bytes()
    assert ClipReader(content).info.frames == 5
    with pytest.raises(ClipError, match="promises more"):
        ClipReader(numbered(content, b"trun", 80_000_000))


def test_a_colour_profile_beside_a_frame_harms_nothing(tmp_path: Path) -> None:
    """PyAV frees the profile's name twice where it is asked for what lies beside such a frame."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        for index in range(10):
            content = BytesIO()
            Image.fromarray(moving_picture(index)).save(content, "PNG", icc_profile=profile)
            packet = av.Packet(content.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 25)
            container.mux(packet)
    for _ in range(3):
        with ClipReader(tmp_path / "a.mov") as clip:
            np.testing.assert_array_equal([picture for _, picture in clip][9], moving_picture(9))
        gc.collect()


def test_scans_of_a_jpeg_are_counted() -> None:
    """Each is a pass over all pixels, for 20 bytes of the file."""
    written = BytesIO()
    Image.new("L", (2000, 2000), 99).save(written, "JPEG", progressive=True)
    content = written.getvalue()
    assert read_layers(content).shape == (2000, 2000, 3)
    table, end = content.rindex(b"\xff\xc4"), content.rindex(b"\xff\xd9")
    with pytest.raises(PictureError, match="more than 1000 scans"):
        read_layers(content[:end] + content[table:end] * 1000 + content[end:])
    # What a phone puts behind its picture is no part of it.
    assert read_layers(content + b"\xff\xda" * 1000).shape == (2000, 2000, 3)


def test_frames_of_an_animation_are_counted_with_their_pixels() -> None:
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"  # one pixel
    content = b"GIF89a" + struct.pack("<HH", 9000, 9000) + b"\x80\0\0" + bytes(6) + frame * 100 + b";"
    with pytest.raises(ClipError, match="100 frames of 9000x9000 pixels"):
        ClipReader(content)


def test_no_frame_of_an_animation_is_held_for_hours() -> None:
    written = BytesIO()
    first, second = (Image.fromarray(moving_picture(index)) for index in range(2))
    first.save(written, "WEBP", save_all=True, append_images=[second], duration=10_000_000)
    assert ClipReader(written.getvalue()).info.duration == 120.0


def test_pixels_are_not_stretched_beyond_the_bound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(moving_picture(0), format="rgb24")))
        container.mux(stream.encode(None))
    content = (tmp_path / "a.mp4").read_bytes()
    place = content.index(b"pasp") + 4
    with pytest.raises(ClipError, match="too large: 96x3840000 pixels"):
        ClipReader(content[:place] + struct.pack(">II", 1, 60_000) + content[place + 8 :])


def test_no_program_is_run_and_no_other_file_is_read(tmp_path: Path) -> None:
    """Pillow has Ghostscript run an EPS; FFmpeg follows playlists."""
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"
    with pytest.raises(PictureError, match="not a picture that can be read"):
        read_layers(drawing)
    write_clip(tmp_path / "private.ts", frames=5)
    for text in (
        "#EXTM3U\n#EXTINF:1,\nprivate.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile private.ts\n",
    ):
        (tmp_path / "list.m3u8").write_text(text)
        with pytest.raises(ClipError, match="cannot be read as a clip"):
            ClipReader(tmp_path / "list.m3u8")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_exif_does_not_cost_the_picture(kind: str) -> None:
    written = BytesIO()
    Image.new("RGB", (32, 32)).save(written, kind, exif=b"Exif\0\0" + bytes(range(200)))
    assert read_layers(written.getvalue()).shape == (32, 32, 3)


def test_text_beside_a_picture_is_unpacked_to_a_bound_alone() -> None:
    written = BytesIO()
    Image.new("RGB", (32, 32)).save(written, "PNG")
    content = written.getvalue()
    text = b"zTXtx\0\0" + zlib.compress(bytes(100_000_000), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    with pytest.raises(PictureError, match="too large"):
        read_layers(content[:33] + chunk + content[33:])

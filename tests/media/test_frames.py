"""Decoded frames as pictures: of one shape, on white where they are transparent."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.frames import fitted


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
    assert fitted((320, 180), (640, 360)) == (640, 360)
    assert fitted((426, 240), (640, 360)) == (640, 360)  # of 426.7 pixels
    assert fitted((360, 640), (640, 360)) == (202, 360)
    assert fitted((640, 480), (640, 360)) == (480, 360)


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

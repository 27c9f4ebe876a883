"""HDR becomes ordinary: what is no brighter than a white page stays as it is, what is brighter is compressed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from followyouremoji.media import colour
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.colour import HLG, PQ

COLOURS = np.array(
    [[0.18] * 3, [0.02] * 3, [0.5, 0.1, 0.05], [0.05, 0.3, 0.1], [0.05, 0.08, 0.5], [0.6, 0.35, 0.25]]
)
"""Linear light of BT.709, 1 is a white page."""


def hdr_signal(linear: np.ndarray, transfer: int) -> np.ndarray:
    """What shows colours (n, 3): PQ by light, HLG on an ordinary display of BT.2020's primaries."""
    light = np.clip(linear @ np.linalg.inv(colour._2020_TO_709).T, 0, None)
    return colour.pq_of_light(light * colour.HDR_WHITE) if transfer == PQ else light ** (1 / 2.4)


def test_points_of_the_curves() -> None:
    """BT.2408, table 1: 58 % is 203 cd/m², 75 % is 983."""
    np.testing.assert_allclose(
        colour.light_of_pq(np.array([0.0, 0.58, 0.75, 1.0])), [0, 203, 983, 10_000], rtol=0.02
    )
    light = np.array([0.1, 1.0, 50.0, 203.0, 1000.0])
    np.testing.assert_allclose(colour.light_of_pq(colour.pq_of_light(light)), light, rtol=1e-4)


def test_highlights_are_compressed_and_the_rest_stays() -> None:
    light = np.linspace(0.0, 1000.0, 500)
    mapped = colour.compressed(light)
    assert (np.diff(mapped) > 0).all()
    np.testing.assert_allclose(mapped[light < 80], light[light < 80], rtol=1e-6, atol=1e-9)
    assert mapped[-1] == pytest.approx(colour.HDR_WHITE, rel=1e-3)
    assert 150 < colour.compressed(np.array(203.0)) < 203


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_clips_show_ordinary_colours(tmp_path: Path, transfer: int) -> None:
    signal = np.repeat(np.repeat(hdr_signal(COLOURS, transfer).reshape(2, 3, 3), 32, axis=0), 32, axis=1)
    with av.open(str(tmp_path / "hdr.mkv"), "w") as container:
        options = {"x265-params": "log-level=error:bframes=0", "crf": "6", "preset": "ultrafast"}
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        codec = stream.codec_context
        codec.color_trc, codec.color_primaries, codec.colorspace, codec.color_range = transfer, 9, 9, 1
        frame = av.VideoFrame.from_ndarray((signal * 65535).astype(np.uint16), format="rgb48le")
        frame = frame.reformat(format="yuv420p10le", dst_colorspace=9)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        frame.color_trc, frame.color_primaries, frame.colorspace, frame.color_range = transfer, 9, 9, 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ((_, picture),) = ClipReader(tmp_path / "hdr.mkv")
    shown = picture[16::32, 16::32].reshape(-1, 3)
    np.testing.assert_allclose(shown, 255 * COLOURS ** (1 / 2.4), atol=4)

"""Stickers as VP9 with opacity in WebM.

Colours and opacity are two VP9 streams: each block of the file holds a frame of the first, and as its addition one of
the second. FFmpeg's encoder makes both at one quality, of which the opacity then takes two fifths of the bytes. Here
each is encoded for itself and the opacity coarser, which nobody sees, since an edge is but a small part of a picture.

libvpx's two passes need the first one's statistics handed back, for which PyAV has no way: FFmpeg's fields `stats_out`
and `stats_in` are no options. Each encoding is therefore one pass of constant quality (crf), and the search for the
best one under a limit goes by the bytes that were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from followyouremoji.media.videos import (
    add_pictures,
    opened_for_writing,
    say_bt709,
    to_bt709,
    video_frame,
)
from followyouremoji.provenance.record import SOFTWARE
from followyouremoji.stickers.clip import Clip, Level

if TYPE_CHECKING:
    import av

_BEST, _FAIR, _WORST = 4, 48, 60  # of libvpx's crf, from 0 to 63
_COARSER, _COARSEST = 14, 60  # the crf of opacity above that of colours, and its most
_OPTIONS = {
    "deadline": "good",
    "cpu-used": "2",  # 1 takes half as long again for 4 bytes in 100
    "auto-alt-ref": "0",  # frames that are never shown, to which no opacity could be added
    "g": "9999",  # stickers are never sought in
    "row-mt": "1",
    "threads": "2",
}
_ADDITION = bytes(7) + b"\x01"  # BlockAddID 1, which is opacity (WebM, "Alpha Channel")

Packets = list[tuple[bytes, bool]]
"""Encoded frames, and whether each is a keyframe."""


def levels(clip: Clip) -> list[Level]:
    """From the best quality down."""
    streams = _Streams(clip)
    return [
        Level(f"VP9 of crf {crf}", partial(streams.write, crf), fair=crf <= _FAIR)
        for crf in range(_BEST, _WORST + 1)
    ]


class _Streams:
    """A clip's colours and its opacity, converted once and encoded at any quality."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    @cached_property
    def _colours(self) -> list[av.VideoFrame]:
        # Four pixels of opacity share one of colour.
        pictures = (picture.spread[..., :3] for picture in self._clip.pictures)
        return [to_bt709(video_frame(one, n, self._clip.rate), "yuv420p") for n, one in enumerate(pictures)]

    @cached_property
    def _opacities(self) -> list[av.VideoFrame]:
        return [_as_luma(picture.layers[..., 3]) for picture in self._clip.pictures]

    def write(self, crf: int, path: Path) -> None:
        clip = self._clip
        colours = self._encoded(self._colours, crf)
        opacities: Iterable[tuple[bytes, bool] | None] = [None] * len(colours)
        if clip.transparent:
            opacities = self._encoded(self._opacities, min(crf + _COARSER, _COARSEST))
        with opened_for_writing(path, "webm", fflags="+bitexact") as output:
            output.metadata.update({"comment": clip.comment, "description": SOFTWARE})
            layout = "yuva420p" if clip.transparent else "yuv420p"
            stream = add_pictures(output, "libvpx-vp9", clip.rate, clip.size, layout, {})
            say_bt709(stream.codec_context)
            if clip.transparent:
                stream.metadata["alpha_mode"] = "1"
            for packet in _packets(colours, opacities, 1 / clip.rate):
                packet.stream = stream
                output.mux(packet)

    def _encoded(self, frames: list[av.VideoFrame], crf: int) -> Packets:
        import av

        context = av.VideoCodecContext.create("libvpx-vp9", "w")
        context.width, context.height = self._clip.size
        context.pix_fmt, context.time_base, context.framerate = (
            "yuv420p",
            1 / self._clip.rate,
            self._clip.rate,
        )
        context.options = _OPTIONS | {"crf": str(crf)}
        say_bt709(context)
        packets = []
        for index, frame in enumerate(frames):
            frame.pts, frame.time_base = index, context.time_base
            packets += context.encode(frame)
        packets += context.encode(None)
        return [(bytes(packet), packet.is_keyframe) for packet in packets]


def _as_luma(opacity: np.ndarray) -> av.VideoFrame:
    """Opacity uint8 (height, width) as the luma of a frame without colour."""
    import av

    height, width = opacity.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, (opacity, 128, 128), strict=True):
        rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : plane.width] = values
    return frame


def _packets(
    colours: Packets, opacities: Iterable[tuple[bytes, bool] | None], step: Fraction
) -> Iterator[av.Packet]:
    from av.packet import Packet, PacketSideData, PktSideDataT

    kind = get_args(PktSideDataT).index("matroska_block_additional")  # FFmpeg's number of it
    for index, ((data, is_key), opacity) in enumerate(zip(colours, opacities, strict=True)):
        packet = Packet(data)
        packet.pts = packet.dts = index
        packet.duration, packet.time_base, packet.is_keyframe = 1, step, is_key
        if opacity is not None:
            addition = cast(Any, PacketSideData)(kind, len(_ADDITION) + len(opacity[0]))
            addition.update(_ADDITION + opacity[0])
            addition.to_packet(packet, True)
        yield packet

"""Encoders of videos, with sound: MP4, and WebM, which keeps transparency."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from followyouremoji.media.kinds import Size, macroblocks
from followyouremoji.media.pictures import spread_colours
from followyouremoji.media.sound import SoundTrack
from followyouremoji.provenance.record import SOFTWARE

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_H264_OPTIONS = {
    "crf": "16",  # hard to tell from the frames themselves
    "preset": "faster",  # six tenths of medium's time, for 0.2 dB and files as large
    # Each thread codes its own slice of a picture, so another number of them gives other bytes. Two outrun every model,
    # and are what x264 picks itself on two cores.
    "threads": "2",
}
_FULL_HD = 8160  # macroblocks
# Less than half the time and a third of the memory, and files are as large. Larger pictures would cost x264 more than
# anything else, and it would hold 60 of them.
_H264_QUICK = {"preset": "veryfast", "rc-lookahead": "4", "bf": "1"}
_X264_UP_TO_AVX2 = "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"
_AVX_512F = 13  # OpenCV's number of it, CV_CPU_AVX_512F, which its Python has no name for
_VP9_OPTIONS = {
    "crf": "18",  # hard to tell from the frames themselves
    "deadline": "good",
    "cpu-used": "4",
    "row-mt": "1",
    "threads": "2",
    "auto-alt-ref": "0",  # frames that are never shown, which opacity cannot follow
    "lag-in-frames": "8",
}
_VP9_QUICK = {"deadline": "realtime", "cpu-used": "8"}  # a fifth of the time, and files a quarter larger
_BT709 = 1  # matrix, primaries and transfer have the same number in H.264 and VP9 (ITU-T H.273)
_LIMITED_RANGE = 1
_CONVERSION: dict[str, Any] = {"dst_colorspace": "ITU709", "interpolation": "LANCZOS"}


def opened_for_writing(path: Path, kind: str, **options: str) -> "OutputContainer":
    """A file as FFmpeg opens it to write a format into it; what stands before a colon is else a protocol."""
    import av

    return av.open(f"file:{path}", "w", format=kind, options=options)


def add_pictures(
    container: "OutputContainer", codec: str, rate: Fraction, size: Size, layout: str, options: dict[str, str]
) -> "VideoStream":
    """A new stream of pictures in a file; `layout` is FFmpeg's name of how their pixels are laid out."""
    stream = cast("VideoStream", container.add_stream(codec, rate=rate, options=options))
    stream.width, stream.height = size
    stream.pix_fmt = layout
    stream.codec_context.time_base = 1 / rate
    return stream


def video_frame(picture: np.ndarray, index: int, rate: Fraction) -> "av.VideoFrame":
    """A picture uint8 (height, width, 3 or 4) as FFmpeg's frame number `index`."""
    import av

    layout = "rgba" if picture.shape[2] == 4 else "rgb24"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=layout)
    frame.pts = index
    frame.time_base = 1 / rate
    return frame


def h264_options(size: Size, quick: bool = False) -> dict[str, str]:
    """Options with which x264 makes the same bytes of the same frames of `size`, every time and on every x86 processor;
    `quick` ones take less than half the time.

    Its AVX-512 code weighs blocks (macroblock tree) by memory that it never wrote: two runs of one clip of 96x64,
    160x120 or 200x200 often differ. Up to AVX2 its answers are those of its plain C, and it is no slower.
    """
    import cv2

    options = dict(_H264_OPTIONS)
    if quick or macroblocks(size) > _FULL_HD:
        options |= _H264_QUICK
    if cv2.checkHardwareSupport(_AVX_512F):
        options["x264-params"] = _X264_UP_TO_AVX2
    return options


class StreamEncoder:
    """Pictures converted and encoded one by one, and the sound up to each beside them.

    `layout` is how the codec takes pixels, by FFmpeg's name; `prepared` is done to each picture before its conversion,
    whose further arguments are `conversion`.
    """

    def __init__(
        self,
        container: "OutputContainer",
        codec: str,
        rate: Fraction,
        size: Size,
        layout: str,
        options: dict[str, str],
        sound: SoundTrack | None = None,
        prepared: Callable[[np.ndarray], np.ndarray] = np.asarray,
        **conversion: Any,
    ) -> None:
        self.container, self._rate, self._layout, self._sound = container, rate, layout, sound
        self._prepared, self._conversion = prepared, conversion
        self._count = 0
        self.stream = add_pictures(container, codec, rate, size, layout, options)
        if sound is not None:
            sound.attach(container)

    def write(self, picture: np.ndarray) -> None:
        frame = video_frame(self._prepared(picture), self._count, self._rate)
        self.container.mux(self.stream.encode(frame.reformat(format=self._layout, **self._conversion)))
        self._count += 1
        if self._sound is not None:
            self._sound.mux_until(self.container, float(self._count / self._rate))

    def finish(self) -> None:
        self.container.mux(self.stream.encode(None))
        if self._sound is not None:
            self._sound.finish(self.container, float(self._count / self._rate))
        self.container.close()

    def close(self) -> None:
        self.container.close()


def _in_bt709(encoder: StreamEncoder, comment: str) -> StreamEncoder:
    """The encoder of a video in BT.709, of constant quality, with a comment."""
    encoder.container.metadata.update({"comment": comment, "description": SOFTWARE})
    say_bt709(encoder.stream.codec_context)
    return encoder


def say_bt709(context: "av.VideoCodecContext") -> None:
    """Have a video that is about to be encoded say that it is in BT.709, and be of constant quality."""
    context.bit_rate = 0  # only the quality counts
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE


def to_bt709(frame: "av.VideoFrame", layout: str) -> "av.VideoFrame":
    """A frame of RGB in BT.709, its pixels laid out as `layout`, by FFmpeg's name."""
    return frame.reformat(format=layout, **_CONVERSION)


def mp4_encoder(
    path: Path,
    rate: Fraction,
    size: Size,
    sound: SoundTrack | None,
    comment: str,
    quick: bool = False,
    **options: str,
) -> StreamEncoder:
    """H.264 in MP4, yuv420p, its index at the front, with the sound given; other `options` of x264 than the usual ones,
    such as its crf, by name.

    yuv420p needs even sides: an odd one gets one more row or column, a copy of the last.
    """
    container = opened_for_writing(path, "mp4", movflags="+faststart")
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    options = h264_options(size, quick) | options
    encoder = StreamEncoder(
        container, "libx264", rate, even, "yuv420p", options, sound, _with_even_sides, **_CONVERSION
    )
    return _in_bt709(encoder, comment)


def _with_even_sides(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if width % 2 or height % 2:
        return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return picture


def webm_encoder(
    path: Path,
    rate: Fraction,
    size: Size,
    sound: SoundTrack | None,
    comment: str,
    transparent: bool,
    quick: bool = False,
) -> StreamEncoder:
    """VP9 in WebM, with the sound given; transparent frames as yuva420p, whose opacity is a second picture in each
    block, as browsers play it."""
    container = opened_for_writing(path, "webm", fflags="+bitexact")  # no random number in it
    layout = "yuva420p" if transparent else "yuv420p"
    # Four pixels of opacity share one of colour.
    prepared = spread_colours if transparent else np.asarray
    options = _VP9_OPTIONS | (_VP9_QUICK if quick else {})
    encoder = StreamEncoder(
        container, "libvpx-vp9", rate, size, layout, options, sound, prepared, **_CONVERSION
    )
    if transparent:
        encoder.stream.metadata["alpha_mode"] = "1"
    return _in_bt709(encoder, comment)

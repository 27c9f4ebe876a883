"""Encoders of videos, with sound: MP4, and WebM, which keeps transparency."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from followyouremoji.media.kinds import Size, macroblocks
from followyouremoji.media.pictures import spread_colours
from followyouremoji.media.provenance import SOFTWARE
from followyouremoji.media.sound import CopiedSound, EncodedSound

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_H264_OPTIONS = {
    "crf": "16",  # hard to tell from the frames themselves
    "preset": "medium",
    # Each thread codes its own slice of a picture, so another number of them gives other bytes. Two outrun every model,
    # and are what x264 picks itself on two cores.
    "threads": "2",
}
_FULL_HD = 8160  # macroblocks
# Larger pictures would cost x264 more than anything else, and it would hold 60 of them. With these it takes less than
# half the time and a third of the memory, and files are as large.
_H264_OF_LARGE = {"preset": "veryfast", "rc-lookahead": "4", "bf": "1"}
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
_BT709 = 1  # matrix, primaries and transfer have the same number in H.264 and VP9 (ITU-T H.273)
_LIMITED_RANGE = 1


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


def h264_options(size: Size) -> dict[str, str]:
    """Options with which x264 makes the same bytes of the same frames of `size`, every time and on every x86 processor.

    Its AVX-512 code weighs blocks (macroblock tree) by memory that it never wrote: two runs of one clip of 96x64,
    160x120 or 200x200 often differ. Up to AVX2 its answers are those of its plain C, and it is no slower.
    """
    import cv2

    options = dict(_H264_OPTIONS)
    if macroblocks(size) > _FULL_HD:
        options |= _H264_OF_LARGE
    if cv2.checkHardwareSupport(_AVX_512F):
        options["x264-params"] = _X264_UP_TO_AVX2
    return options


class VideoEncoder:
    """What MP4 and WebM share: pictures converted and encoded one by one, and the sound up to each beside them."""

    _layout: str
    _stream: "VideoStream"

    def __init__(
        self,
        container: "OutputContainer",
        rate: Fraction,
        sound: CopiedSound | EncodedSound | None,
        comment: str,
    ) -> None:
        self._container, self._rate, self._sound = container, rate, sound
        self._count = 0
        container.metadata.update({"comment": comment, "description": SOFTWARE})

    def _add_streams(self, codec: str, size: Size, options: dict[str, str]) -> "VideoStream":
        stream = add_pictures(self._container, codec, self._rate, size, self._layout, options)
        context = stream.codec_context
        context.bit_rate = 0  # only the quality counts
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        if self._sound is not None:
            self._sound.attach(self._container)
        return stream

    def write(self, picture: np.ndarray) -> None:
        frame = video_frame(self._prepared(picture), self._count, self._rate).reformat(
            format=self._layout, dst_colorspace="ITU709", interpolation="LANCZOS"
        )
        self._container.mux(self._stream.encode(frame))
        self._count += 1
        if self._sound is not None:
            self._sound.mux_until(self._container, float(self._count / self._rate))

    def _prepared(self, picture: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish(self._container, float(self._count / self._rate))
        self._container.close()

    def close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._container.close()


class Mp4Encoder(VideoEncoder):
    """H.264 in MP4, yuv420p, its index at the front, with the sound given.

    yuv420p needs even sides: an odd one gets one more row or column, a copy of the last.
    """

    _layout = "yuv420p"

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        size: Size,
        sound: CopiedSound | EncodedSound | None,
        comment: str,
    ) -> None:
        super().__init__(opened_for_writing(path, "mp4", movflags="+faststart"), rate, sound, comment)
        even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._stream = self._add_streams("libx264", even, h264_options(size))

    def _prepared(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        if width % 2 or height % 2:
            return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return picture


class WebmEncoder(VideoEncoder):
    """VP9 in WebM, with the sound given; transparent frames as yuva420p, whose opacity is a second picture in each
    block, as browsers play it."""

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        size: Size,
        sound: CopiedSound | EncodedSound | None,
        comment: str,
        transparent: bool,
    ) -> None:
        # bit-exact: no random number in it
        super().__init__(opened_for_writing(path, "webm", fflags="+bitexact"), rate, sound, comment)
        self._layout = "yuva420p" if transparent else "yuv420p"
        self._stream = self._add_streams("libvpx-vp9", size, _VP9_OPTIONS)
        if transparent:
            self._stream.metadata["alpha_mode"] = "1"

    def _prepared(self, picture: np.ndarray) -> np.ndarray:
        # Four pixels of opacity share one of colour.
        return spread_colours(picture) if picture.shape[2] == 4 else picture

"""One encoder for each kind of output: frames in one by one, a file or a folder out, marked as generated.

An encoder owns the path that it is given, and the folder that this lies in, both temporary; `ClipWriter` moves the file
into place.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from followyouremoji.media.outputs import FRAME_NAME
from followyouremoji.media.pictures import save_image
from followyouremoji.media.provenance import SOFTWARE, xmp_packet
from followyouremoji.media.sound import CopiedSound, EncodedSound

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer

LARGEST_SIDES = {".mp4": 16_384, ".gif": 16_384, ".webp": 16_383}
"""Pixels a side that a clip can have, by its ending: x264's bound, in which a GIF's frames wait too, and WebP's."""

_H264_OPTIONS = {
    "crf": "16",  # hard to tell from the frames themselves
    "preset": "medium",
    # Each thread codes its own slice of a picture, so another number of them gives other bytes. Two outrun every model,
    # and are what x264 picks itself on two cores.
    "threads": "2",
}
_X264_UP_TO_AVX2 = "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"
_AVX_512F = 13  # OpenCV's number of it, CV_CPU_AVX_512F, which its Python has no name for
_GIF_TICKS = 100  # GIF counts hundredths of a second
_LEAST_GIF_TICKS = 2  # browsers slow shorter delays down to a tenth of a second
_BT709 = 1  # matrix, primaries and transfer have the same number in H.264 (ITU-T H.273)
_LIMITED_RANGE = 1
_WEBP_HAS_XMP = 0x04


class Encoder(Protocol):
    """Takes uint8 (height, width, 3) pictures in order; then `finish()`, and `close()` in every case."""

    def write(self, picture: np.ndarray) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def _video_frame(picture: np.ndarray, index: int, rate: Fraction) -> "av.VideoFrame":
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame.pts = index
    frame.time_base = 1 / rate
    return frame


def h264_options() -> dict[str, str]:
    """Options with which x264 makes the same bytes of the same frames, every time and on every x86 processor.

    Its AVX-512 code weighs blocks (macroblock tree) by memory that it never wrote: two runs of one clip of 96x64,
    160x120 or 200x200 often differ. Up to AVX2 its answers are those of its plain C, and it is no slower.
    """
    import cv2

    if cv2.checkHardwareSupport(_AVX_512F):
        return {**_H264_OPTIONS, "x264-params": _X264_UP_TO_AVX2}
    return dict(_H264_OPTIONS)


class Mp4Encoder:
    """H.264 in MP4, yuv420p, its index at the front, with the sound given.

    yuv420p needs even sides: an odd one gets one more row or column, a copy of the last.
    """

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        size: tuple[int, int],
        sound: CopiedSound | EncodedSound | None,
        comment: str,
    ) -> None:
        import av

        self._rate = rate
        self._count = 0
        self._sound = sound
        self._container: OutputContainer = av.open(
            str(path), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._container.metadata.update({"comment": comment, "description": SOFTWARE})
        self._stream = self._container.add_stream("libx264", rate=rate, options=h264_options())
        self._stream.width = size[0] + size[0] % 2
        self._stream.height = size[1] + size[1] % 2
        self._stream.pix_fmt = "yuv420p"
        codec = self._stream.codec_context
        codec.time_base = 1 / rate
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED_RANGE
        if sound is not None:
            sound.attach(self._container)

    def write(self, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        if width % 2 or height % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = _video_frame(picture, self._count, self._rate).reformat(
            format="yuv420p", dst_colorspace="ITU709", interpolation="LANCZOS"
        )
        self._container.mux(self._stream.encode(frame))
        self._count += 1
        if self._sound is not None:
            self._sound.mux_until(self._container, float(self._count / self._rate))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish(self._container, float(self._count / self._rate))
        self._container.close()

    def close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        self._container.close()


class GifEncoder:
    """GIF with one palette of 256 colours made from all frames, which keeps still parts still and small.

    The frames wait, compressed without loss, in a file beside it until the palette is known. Above 50 frames a
    second frames are left out, because browsers do not show them faster.
    """

    def __init__(self, path: Path, rate: Fraction, size: tuple[int, int], comment: str) -> None:
        import av

        self._path, self._rate, self._size, self._comment = path, rate, size, comment
        self._seen = 0
        self._ticks: list[int] = []
        self._waiting_path = path.with_name("waiting.mkv")
        self._waiting: OutputContainer = av.open(str(self._waiting_path), "w")
        self._stream = self._waiting.add_stream(
            "libx264rgb", rate=rate, options={"qp": "0", "preset": "ultrafast"}
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "rgb24"
        self._palette = av.filter.Graph()
        self._palette.link_nodes(
            self._palette.add_buffer(
                width=size[0], height=size[1], format=av.VideoFormat("rgb24"), time_base=1 / rate
            ),
            self._palette.add("palettegen", "reserve_transparent=1:stats_mode=full"),
            self._palette.add("buffersink"),
        ).configure()

    def write(self, picture: np.ndarray) -> None:
        import av

        tick = round(self._seen * _GIF_TICKS / self._rate)
        self._seen += 1
        if self._ticks and tick - self._ticks[-1] < _LEAST_GIF_TICKS:
            return
        self._palette.vpush(_video_frame(picture, len(self._ticks), self._rate))
        # Frames wait in the graph until it is asked for its result, which comes only at the end.
        with suppress(av.BlockingIOError):
            self._palette.vpull()
        frame = _video_frame(picture, len(self._ticks), self._rate)
        self._waiting.mux(self._stream.encode(frame))
        self._ticks.append(tick)

    def finish(self) -> None:
        import av

        self._waiting.mux(self._stream.encode(None))
        self._waiting.close()
        self._palette.vpush(None)
        palette = self._palette.vpull()
        plain = self._path.with_name("plain.gif")
        last = max(_LEAST_GIF_TICKS, round(self._seen * _GIF_TICKS / self._rate) - self._ticks[-1])
        with av.open(str(plain), "w", format="gif", options={"final_delay": str(last)}) as output:
            stream = output.add_stream("gif", rate=self._rate)
            stream.width, stream.height = self._size
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = Fraction(1, _GIF_TICKS)
            for frame in self._coloured(palette):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        add_gif_comment(plain, self._path, self._comment)

    def _coloured(self, palette: "av.VideoFrame") -> Iterator["av.VideoFrame"]:
        """The waiting frames in the palette's colours, at their times in hundredths of a second."""
        import av

        clock = Fraction(1, _GIF_TICKS)
        graph = av.filter.Graph()
        width, height = self._size
        frames = graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), name="frames", time_base=clock
        )
        colours = graph.add_buffer(
            width=16, height=16, format=palette.format, name="colours", time_base=clock
        )
        use = graph.add("paletteuse", "dither=bayer:bayer_scale=3:diff_mode=rectangle")
        frames.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        palette.pts, palette.time_base = 0, clock
        colours.push(palette)
        colours.push(None)

        def ready() -> Iterator["av.VideoFrame"]:
            while True:
                try:
                    frame = graph.vpull()
                except (av.BlockingIOError, av.EOFError):
                    return
                yield frame

        with av.open(str(self._waiting_path)) as waiting:
            for tick, frame in zip(self._ticks, waiting.decode(video=0), strict=True):
                frame = frame.reformat(format="rgb24")
                frame.pts, frame.time_base = tick, clock
                frames.push(frame)
                yield from ready()
        frames.push(None)
        yield from ready()

    def close(self) -> None:
        self._waiting.close()


def add_gif_comment(source: Path, destination: Path, comment: str) -> None:
    """Copy a GIF with a comment extension (GIF89a, section 24) after its global colour table."""
    with source.open("rb") as old, destination.open("wb") as new:
        header = old.read(13)
        new.write(header)
        if header[10] & 0x80:
            new.write(old.read(3 * 2 ** ((header[10] & 0x07) + 1)))
        text = comment.encode()
        new.write(b"\x21\xfe")
        for place in range(0, len(text), 255):
            block = text[place : place + 255]
            new.write(bytes([len(block)]) + block)
        new.write(b"\x00")
        while chunk := old.read(1 << 20):
            new.write(chunk)


class WebpEncoder:
    """Animated WebP, lossy, played over and over."""

    def __init__(self, path: Path, rate: Fraction, size: tuple[int, int], comment: str) -> None:
        import av

        self._path, self._rate, self._size, self._comment = path, rate, size, comment
        self._count = 0
        self._container: OutputContainer = av.open(str(path), "w", format="webp", options={"loop": "0"})
        self._stream = self._container.add_stream(
            "libwebp_anim", rate=rate, options={"quality": "88", "compression_level": "4"}
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "bgra"
        self._stream.codec_context.time_base = 1 / rate

    def write(self, picture: np.ndarray) -> None:
        frame = _video_frame(picture, self._count, self._rate).reformat(format="bgra")
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        add_webp_xmp(self._path, xmp_packet(self._comment), self._size)

    def close(self) -> None:
        self._container.close()


def add_webp_xmp(path: Path, packet: bytes, size: tuple[int, int]) -> None:
    """Append an XMP chunk to a WebP file and announce it in its extended header (WebP container specification).

    Frames that are all alike become a simple file without that header; it gets one, with its `size`.
    """
    with path.open("r+b") as file:
        start = file.read(30)
        if start[12:16] == b"VP8X":
            header = bytearray(start)
            header[20] |= _WEBP_HAS_XMP
        else:
            sides = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
            header = bytearray(start[:12] + b"VP8X" + struct.pack("<II", 10, _WEBP_HAS_XMP) + sides)
            file.seek(12)
            picture = file.read()
            file.seek(len(header))
            file.write(picture)
        file.seek(0, 2)
        file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\x00" * (len(packet) % 2))
        header[4:8] = struct.pack("<I", file.tell() - 8)
        file.seek(0)
        file.write(header)


class PngFolderEncoder:
    """A folder of frame_000000.png and so on."""

    def __init__(self, path: Path, comment: str) -> None:
        self._path, self._comment = path, comment
        self._count = 0
        path.mkdir()

    def write(self, picture: np.ndarray) -> None:
        save_image(self._path / FRAME_NAME.format(self._count), picture, self._comment)
        self._count += 1

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_encoder(
    path: Path, ending: str, rate: Fraction, size: tuple[int, int], sound: Any, comment: str
) -> Encoder:
    """The encoder for an output's ending; "" is a folder of PNGs."""
    if ending == ".mp4":
        return Mp4Encoder(path, rate, size, sound, comment)
    if ending == ".gif":
        return GifEncoder(path, rate, size, comment)
    if ending == ".webp":
        return WebpEncoder(path, rate, size, comment)
    return PngFolderEncoder(path, comment)

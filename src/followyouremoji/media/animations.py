"""Encoders of animated pictures: GIF, WebP and PNG, which carry no sound, with or without transparency."""

import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from followyouremoji.media.kinds import Size
from followyouremoji.media.pictures import on_background
from followyouremoji.media.videos import StreamEncoder, add_pictures, opened_for_writing, video_frame
from followyouremoji.provenance.record import SOFTWARE, xmp_packet

if TYPE_CHECKING:
    import av

_GIF_TICKS = 100  # GIF counts hundredths of a second
_LEAST_GIF_TICKS = 2  # browsers slow shorter delays down to a tenth of a second
_WEBP_HAS_XMP, _WEBP_HAS_ALPHA = 0x04, 0x10
_PNG_HEAD = 8 + 25  # the signature and IHDR, which is always first


class GifEncoder:
    """GIF with one palette of 256 colours made from all frames, which keeps still parts still and small.

    The frames wait, compressed without loss, in a file beside it until the palette is known. Above 50 frames a
    second frames are left out, because browsers do not show them faster. A pixel of a GIF is opaque or not there: those
    of half opacity or more are opaque, in their own colour.
    """

    def __init__(self, path: Path, rate: Fraction, size: Size, comment: str, transparent: bool) -> None:
        import av

        self._path, self._rate, self._size, self._comment = path, rate, size, comment
        self._seen = 0
        self._ticks: list[int] = []
        self._waiting_path = path.with_name("waiting.mkv")
        container = opened_for_writing(self._waiting_path, "matroska")
        self._layout = "bgra" if transparent else "rgb24"
        codec, options = "libx264rgb", {"qp": "0", "preset": "ultrafast"}
        if transparent:
            codec, options = "ffv1", {}
        self._waiting = StreamEncoder(container, codec, rate, size, self._layout, options)
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
        self._palette.vpush(video_frame(on_background(picture), len(self._ticks), self._rate))
        # Frames wait in the graph until it is asked for its result, which comes only at the end.
        with suppress(av.BlockingIOError):
            self._palette.vpull()
        self._waiting.write(picture)
        self._ticks.append(tick)

    def finish(self) -> None:
        self._waiting.finish()
        self._palette.vpush(None)
        palette = self._palette.vpull()
        plain = self._path.with_name("plain.gif")
        last = max(_LEAST_GIF_TICKS, round(self._seen * _GIF_TICKS / self._rate) - self._ticks[-1])
        with opened_for_writing(plain, "gif", final_delay=str(last)) as output:
            stream = add_pictures(output, "gif", self._rate, self._size, "pal8", {})
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
            width=width, height=height, format=av.VideoFormat(self._layout), name="frames", time_base=clock
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

        with av.open(f"file:{self._waiting_path}") as waiting:
            for tick, frame in zip(self._ticks, waiting.decode(video=0), strict=True):
                frame = frame.reformat(format=self._layout)
                frame.pts, frame.time_base = tick, clock
                frames.push(frame)
                yield from ready()
        frames.push(None)
        yield from ready()

    def close(self) -> None:
        self._waiting.close()


def add_gif_comment(plain: Path, path: Path, comment: str) -> None:
    """Copy a GIF, with a comment in it."""
    with plain.open("rb") as file:
        header = file.read(13)
    colours = 3 * 2 ** ((header[10] & 0x07) + 1) if header[10] & 0x80 else 0
    copy_with(plain, path, len(header) + colours, _gif_comment(comment))


def _gif_comment(comment: str) -> bytes:
    """A comment extension (GIF89a, section 24), whose place is after the global colour table."""
    text = comment.encode()
    blocks = (text[place : place + 255] for place in range(0, len(text), 255))
    return b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\x00"


class WebpEncoder(StreamEncoder):
    """Animated WebP, lossy but for its opacity, played over and over."""

    def __init__(self, path: Path, rate: Fraction, size: Size, comment: str, transparent: bool) -> None:
        self._marked = (path, xmp_packet(comment), size, transparent)
        options = {"quality": "88", "compression_level": "4"}
        container = opened_for_writing(path, "webp", loop="0")
        super().__init__(container, "libwebp_anim", rate, size, "bgra", options)

    def finish(self) -> None:
        super().finish()
        add_webp_xmp(*self._marked)


def add_webp_xmp(path: Path, packet: bytes, size: Size, transparent: bool) -> None:
    """Append an XMP chunk to a WebP file and announce it in its extended header (WebP container specification).

    Frames that are all alike become a simple file without that header; it gets one, with its `size` and whether it is
    `transparent`.
    """
    with path.open("r+b") as file:
        start = file.read(30)
        if start[12:16] == b"VP8X":
            header = bytearray(start)
            header[20] |= _WEBP_HAS_XMP
        else:
            sides = b"".join(struct.pack("<I", side - 1)[:3] for side in size)
            flags = _WEBP_HAS_XMP | (_WEBP_HAS_ALPHA if transparent else 0)
            header = bytearray(start[:12] + b"VP8X" + struct.pack("<II", 10, flags) + sides)
            file.seek(12)
            picture = file.read()
            file.seek(len(header))
            file.write(picture)
        file.seek(0, 2)
        file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\x00" * (len(packet) % 2))
        header[4:8] = struct.pack("<I", file.tell() - 8)
        file.seek(0)
        file.write(header)


class ApngEncoder(StreamEncoder):
    """Animated PNG, without loss, played `plays` times, 0 for ever. Each frame holds what changed since the last."""

    def __init__(
        self, path: Path, rate: Fraction, size: Size, comment: str, transparent: bool, plays: int = 0
    ) -> None:
        self._path, self._comment = path, comment
        self._plain = path.with_name("plain.apng")
        container = opened_for_writing(self._plain, "apng", plays=str(plays))
        layout = "rgba" if transparent else "rgb24"
        super().__init__(container, "apng", rate, size, layout, {"pred": "mixed"})

    def finish(self) -> None:
        super().finish()
        copy_with(self._plain, self._path, _PNG_HEAD, png_comment(self._comment))


def png_comment(comment: str) -> bytes:
    """Chunks of a PNG with a comment, the software and an XMP packet; their place is after its first chunk."""
    chunks = (
        (b"tEXt", b"Comment\0" + comment.encode("latin-1", "replace")),
        (b"tEXt", b"Software\0" + SOFTWARE.encode("latin-1")),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_packet(comment)),
    )
    return b"".join(png_chunk(*chunk) for chunk in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """PNG specification, third edition, 5.3."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


def copy_with(source: Path, destination: Path, place: int, inserted: bytes) -> None:
    """Copy a file, with some bytes inserted at a place of it."""
    with source.open("rb") as old, destination.open("wb") as new:
        new.write(old.read(place) + inserted)
        shutil.copyfileobj(old, new)

"""The driving clip's sound beside the result's frames, cut to their range.

Times here are seconds of the result: 0 is its first frame, which shows the moment `start` of the source.
"""

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import UnidentifiedImageError

from followyouremoji.errors import ClipError
from followyouremoji.media.decoding import ANIMATION_FORMATS, open_container
from followyouremoji.media.pictures import DECODING_ERRORS, open_image

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

# Packets of these codecs go into an MP4 as they are, and everything that plays MP4 plays them.
COPIED_CODECS = ("aac", "mp3")
# Sample rates that AAC knows (ISO/IEC 14496-3, table 1.18), up to 48 kHz.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_ROUNDING = 0.02  # seconds


def _is_animation(path: Path) -> bool:
    try:
        with open_image(path, ClipError, ANIMATION_FORMATS):
            return True
    except UnidentifiedImageError:
        return False
    except DECODING_ERRORS:
        return True


def open_sound(path: Path, start: float) -> "CopiedSound | EncodedSound | None":
    """The sound of a clip or audio file from `start` seconds on; None where it has none.

    `start` counts, as `ClipReader`'s timestamps do, from the first video frame.

    Raises
    ------
    ClipError : the file cannot be read.
    """
    if _is_animation(path):
        return None
    container = open_container(path)
    if not container.streams.audio:
        container.close()
        return None
    stream = container.streams.audio[0]
    begin = start
    if container.streams.video:
        video = container.streams.video[0]
        begin += float((video.start_time or 0) * (video.time_base or 0))
    codec = stream.codec_context
    name = codec.codec.canonical_name
    # AAC without its header beside the stream (in transport streams) is not laid out as MP4 wants it.
    if name in COPIED_CODECS and (name != "aac" or codec.extradata):
        return CopiedSound(container, begin)
    return EncodedSound(container, begin)


class CopiedSound:
    """Sound packets passed on as they are; the first may begin before 0, which the MP4's edit list hides."""

    def __init__(self, container: "InputContainer", begin: float) -> None:
        self._container = container
        self._begin = begin
        self._packets = self._wanted_packets()
        self._waiting: tuple[float, Any] | None = None

    def attach(self, output: "OutputContainer") -> None:
        self._stream = output.add_stream_from_template(self._container.streams.audio[0])

    def _wanted_packets(self) -> Generator[tuple[float, Any], None, None]:
        import av

        stream = self._container.streams.audio[0]
        time_base = stream.time_base or Fraction(1, stream.codec_context.sample_rate)
        offset = round(Fraction(self._begin) / time_base)
        try:
            for packet in self._container.demux(stream):
                if packet.pts is None or packet.is_corrupt:
                    continue
                packet.pts -= offset
                packet.dts = packet.pts
                # A decoder needs the packet before the first that is heard: each overlaps the next.
                if packet.pts + 2 * (packet.duration or 0) > 0:
                    yield float(packet.pts * time_base), packet
        except av.FFmpegError:
            return  # sound up to the damage is kept

    def mux_until(self, output: "OutputContainer", seconds: float) -> None:
        """Write the packets that begin before this time."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or self._waiting[0] >= seconds:
                return
            packet = self._waiting[1]
            self._waiting = None
            packet.stream = self._stream
            output.mux_one(packet)

    def finish(self, output: "OutputContainer", seconds: float) -> None:
        self.mux_until(output, seconds)

    def close(self) -> None:
        self._packets.close()
        self._container.close()


class EncodedSound:
    """Sound decoded, cut to the sample, and encoded as AAC."""

    def __init__(self, container: "InputContainer", begin: float) -> None:
        self._container = container
        self._begin = begin
        codec = container.streams.audio[0].codec_context
        self._rate = next((rate for rate in AAC_RATES if rate >= codec.sample_rate), AAC_RATES[-1])
        self._layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
        self._pieces = self._wanted_samples()
        self._waiting: tuple[int, np.ndarray] | None = None

    def attach(self, output: "OutputContainer") -> None:
        self._stream = output.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = 96_000 if self._layout == "mono" else 192_000

    def _wanted_samples(self) -> Generator[tuple[int, np.ndarray], None, None]:
        """The place of the first sample on the result's clock, and float32 samples (channels, n)."""
        import av

        # Containers round times to a millisecond or so: samples follow each other unless more than that is missing.
        slack = round(_ROUNDING * self._rate)
        heard_to: int | None = None
        resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        try:
            for frame in self._container.decode(audio=0):
                for piece in resampler.resample(frame):
                    if piece.pts is None or piece.time_base is None:
                        continue
                    first = round((float(piece.pts * piece.time_base) - self._begin) * self._rate)
                    samples = piece.to_ndarray()
                    if heard_to is not None and abs(first - heard_to) <= slack:
                        first = heard_to
                    heard_from = max(0, first if heard_to is None else heard_to)
                    heard_to = first + samples.shape[1]
                    if first < heard_from:
                        samples, first = samples[:, heard_from - first :], heard_from
                    if samples.shape[1]:
                        yield first, samples
        except av.FFmpegError:
            return  # sound up to the damage is kept

    def _encode(self, output: "OutputContainer", first: int, samples: np.ndarray) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = first
        frame.time_base = Fraction(1, self._rate)
        output.mux(self._stream.encode(frame))

    def mux_until(self, output: "OutputContainer", seconds: float) -> None:
        """Encode the samples before this time."""
        end = round(seconds * self._rate)
        while True:
            if self._waiting is None:
                self._waiting = next(self._pieces, None)
            if self._waiting is None or self._waiting[0] >= end:
                return
            first, samples = self._waiting
            count = min(samples.shape[1], end - first)
            self._encode(output, first, samples[:, :count])
            rest = samples[:, count:]
            self._waiting = (first + count, rest) if rest.shape[1] else None

    def finish(self, output: "OutputContainer", seconds: float) -> None:
        self.mux_until(output, seconds)
        output.mux(self._stream.encode(None))

    def close(self) -> None:
        self._pieces.close()
        self._container.close()

"""The driving clip's sound beside the result's frames, cut to their range.

Times here are seconds of the result: 0 is its first frame, which shows the moment `start` of the source.
"""

from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from followyouremoji.media.decoding import ANIMATION_FORMATS, contents, is_picture
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.kinds import SoundCodec
from followyouremoji.media.packets import open_container, packets

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

# Packets of these codecs go into an MP4 as they are, and everything that plays MP4 plays them.
COPIED_CODECS = ("aac", "mp3")
# Sample rates that AAC knows (ISO/IEC 14496-3, table 1.18), up to 48 kHz.
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # RFC 6716, section 2

_ROUNDING = 0.02  # seconds
_PIECE = 1.0  # seconds of silence made at once
_LED_IN = 1.0  # seconds that are decoded before what is heard, so that a decoder has settled


def open_sound(file: InputFile, start: float, codec: SoundCodec = "aac") -> "SoundTrack | None":
    """The sound of a clip or audio file from `start` seconds on; None where it has none that can be decoded.

    What cannot be copied is encoded with `codec`: "aac" for an MP4, "opus" for a WebM. `start` counts on the clip's
    clock, as `ClipReader`'s timestamps do.

    Raises
    ------
    ClipError : the file cannot be read.
    """
    if is_picture(file, ANIMATION_FORMATS):
        return None
    found = contents(file)
    if found.sound is None:
        return None
    late = found.sound.shifts(found.schedule) - start
    container = open_container(file)
    stream = container.streams[found.sound.index]
    context = stream.codec_context
    name = context.codec.canonical_name
    # AAC without its header beside the stream (in transport streams) is not laid out as MP4 wants it.
    can_be_copied = codec == "aac" and name in COPIED_CODECS and (name != "aac" or context.extradata)
    if can_be_copied and found.sound.is_whole(found.schedule):
        return CopiedSound(container, stream, late)
    return EncodedSound(container, stream, late, codec)


def _moved(container: "InputContainer", stream: Any, late: np.ndarray) -> Iterator[Any]:
    """The packets of a stream, each later by so many seconds."""
    for packet, shift in zip(packets(container, stream), late, strict=False):
        if packet.pts is not None:
            packet.pts += round(Fraction(shift) / stream.time_base)
            packet.dts = packet.pts
        yield packet


class CopiedSound:
    """Sound packets passed on as they are; the first may begin before 0, which the MP4's edit list hides.

    `late` (packets,) is by how many seconds each comes later in the result than its file says.
    """

    def __init__(self, container: "InputContainer", source: Any, late: np.ndarray) -> None:
        self._container, self._source, self._late = container, source, late
        self._packets = self._wanted_packets()
        self._waiting: tuple[float, Any] | None = None

    def attach(self, output: "OutputContainer") -> None:
        self._stream = output.add_stream_from_template(self._source)

    def _wanted_packets(self) -> Generator[tuple[float, Any], None, None]:
        for packet in _moved(self._container, self._source, self._late):
            if packet.pts is None or packet.is_corrupt:
                continue
            # A decoder needs the packet before the first that is heard: each overlaps the next.
            if packet.pts + 2 * (packet.duration or 0) > 0:
                yield float(packet.pts * packet.time_base), packet

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
    """Sound decoded, cut to the sample, and encoded as AAC or Opus, with silence where there is none; `late` as in
    `CopiedSound`."""

    def __init__(
        self, container: "InputContainer", source: Any, late: np.ndarray, encoder: SoundCodec = "aac"
    ) -> None:
        self._container, self._source, self._late = container, source, late
        self._encoder = encoder
        codec = source.codec_context
        rates = AAC_RATES if encoder == "aac" else OPUS_RATES
        self._rate = next((rate for rate in rates if rate >= codec.sample_rate), rates[-1])
        self._layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
        self._pieces = self._wanted_samples()
        self._waiting: tuple[int, np.ndarray] | None = None

    def attach(self, output: "OutputContainer") -> None:
        name, self._format = ("aac", "fltp") if self._encoder == "aac" else ("libopus", "flt")
        stream: Any = output.add_stream(name, rate=self._rate, layout=self._layout)
        stream.bit_rate = 96_000 if self._layout == "mono" else 192_000
        self._stream = stream

    def _wanted_samples(self) -> Generator[tuple[int, np.ndarray], None, None]:
        """The place of the first sample on the result's clock, and float32 samples (channels, n), one after the other
        from 0 on."""
        # Containers round times to a millisecond or so: samples follow each other unless more than that is missing.
        slack = round(_ROUNDING * self._rate)
        channels = 1 if self._layout == "mono" else 2
        heard_to: int | None = None
        written = 0
        for time, samples in self._decoded():
            first = round(time * self._rate)
            if heard_to is not None and abs(first - heard_to) <= slack:
                first = heard_to
            heard_to = first + samples.shape[1]
            while written < first:
                count = min(first - written, round(_PIECE * self._rate))
                yield written, np.zeros((channels, count), np.float32)
                written += count
            samples = samples[:, max(0, written - first) :]
            if samples.shape[1]:
                yield written, samples
                written += samples.shape[1]

    def _decoded(self) -> Generator[tuple[float, np.ndarray], None, None]:
        """Second and float32 samples (channels, n) of what can be decoded, at the result's rate."""
        import av

        resampler: Any = None
        kind = None
        for packet in _moved(self._container, self._source, self._late):
            if packet.pts is not None and packet.pts * packet.time_base < -_LED_IN:
                continue
            pieces: list[av.AudioFrame] = []
            try:
                for frame in packet.decode():
                    if kind != (frame.format.name, frame.layout.name, frame.sample_rate):
                        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
                        resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
                    if frame.pts is not None:
                        pieces += resampler.resample(frame)
            except (av.FFmpegError, ValueError):
                pass  # what is damaged is silent
            for piece in pieces:
                if piece.pts is not None and piece.time_base is not None:
                    yield float(piece.pts * piece.time_base), piece.to_ndarray()

    def _encode(self, output: "OutputContainer", first: int, samples: np.ndarray) -> None:
        import av

        if self._format == "flt":  # channels beside each other
            samples = samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=self._format, layout=self._layout
        )
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


SoundTrack = CopiedSound | EncodedSound
"""Sound that goes beside the pictures of a file that is written."""

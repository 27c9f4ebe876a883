"""Clips as cameras, browsers and editors make them: a white box flashes and a tone of 0.1 s sounds at 1.0 and at 2.0 s,
which belong together. What is peculiar to a kind of file is done to the packets before they are written."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.ranges import WHOLE, ClipRange
from followyouremoji.media.timing import generated_rate
from followyouremoji.media.writing import ClipWriter
from tests.media.synthetic import heard_onsets

SHARED = Path(__file__).parents[2].parent / "shared" / "cases"
RATE, SOUND_RATE = 30, 48000
SIZE = (128, 96)
ONSETS = (1.0, 2.0)
STEP = 1 / 30 + 0.015  # seconds: a frame, and what an AAC packet and the tone's detection add
OPTIONS = {
    "libx264": {"g": "30", "crf": "15", "bf": "2", "preset": "veryfast"},
    "libx265": {"x265-params": "log-level=error", "preset": "ultrafast"},
    "libvpx": {"g": "30", "deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}

Moved = Callable[[float], float]


def flashing_picture(time: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Grey, with a white box in its upper left corner for 0.1 s from each onset on, and a bar that moves with time."""
    width, height = size
    picture = np.full((height, width, 3), 70, np.uint8)
    left = int(60 * time + 0.5) % (width - 8)
    picture[height - 24 :, left : left + 8] = (200, 160, 120)
    if any(onset - 1e-6 <= time < onset + 0.1 - 1e-6 for onset in ONSETS):
        picture[:32, :32] = 255
    return picture


def sounding(seconds: float) -> np.ndarray:
    """float32 (n,): silence with a tone from each onset on."""
    time = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    heard = np.zeros(len(time), bool)
    for onset in ONSETS:
        heard |= (time >= onset) & (time < onset + 0.1)
    return np.where(heard, 0.5 * np.sin(2 * np.pi * 1000.0 * time), 0.0).astype(np.float32)


def record(
    path: Path,
    codec: str = "libx264",
    sound: str | None = "aac",
    *,
    times: Sequence[float] | None = None,
    seconds: float = 3.0,
    rate: int | Fraction = RATE,
    keep: Callable[[int], bool] = lambda number: True,
    heard: Callable[[float], bool] = lambda time: True,
    moved: Moved = lambda time: time,
    sound_moved: Moved | None = None,
    sound_first: bool = False,
    more: Callable[[Any], list[Any]] = lambda container: [],
    options: dict[str, str] | None = None,
    **container_options: str,
) -> None:
    """Write a recording.

    Parameters
    ----------
    times : of the frames, seconds; by default regular for `seconds`.
    keep : whether the picture packet of a number, in coding order, is written.
    heard : whether the sound packet of a second is written.
    moved, sound_moved : from true seconds to those in the file, of pictures and of sound (by default the same).
    more : adds further streams, before those of pictures and sound, and gives their packets.
    """
    true_times = np.arange(round(seconds * rate)) / float(rate) if times is None else np.asarray(times)
    clock = 1 / Fraction(rate) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w", options=container_options) as container:
        further = more(container)
        streams: dict[str, Any] = {}
        for kind in ("sound", "video") if sound_first else ("video", "sound"):
            if kind == "video":
                video = container.add_stream(
                    codec, rate=rate, options={**OPTIONS.get(codec, {}), **(options or {})}
                )
                video.width, video.height = SIZE
                video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                video.bit_rate = 2_000_000
                video.codec_context.gop_size = 30
                video.codec_context.time_base = clock
                streams[kind] = video
            elif sound is not None:
                streams[kind] = container.add_stream(sound, rate=SOUND_RATE, layout="mono")
        packets = [
            (packet, streams["video"], moved)
            for number, packet in enumerate(_coded_pictures(streams["video"], true_times, clock))
            if keep(number)
        ]
        if sound is not None:
            packets += [
                (packet, streams["sound"], sound_moved or moved)
                for packet in _coded_sound(streams["sound"], float(true_times[-1]) + 1 / RATE)
                if heard(float(packet.pts * packet.time_base))
            ]
        packets += [(packet, packet.stream, moved) for packet in further]
        for packet, stream, place in sorted(packets, key=lambda entry: entry[0].dts * entry[0].time_base):
            for name in ("pts", "dts"):
                seconds_true = float(getattr(packet, name) * packet.time_base)
                setattr(packet, name, round(Fraction(place(seconds_true)) / packet.time_base))
            packet.stream = stream
            container.mux_one(packet)


def _coded_pictures(stream: Any, times: np.ndarray, clock: Fraction) -> list[Any]:
    packets = []
    for time in times:
        frame = av.VideoFrame.from_ndarray(flashing_picture(float(time)), format="rgb24")
        frame.pts, frame.time_base = round(Fraction(float(time)) / clock), clock
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _coded_sound(stream: Any, seconds: float) -> list[Any]:
    packets = []
    samples = sounding(seconds)
    kind = stream.codec_context.format.name
    whole = {"s16": np.int16, "s32": np.int32}.get(kind.rstrip("p"))
    piece = stream.codec_context.frame_size or 1024
    for first in range(0, len(samples), piece):
        values = samples[None, first : first + piece]
        if whole is not None:
            values = (values * np.iinfo(whole).max).astype(whole)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values), format=kind, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def joined(path: Path, *parts: Path) -> None:
    """One file behind the other, as `cat` joins them."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))


def without_decoder(path: Path, number: int) -> None:
    """Give a sound track of an MP4 the name of a format that nobody decodes."""
    content = bytearray(path.read_bytes())
    place = -1
    for _ in range(number + 1):
        place = content.index(b"mp4a", place + 1)
    for name in (b"mp4a", b"esds"):
        place = content.index(name, place)
        content[place : place + 4] = b"zzzz"
    path.write_bytes(content)


def flashes(path: Path) -> np.ndarray:
    """Seconds at which the box of a written clip turns white."""
    times, light = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.append(frame.time)
            light.append(frame.to_ndarray(format="rgb24")[4:20, 4:20].mean() > 180)
    return np.array(times)[np.diff(np.array(light, int), prepend=0) == 1]


def written_again(
    source: Path, target: Path, clip_range: ClipRange = WHOLE, frame_rate: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A clip's frames and sound as `fye animate` would write them; returns its flashes and the beeps."""
    with ClipReader(source) as clip:
        rate = generated_rate(clip.info.frame_rate, frame_rate)
    with ClipReader(source, clip_range, rate) as clip:
        frames = iter(clip)
        start, first = next(frames)
        with ClipWriter(
            target, rate, clip.info.size, sound_from=source, sound_start=start, overwrite=True
        ) as writer:
            writer.write(first)
            for _, picture in frames:
                writer.write(picture)
            assert writer.frames_written == clip.expected_frames
    return flashes(target), heard_onsets(target) if writer.has_sound else np.zeros(0)


def assert_together(source: Path, folder: Path, onsets: list[float], **how: Any) -> None:
    """Flash and beep of the clip written again lie at `onsets`."""
    seen, heard = written_again(source, folder / "again.mp4", **how)
    np.testing.assert_allclose(seen, onsets, atol=STEP)
    np.testing.assert_allclose(heard, onsets, atol=STEP)

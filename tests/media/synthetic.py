"""Small clips made by the tests themselves: a square that wanders over a gradient, with a tone."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from followyouremoji.media.writing import ClipWriter

SAMPLE_RATE = 44100


def moving_picture(index: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A gradient with a light square whose left edge lies at 4 + 2 * index."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(20, 120, width)[None, :]
    picture[..., 1] = np.linspace(30, 90, height)[:, None]
    picture[..., 2] = 60
    left = 4 + 2 * index
    picture[20:44, left : left + 16] = (240, 220, 200)
    return picture


def square_place(picture: np.ndarray) -> float:
    """The index of the moving picture, found by where its light square lies."""
    columns = np.flatnonzero(picture[32, :, 1] > 155)
    return (columns.mean() - 7.5 - 4) / 2


def tone(seconds: float, onsets: Sequence[float]) -> np.ndarray:
    """float32 (n,): silence with a tone of 1 kHz and 0.1 s from each onset on."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sounding = np.zeros(len(time), dtype=bool)
    for onset in onsets:
        sounding |= (time >= onset) & (time < onset + 0.1)
    return np.where(sounding, 0.5 * np.sin(2 * np.pi * 1000.0 * time), 0.0).astype(np.float32)


def write_clip(
    path: Path,
    frames: int = 50,
    rate: int = 25,
    times: Sequence[float] | None = None,
    audio_codec: str | None = None,
    onsets: Sequence[float] = (0.5, 1.0, 1.5),
    rotation: int = 0,
    mirrored: bool = False,
    size: tuple[int, int] = (96, 64),
    faststart: bool = False,
) -> None:
    """Write a clip with FFmpeg alone; `times` in seconds makes its frame rate vary."""
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "12", "g": "10"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        clock = Fraction(1, rate) if times is None else Fraction(1, 1000)
        video.codec_context.time_base = clock
        if rotation or mirrored:
            video.set_display_rotation(rotation, hflip=mirrored)
        audio = container.add_stream(audio_codec, rate=SAMPLE_RATE, layout="mono") if audio_codec else None
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(moving_picture(index, size), format="rgb24")
            frame.time_base = clock
            frame.pts = index if times is None else round(times[index] / clock)
            container.mux(video.encode(frame))
        if audio is not None:
            samples = tone(frames / rate, onsets)
            for first in range(0, len(samples), 1024):
                piece = samples[None, first : first + 1024]
                if audio_codec == "aac":
                    sound = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                else:
                    sound = av.AudioFrame.from_ndarray(
                        (piece * 32767).astype(np.int16), format="s16", layout="mono"
                    )
                sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
                container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
        container.mux(video.encode(None))


def heard_onsets(path: Path) -> np.ndarray:
    """Seconds on the clip's clock at which the tone sets in."""
    samples = np.zeros(SAMPLE_RATE * 20)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            values = frame.to_ndarray().astype(float)[0]
            values = values / 32768 if frame.format.name.startswith("s16") else values
            first = round(frame.time * SAMPLE_RATE)
            values = values[max(0, -first) :]
            first = max(0, first)
            samples[first : first + len(values)] = values
    # Half a millisecond's mean tells tone from silence; 50 ms of silence separate two tones.
    loud = np.flatnonzero(np.convolve(np.abs(samples), np.ones(22) / 22, "same") > 0.1) / SAMPLE_RATE
    return loud[np.diff(loud, prepend=-1.0) > 0.05]


def write_pictures(path: Path, pictures: Iterable[np.ndarray], rate: float = 25.0, **options: Any) -> None:
    with ClipWriter(path, rate, (96, 64), **options) as writer:
        for picture in pictures:
            writer.write(picture)


def write_moving(path: Path, frames: int = 20, rate: float = 25.0, **options: Any) -> None:
    write_pictures(path, (moving_picture(index) for index in range(frames)), rate, **options)

"""Decoding clips frame by frame: videos by FFmpeg (PyAV), animated GIF, WebP, PNG, AVIF and still pictures by Pillow.

Both sources yield `(time, duration, make_picture)`: seconds on the clip's clock, and a function that converts the
frame, so that frames outside a range cost no conversion. Neither holds more than the frame at hand.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from followyouremoji.errors import ClipError, first_line
from followyouremoji.media.colour import ToneMap
from followyouremoji.media.frames import Matrix, display_matrix, fitted, frame_picture, shown_size
from followyouremoji.media.headers import iso_boxes
from followyouremoji.media.inputs import InputFile, remembered
from followyouremoji.media.packets import (
    BOUNDS,
    Contents,
    in_words,
    is_patchy,
    open_container,
    packets,
    scan,
)
from followyouremoji.media.pictures import DECODING_ERRORS, check_size, open_image, to_rgb
from followyouremoji.media.timing import Clock

if TYPE_CHECKING:
    import av

ANIMATION_FORMATS = ("GIF", "WEBP", "PNG", "AVIF", "JPEG")
"""Of these Pillow is asked first; JPEG is one frame."""
_MOVING_FORMATS = ANIMATION_FORMATS[:-1]
_SHORTEST_DELAY = 0.02  # seconds; browsers show shorter delays of GIFs as
_USUAL_DELAY = 0.1
_LONGEST_DELAY = 60.0  # our own bound, since each moment is a frame to be made
MOST_ANIMATED = 5_000_000_000
"""Pixels of all frames of an animated picture, which are decoded to know their times: 5000 frames of a megapixel."""
_TRANSPARENT_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""The decoders that see the transparency which WebM keeps beside its pictures; FFmpeg's own do not."""

Frame = tuple[float, float, Callable[[], np.ndarray]]


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a whole clip before it is decoded.

    `size` is (width, height) as shown, upright; `frame_rate` frames a second at which none is lost; `frames` their
    number; `duration` seconds, until the last frame is no longer shown; `has_sound` whether there is sound that can be
    decoded.
    """

    size: tuple[int, int]
    frame_rate: float
    frames: int
    duration: float
    has_sound: bool
    source: str

    @staticmethod
    def of(file: InputFile, size: tuple[int, ...], clock: Clock, has_sound: bool = False) -> "ClipInfo":
        """The facts of a clip whose frames are shown by `clock`."""
        return ClipInfo((size[0], size[1]), clock.frame_rate, len(clock), clock.end, has_sound, str(file))


class FrameSource(Protocol):
    """A clip that can be decoded from its beginning, any number of times."""

    info: ClipInfo
    clock: Clock
    damage: str | None  # why decoding ended before the clip did; None while all is well

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was done about the file's peculiarities; those of its pictures once they are decoded."""

    def frames(self, first: int = 0) -> Generator[Frame, None, None]:
        """Every frame that can be decoded, in order; some of those before the one of number `first` may lack."""


def open_clip(file: InputFile) -> FrameSource:
    """The source that decodes this file; raises `ClipError` if none does."""
    if _is_heif_still(file):
        # Phones store pictures in tiles, which FFmpeg would show one by one.
        if is_picture(file):
            return AnimationSource(file)
        raise ClipError(f"{file} is a picture in a HEIF format that cannot be read; save it as JPEG or PNG")
    if is_picture(file, ANIMATION_FORMATS):
        return AnimationSource(file)
    try:
        # Some other formats have no signature, and Pillow may take a video for one of them: FFmpeg is asked first.
        open_container(file).close()
    except ClipError:
        if is_picture(file):
            return AnimationSource(file)
        raise
    return VideoSource(file)


def _is_heif_still(file: InputFile) -> bool:
    """Whether a file is a HEIF (HEIC, AVIF) of pictures without a sequence: it describes them in a box `meta`, and
    begins with no `moov` (ISO/IEC 14496-12)."""
    kinds = [kind for kind, _ in iso_boxes(file)]
    return b"meta" in kinds and b"moov" not in kinds


def is_picture(file: InputFile, formats: tuple[str, ...] | None = None) -> bool:
    """Whether Pillow reads a file as one of `formats`, all by default; raises `ClipError` if it is a damaged one."""
    try:
        with open_image(file, ClipError, formats):
            return True
    except UnidentifiedImageError:
        return False
    except DECODING_ERRORS as reason:
        raise ClipError(f"{file} is damaged: not one frame of it can be read") from reason


class AnimationSource:
    """An animated GIF, WebP, PNG or AVIF; a still picture of any format is a clip of one frame."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self.damage: str | None = None
        delays: list[float] = []
        with open_image(file, ClipError) as image, suppress(*DECODING_ERRORS):
            self._check_frames(image)
            for _ in self._seek_all(image):
                if not delays:
                    height, width = to_rgb(image).shape[:2]
                delays.append(self._delay(image))
        if not delays:
            raise ClipError(f"{file} is damaged: not one frame of it can be read")
        self.clock = Clock.of(np.concatenate([[0.0], np.cumsum(delays)[:-1]]), delays[-1])
        self.info = ClipInfo.of(file, (width, height), self.clock)

    def _seek_all(self, image: Image.Image) -> Iterator[None]:
        """Step through the frames, decoding each, up to the first that is damaged."""
        count = self._count(image)
        # Of an APNG, shown where none moves.
        first = int(count > 1 and image.info.get("default_image", False))
        for index in range(first, count):
            try:
                image.seek(index)
                image.load()
            except DECODING_ERRORS as reason:
                self.damage = first_line(reason)
                return
            yield

    @staticmethod
    def _count(image: Image.Image) -> int:
        # Of other formats more pictures are no frames: a phone's JPEG (MPO) may hold the depth, a TIFF further pages.
        return int(getattr(image, "n_frames", 1)) if image.format in _MOVING_FORMATS else 1

    def _check_frames(self, image: Image.Image) -> None:
        count, (width, height) = self._count(image), image.size
        if count * width * height > MOST_ANIMATED:
            raise ClipError(
                f"{self._file} has {count} frames of {width}x{height} pixels, more than can be used; save it as an MP4"
            )

    @staticmethod
    def _delay(image: Image.Image) -> float:
        delay = float(image.info.get("duration", 0.0) or 0.0) / 1000.0
        return min(delay, _LONGEST_DELAY) if delay >= _SHORTEST_DELAY else _USUAL_DELAY

    def frames(self, first: int = 0) -> Generator[Frame, None, None]:
        with open_image(self._file, ClipError) as image:
            shown = zip(self.clock.times, self.clock.durations, self._seek_all(image), strict=False)
            for time, duration, _ in shown:
                yield float(time), float(duration), lambda: to_rgb(image)


@remembered
def contents(file: InputFile) -> Contents:
    """What a file holds, from its first frame on that can be decoded; see `scan`, also for errors."""
    found = scan(file)
    if found.schedule is None:
        return found
    decoded = _decoded(file, found, [])
    first, _ = next(decoded, (None, None))
    decoded.close()
    return replace(found, schedule=None if first is None else found.schedule.begun_at(first))


def _decoded(
    file: InputFile, found: Contents, failures: list[str], first: int = 0
) -> Generator[tuple[int, "av.VideoFrame"], None, None]:
    """Each frame that can be decoded, with its place on the clock, from the place `first` on, or a little before; what
    cannot be decoded is listed in `failures`."""
    import av

    plan = found.schedule
    assert plan is not None
    with open_container(file) as container:
        stream = container.streams[cast(int, found.pictures)]
        decoder = picture_decoder(stream)
        decoder.options = {**decoder.options, **BOUNDS}
        latest, lag = -1, None
        whole_only = not is_patchy(container)
        begin = found.packet_before(first)

        def frames_of(packet: Any) -> list[Any]:
            try:
                return list(decoder.decode(packet))
            except (av.FFmpegError, EOFError) as reason:
                failures.append(in_words(reason))
                return []

        def every_frame() -> Iterator[Any]:
            for number, packet in enumerate(packets(container, stream)):
                if number < begin:
                    continue
                if packet.is_corrupt and whole_only:
                    failures.append("a piece of it is missing")
                    continue
                packet.pts, packet.dts = (int(plan.ranks[number]) if plan.by_time else None), number
                yield from frames_of(packet)
            yield from frames_of(None)

        for frame in every_frame():
            if plan.by_time:
                rank = -1 if frame.pts is None else frame.pts
            elif frame.dts is None:
                rank = latest + 1
            else:
                place = int(plan.ranks[frame.dts])
                lag = place if lag is None else lag
                rank = max(latest + 1, place - lag)
            if frame.is_corrupt:
                failures.append("a frame cannot be decoded")
            elif latest < rank < len(plan.clock):
                latest = rank
                yield rank, frame


def picture_decoder(stream: Any) -> Any:
    """What decodes a picture stream of an open file, in as many threads as suit it, with its opacity where it says that
    it has some."""
    import av

    decoder = stream.codec_context
    name = _TRANSPARENT_DECODERS.get(decoder.name)
    if name is not None and _says_transparent(stream.metadata) and name in av.codecs_available:
        transparent = av.CodecContext.create(name, "r")
        transparent.extradata = decoder.extradata
        return transparent
    decoder.thread_type = "AUTO"
    return decoder


def _says_transparent(metadata: dict[str, str]) -> bool:
    """Whether a WebM's stream has the element AlphaMode: FFmpeg gives it as "alpha_mode", and, since its version 8, as
    "ALPHA_MODE"."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in metadata.items())


class VideoSource:
    """A video file's picture stream."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self.damage: str | None = None
        pictures = scan(file).pictures
        if pictures is None:
            raise ClipError(f"{file} holds no video; give a clip such as an MP4 or a GIF")
        with open_container(file) as container:
            stream = cast(Any, container.streams[pictures])
            if stream.codec_context.width:
                check_size(file, (stream.codec_context.width, stream.codec_context.height), ClipError)
            self._codec = stream.codec_context.name
            self._pixel_aspect = float(stream.sample_aspect_ratio or 1.0)
        found = contents(file)
        if found.schedule is None:
            raise ClipError(f"{file} is damaged: not one frame of it can be decoded")
        self._contents = found
        self.clock = found.schedule.clock
        self._shape: tuple[int, int] | None = None
        self._said: dict[str, str] = {}
        frames = self.frames()
        next(frames)
        frames.close()
        size = cast(tuple[int, int], self._shape)
        check_size(file, size, ClipError)
        self.info = ClipInfo.of(file, size, self.clock, found.sound is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        notes = list(self._said.values())
        plan, found = self._contents.schedule, self._contents
        if plan is not None and plan.breaks:
            times = "once" if plan.breaks == 1 else f"{plan.breaks} times"
            notes.insert(
                0, f"The times in {self._file} break off {times}: what comes after follows without a gap."
            )
        if found.silent and found.sound is None:
            notes.append(f"The sound of {self._file} is in a format that cannot be decoded: it is left out.")
        elif found.silent:
            notes.append(
                f"A sound track of {self._file} is in a format that cannot be decoded: another one is used."
            )
        return tuple(notes)

    def frames(self, first: int = 0) -> Generator[Frame, None, None]:
        """Frames up to the clip's end or its last that can be decoded; `damage` says why it is not the end, once they
        are exhausted. What lies well before the frame of number `first` is not decoded."""
        self.damage = None
        failures: list[str] = []
        tones = ToneMap()
        latest, lost = None, 0
        for rank, frame in _decoded(self._file, self._contents, failures, first):
            lost += 0 if latest is None else rank - latest - 1
            latest = rank
            matrix = display_matrix(frame, self._codec)
            own = shown_size(frame, matrix, self._pixel_aspect)
            # Recordings of calls change their size on the way; a clip keeps that of its first frame.
            shape = self._shape = self._shape or own
            inner = fitted(own, shape)
            time = float(self.clock.times[rank])
            if inner != shape:
                self._say(
                    "shape",
                    f"The pictures of {self._file} change their shape at {time:.1f} s, from {shape[0]}x{shape[1]} to "
                    f"{own[0]}x{own[1]}: from there on they are fitted into the first shape, with bars.",
                )
            yield (
                time,
                float(self.clock.durations[rank]),
                partial(self._picture, frame, matrix, inner, shape, tones, time),
            )
        self.damage = self._contents.damage
        if failures and (latest is None or latest < len(self.clock) - 1):
            self.damage = self.damage or failures[-1]
        if failures and lost:
            counted = "One frame" if lost == 1 else f"{lost} frames"
            self._say(
                "lost",
                f"{counted} of {self._file} cannot be decoded ({failures[0]}): the one before is held instead.",
            )

    def _picture(
        self,
        frame: "av.VideoFrame",
        matrix: Matrix,
        inner: tuple[int, int],
        shape: tuple[int, int],
        tones: ToneMap,
        time: float,
    ) -> np.ndarray:
        import av

        try:
            return frame_picture(frame, matrix, inner, shape, tones)
        except (av.FFmpegError, ValueError) as reason:
            raise ClipError(
                f"{self._file} is damaged: its frame at {time:.2f} s cannot be shown ({in_words(reason)})"
            ) from reason

    def _say(self, about: str, sentence: str) -> None:
        self._said.setdefault(about, sentence)

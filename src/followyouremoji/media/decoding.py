"""Decoding clips frame by frame: videos by FFmpeg (PyAV); animated GIF, WebP and PNG, and still pictures, by Pillow.

Both sources yield `(timestamp, make_picture)`: seconds from the clip's first frame, and a function that converts the
frame, so that frames outside a range cost no conversion. Neither holds more than the frame at hand.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from followyouremoji.errors import ClipError
from followyouremoji.media.pictures import BACKGROUND, DECODING_ERRORS, check_size, open_image, to_rgb

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

ANIMATION_FORMATS = ("GIF", "WEBP", "PNG", "JPEG")  # of which Pillow is asked first; JPEG is one frame
_SHORTEST_DELAY = 0.02  # seconds; browsers show shorter delays of GIFs as
_USUAL_DELAY = 0.1
_ASSUMED_RATE = 25.0  # frames a second where a file tells nothing
_UNTIMED_FORMATS = (
    "avi",
    "h264",
    "hevc",
    "m4v",
    "mpegvideo",
)  # frames lie there in coding order, without times
_UNSPECIFIED = 2  # ITU-T H.273, matrix coefficients
_STANDARD_HEIGHT = 576  # of standard definition
_LOST_END = 0.5  # seconds that may lack at the end before a clip of no known frame count is called cut off

Frame = tuple[float, Callable[[], np.ndarray]]


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a whole clip before it is decoded.

    `size` is (width, height) as shown, upright; `frame_rate` frames a second (the mean, where it varies); `frames`
    the number of frames, None where the file does not tell; `duration` seconds.
    """

    size: tuple[int, int]
    frame_rate: float
    frames: int | None
    duration: float
    has_sound: bool
    source: str


class FrameSource(Protocol):
    """A clip that can be decoded from its beginning, any number of times."""

    info: ClipInfo
    damage: str | None  # why decoding ended before the clip did; None while all is well

    def frames(self) -> Generator[Frame, None, None]:
        """Every frame that can be decoded, in order."""


def open_clip(path: Path) -> FrameSource:
    """The source that decodes this file; raises `ClipError` if none does."""
    if not _pillow_knows(path, ANIMATION_FORMATS):
        with open_container(path) as container:
            # Some other formats have no signature, and Pillow may take a video for one of them: FFmpeg is asked first.
            if not (_is_still(container) and _pillow_knows(path)):
                return VideoSource(path, container)
    return AnimationSource(path)


def _pillow_knows(path: Path, formats: tuple[str, ...] | None = None) -> bool:
    """Whether a file is a picture in one of `formats`, all by default; raises `ClipError` if it is a damaged one."""
    try:
        with open_image(path, ClipError, formats):
            return True
    except UnidentifiedImageError:
        return False
    except DECODING_ERRORS as reason:
        raise ClipError(f"{path} is damaged: not one frame of it can be read") from reason


def _is_still(container: "InputContainer") -> bool:
    """Whether FFmpeg reads the file as a picture, such as a TIFF: it would not tell that there is but one frame."""
    name = container.format.name
    return name.endswith("_pipe") or name in ("image2", "ico")


class AnimationSource:
    """An animated GIF, WebP or PNG; a still picture of any format is a clip of one frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damage: str | None = None
        starts: list[float] = []
        duration = 0.0
        with open_image(path, ClipError) as image:
            size = image.size
            for _ in self._seek_all(image):
                if not starts:
                    size = to_rgb(image).shape[1::-1]
                starts.append(duration)
                duration += self._delay(image)
        if not starts:
            raise ClipError(f"{path} is damaged: not one frame of it can be read")
        self._starts = starts
        self.info = ClipInfo(
            size=(int(size[0]), int(size[1])),
            frame_rate=len(starts) / duration,
            frames=len(starts),
            duration=duration,
            has_sound=False,
            source=str(path),
        )

    def _seek_all(self, image: Image.Image) -> Iterator[None]:
        """Step through the frames, decoding each, up to the first that is damaged."""
        # Of other formats more pictures are no frames: a phone's JPEG (MPO) may hold the depth, a TIFF further pages.
        count = getattr(image, "n_frames", 1) if image.format in ("GIF", "WEBP", "PNG") else 1
        for index in range(count):
            try:
                image.seek(index)
                image.load()
            except DECODING_ERRORS as reason:
                self.damage = str(reason) or "a frame cannot be decoded"
                return
            yield

    @staticmethod
    def _delay(image: Image.Image) -> float:
        delay = float(image.info.get("duration", 0.0) or 0.0) / 1000.0
        return delay if delay >= _SHORTEST_DELAY else _USUAL_DELAY

    def frames(self) -> Generator[Frame, None, None]:
        with open_image(self._path, ClipError) as image:
            for start, _ in zip(self._starts, self._seek_all(image), strict=False):
                yield start, lambda: to_rgb(image)


def open_container(path: Path) -> "InputContainer":
    """The file as FFmpeg opens it; raises `ClipError`. Playlists in it reach local files only, never the network."""
    import av

    try:
        return av.open(
            f"file:{path}",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file,crypto,data"},
        )
    except (av.FFmpegError, OSError, ValueError) as reason:
        raise ClipError(
            f"{path} cannot be read as a clip: it is not a video, or damaged or cut off ({_words(reason)})"
        ) from reason


def _words(reason: Exception) -> str:
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _turn(picture: np.ndarray, frame: "av.VideoFrame") -> np.ndarray:
    """A picture turned and mirrored by the display matrix that phones write beside their frames.

    The matrix [[a b u] [c d v] [x y w]] shows source (p, q) at (a p + c q, b p + d q); only its quarter turns and
    mirrorings are followed.
    """
    try:
        side_data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV gives none where it does not know one of them, such as the EXIF of cameras' motion JPEG.
        return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
    if side_data is None:
        return picture
    matrix = np.frombuffer(bytes(cast(Any, side_data)), dtype=np.int32).reshape(3, 3)[:2, :2]
    a, b, c, d = (int(value) for value in matrix.ravel())
    if abs(a) + abs(d) >= abs(b) + abs(c):
        mirrored_across, mirrored_down = a < 0, d < 0
    else:
        picture = picture.transpose(1, 0, 2)
        mirrored_across, mirrored_down = c < 0, b < 0
    if mirrored_across:
        picture = picture[:, ::-1]
    if mirrored_down:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _square_pixels(frame: "av.VideoFrame", pixel_aspect: float) -> tuple[int, int]:
    """The (width, height) at which a frame of oblong pixels shows without loss."""
    if pixel_aspect > 1.0:
        return round(frame.width * pixel_aspect), frame.height
    return frame.width, round(frame.height / pixel_aspect)


def _frame_picture(frame: "av.VideoFrame", size: tuple[int, int]) -> np.ndarray:
    """A decoded frame as RGB, scaled to `size`, upright, on white where it is transparent."""
    width, height = size
    if any(component.is_alpha for component in frame.format.components):
        layers = frame.reformat(width, height, format="rgba").to_ndarray().astype(np.float32)
        opacity = layers[..., 3:] / 255.0
        on_white = layers[..., :3] * opacity + np.asarray(BACKGROUND, dtype=np.float32) * (1.0 - opacity)
        return _turn(np.rint(on_white).astype(np.uint8), frame)
    # Players take high definition that names no colour matrix for BT.709, FFmpeg's scaler for BT.601.
    unnamed_hd = frame.colorspace == _UNSPECIFIED and min(frame.width, frame.height) > _STANDARD_HEIGHT
    picture = frame.reformat(
        width,
        height,
        format="rgb24",
        interpolation="LANCZOS",
        src_colorspace="ITU709" if unnamed_hd else None,
    ).to_ndarray()
    return _turn(np.ascontiguousarray(picture, dtype=np.uint8), frame)


class VideoSource:
    """A video file's first picture stream; `container` is the file, just opened, and needed no longer than this
    takes."""

    def __init__(self, path: Path, container: "InputContainer") -> None:
        self._path = path
        self.damage: str | None = None
        stream = self._stream(container)
        width, height = stream.codec_context.width, stream.codec_context.height
        check_size(path, (width, height), ClipError)
        rate = float(stream.average_rate or stream.guessed_rate or 0.0)
        frame_rate = rate if 0.0 < rate <= 1000.0 else _ASSUMED_RATE
        count = stream.frames or None
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        elif container.duration:
            duration = container.duration / 1e6
        else:
            duration = (count or 0) / frame_rate
        has_sound = bool(container.streams.audio)
        decoded = self.frames()
        try:
            _, first = next(decoded)
            size = first().shape[1::-1]
        except StopIteration as reason:
            raise ClipError(f"{path} is damaged: not one frame of it can be decoded") from reason
        finally:
            decoded.close()
        self.info = ClipInfo(
            size=(int(size[0]), int(size[1])),
            frame_rate=frame_rate,
            frames=count,
            duration=duration,
            has_sound=has_sound,
            source=str(path),
        )

    def _stream(self, container: "InputContainer") -> Any:
        """The stream to decode: not a text that FFmpeg would render, not the cover picture of a piece of music."""
        for stream in container.streams.video:
            cover = "attached_pic" in str(getattr(stream, "disposition", "")).lower()
            if stream.codec_context is not None and stream.codec_context.name != "ansi" and not cover:
                return stream
        raise ClipError(f"{self._path} holds no video; give a clip such as an MP4 or a GIF")

    def frames(self) -> Generator[Frame, None, None]:
        """Frames up to the clip's end or its first damage; `damage` says which once they are exhausted."""
        import av

        with open_container(self._path) as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            pixel_aspect = float(stream.sample_aspect_ratio or 1.0)
            frame_rate = float(stream.average_rate or stream.guessed_rate or _ASSUMED_RATE)
            counted = container.format.name in _UNTIMED_FORMATS
            begin, latest, size = None, 0.0, None
            for index, frame in enumerate(self._decode(container, stream, av.FFmpegError)):
                time = index / frame_rate if counted or frame.time is None else frame.time
                begin = time if begin is None else begin
                latest = max(latest, time - begin)
                # Recordings of calls change their size on the way; a clip keeps that of its first frame.
                size = size or _square_pixels(frame, pixel_aspect)
                yield latest, lambda frame=frame, size=size: _frame_picture(frame, size)  # type: ignore[misc]

    def _decode(self, container: Any, stream: Any, decoding_error: type[Exception]) -> Iterator[Any]:
        self.damage = None
        packets, last_end, shown = 0, 0.0, False
        begin = (container.start_time or 0) / 1e6
        try:
            for packet in container.demux():
                if packet.pts is not None and packet.time_base:
                    last_end = max(last_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream_index != stream.index:
                    continue
                packets += packet.size > 0
                if packet.is_corrupt and packet.size:
                    self.damage = "it ends within a frame"
                    break
                for frame in packet.decode():
                    if frame.is_corrupt and shown:
                        self.damage = "a frame cannot be decoded"
                        return
                    # A clip cut open may begin with frames that lack their key frame: those are left out.
                    if not frame.is_corrupt:
                        shown = True
                        yield frame
        except decoding_error as reason:
            self.damage = _words(reason)
        if self.damage is not None:
            try:
                held_back = stream.codec_context.decode(None)
            except decoding_error:
                held_back = []
            yield from (frame for frame in held_back if not frame.is_corrupt)
            return
        if "mp4" in container.format.name.split(","):  # its index counts the frames that should be there
            cut_off = packets < stream.frames
        else:
            cut_off = last_end - begin < (container.duration or 0) / 1e6 - _LOST_END
        if cut_off:
            self.damage = "its end is missing"

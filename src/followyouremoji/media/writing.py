"""Writing clips: MP4 and WebM with sound, GIF, WebP, animated PNG or a folder of PNGs, whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.media.animations import ApngEncoder, GifEncoder, WebpEncoder
from followyouremoji.media.inputs import InputFile, InputSource
from followyouremoji.media.kinds import FRAME_NAME, KINDS, Size, clip_ending, is_frame
from followyouremoji.media.outputs import OutputTarget, name_and_ending, open_output
from followyouremoji.media.pictures import BACKGROUND, Colour, on_background, save_image
from followyouremoji.media.sound import SoundTrack, open_sound
from followyouremoji.media.videos import mp4_encoder, webm_encoder
from followyouremoji.provenance.record import GENERATED_COMMENT


def exact_rate(frame_rate: float) -> Fraction:
    """The fraction that a frame rate stands for: 25 is 25/1, 29.97 is 30000/1001."""
    whole, broadcast = Fraction(round(frame_rate)), Fraction(round(frame_rate * 1.001) * 1000, 1001)
    for rate in (whole, broadcast):
        if rate > 0 and abs(float(rate) - frame_rate) < 1e-4 * frame_rate:
            return rate
    return Fraction(frame_rate).limit_denominator(1000)


def _writing_errors() -> tuple[type[Exception], ...]:
    import av

    return OSError, RuntimeError, av.FFmpegError


def check_sides(name: str | Path, size: Size, ending: str | None = None) -> None:
    """Raise ClipError where pictures of `size` (width, height) are too large for a clip of that ending, by default that
    of `name`."""
    ending = clip_ending(Path(name)) if ending is None else ending
    largest = KINDS[ending].largest_side if ending in KINDS else None
    if largest is not None and max(size) > largest:
        raise ClipError(
            f"cannot write {name}: its pictures would be {size[0]}x{size[1]} pixels, and {ending} holds at most "
            f"{largest} a side; give a name without an ending, for a folder of PNGs, or use smaller pictures"
        )


class Encoder(Protocol):
    """Takes uint8 pictures in order, (height, width, 4) where it was opened for transparent ones and else (height,
    width, 3); then `finish()`, and `close()` in every case."""

    def write(self, picture: np.ndarray) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


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
    path: Path,
    ending: str,
    rate: Fraction,
    size: Size,
    sound: SoundTrack | None,
    comment: str,
    transparent: bool = False,
    quick: bool = False,
) -> Encoder:
    """The encoder for an output's ending, one of `KINDS`; `transparent` only where its kind is. `quick` as of
    `ClipWriter`."""
    match ending:
        case ".mp4":
            return mp4_encoder(path, rate, size, sound, comment, quick)
        case ".webm":
            return webm_encoder(path, rate, size, sound, comment, transparent, quick)
        case ".gif":
            return GifEncoder(path, rate, size, comment, transparent)
        case ".webp":
            return WebpEncoder(path, rate, size, comment, transparent)
        case ".apng":
            return ApngEncoder(path, rate, size, comment, transparent)
    return PngFolderEncoder(path, comment)


class ClipWriter:
    """A clip being written, as a context manager: `with ClipWriter(...) as writer: writer.write(picture)`.

    The output appears in its place when the block ends well; on an error or Ctrl-C nothing of it stays, and an
    older output stays as it was. Where frames take time to make, `prefetch` makes the next while one is encoded.

    Parameters
    ----------
    target : a path, which ends in .mp4 (H.264, yuv420p; odd sides get one more row or column), .webm (VP9), .gif, .webp
        or .apng; one without an ending is a folder, of frame_000000.png and so on. Or a binary buffer for the `format`.
    frame_rate : frames a second.
    size : (width, height) of every picture.
    sound_from : a clip or audio file, given as a path, bytes or an open file, whose sound goes beside the frames of an
        MP4 or a WebM, cut to their length. AAC and MP3 are copied into an MP4, other sound is encoded as AAC, and for a
        WebM as Opus. The other kinds of output hold no sound.
    sound_start : the moment of `sound_from` that the first frame shows, in seconds from its first video frame: the
        timestamp that `ClipReader` gave with that frame.
    overwrite : replace an output that exists. Of folders only those are replaced that hold nothing but frames.
    comment : what the file says about itself.
    background : what transparent pictures are laid on. By default they stay transparent, which all kinds but MP4 can be
        (a GIF's pixels wholly or not at all), and lie on white in MP4.
    format : of a buffer: "mp4", "webm", "gif", "webp" or "apng".
    quick : videos are encoded in less time, as well, but not as closely: for frames that do not wait.
    seal : is called with the finished file, to change it before it gets its name; its OSErrors are told as the clip's.

    Raises
    ------
    ClipError : unknown ending or format, the pictures are too large for it, the output exists, it cannot be written,
        the sound cannot be read, no frame was written, or the disc is full.
    """

    def __init__(
        self,
        target: OutputTarget,
        frame_rate: float,
        size: Size,
        sound_from: InputSource | None = None,
        sound_start: float = 0.0,
        overwrite: bool = False,
        comment: str = GENERATED_COMMENT,
        background: Colour | None = None,
        format: str | None = None,
        quick: bool = False,
        seal: Callable[[Path], None] | None = None,
    ) -> None:
        self._name, self._ending = name_and_ending(target, format, tuple(KINDS), "clip", ClipError)
        if not 0.0 < frame_rate <= 1000.0:
            raise ClipError(
                f"cannot write {self._name} at {frame_rate} frames a second; give a rate such as 25"
            )
        if min(size) < 1:
            raise ValueError(f"a clip's size must be positive, not {size}")
        check_sides(self._name, size, self._ending)
        self.size = size
        self.frames_written = 0
        self.has_sound = False
        self._rate = exact_rate(frame_rate)
        self._sound_from, self._sound_start = sound_from, sound_start
        self._comment, self._background, self._quick, self._seal = comment, background, quick, seal
        self._output = open_output(
            target, self._ending, overwrite, ClipError, is_frame if self._ending == "" else None
        )
        self._sound: SoundTrack | None = None
        self._encoder: Encoder | None = None
        self._channels: int | None = None  # of every frame, known from the first on
        self._stack: ExitStack | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._output)
            codec = KINDS[self._ending].sound
            if self._sound_from is not None and codec is not None:
                file = InputFile.of(self._sound_from, ClipError, "a clip or an audio file", "the sound")
                self._sound = open_sound(file, self._sound_start, codec)
                if self._sound is not None:
                    stack.callback(self._sound.close)
            self.has_sound = self._sound is not None
            stack.callback(self._close_encoder)
            self._stack = stack.pop_all()
        return self

    def write(self, picture: np.ndarray) -> None:
        """Append a frame, uint8 of the clip's size: (height, width, 3) RGB, or (height, width, 4) with opacity, which
        either all frames of a clip have or none."""
        width, height = self.size
        if picture.shape not in ((height, width, 3), (height, width, 4)) or picture.dtype != np.uint8:
            raise ValueError(
                f"a frame must be uint8 of shape {(height, width, 3)} or {(height, width, 4)}, not "
                f"{picture.dtype} {picture.shape}"
            )
        if self._channels not in (None, picture.shape[2]):
            raise ValueError("either all frames of a clip have opacity or none")
        if self._stack is None:
            raise ValueError("the clip is not open: use ClipWriter as a context manager")
        self._channels = picture.shape[2]
        if self._background is not None or not KINDS[self._ending].transparent:
            picture = on_background(picture, self._background or BACKGROUND)
        with self._naming_the_output():
            if self._encoder is None:
                self._encoder = open_encoder(
                    self._output.temporary,
                    self._ending,
                    self._rate,
                    self.size,
                    self._sound,
                    self._comment,
                    transparent=picture.shape[2] == 4,
                    quick=self._quick,
                )
            self._encoder.write(picture)
        self.frames_written += 1

    @contextmanager
    def _naming_the_output(self) -> Iterator[None]:
        """Errors of the encoder become a `ClipError` that names the output."""
        try:
            yield
        except _writing_errors() as reason:
            raise self._output.failure(reason) from reason

    def _close_encoder(self) -> None:
        """Let go of the files. What fails here failed before, or concerns a file about to be removed."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            with suppress(*_writing_errors()):
                encoder.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stack is not None
        with self._stack:
            if kind is not None:
                return
            if self._encoder is None:
                raise ClipError(f"{self._name} was not written: there is not one frame to write")
            with self._naming_the_output():
                self._encoder.finish()
            self._close_encoder()
            if self._seal is not None:
                with self._naming_the_output():
                    self._seal(self._output.temporary)
            self._output.commit()

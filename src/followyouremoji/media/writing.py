"""Writing clips: MP4 and WebM with sound, GIF, WebP, animated PNG or a folder of PNGs, whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.files import AtomicOutput
from followyouremoji.media.encoders import Encoder, open_encoder
from followyouremoji.media.kinds import CLIP_ENDINGS, KINDS, clip_ending, is_frame
from followyouremoji.media.pictures import BACKGROUND, Colour, check_file, on_background
from followyouremoji.media.provenance import GENERATED_COMMENT
from followyouremoji.media.sound import open_sound


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


def check_sides(path: Path, size: tuple[int, int]) -> None:
    """Raise ClipError where pictures of `size` (width, height) are too large for a clip of `path`'s ending."""
    ending = clip_ending(path)
    largest = KINDS[ending].largest_side if ending in KINDS else None
    if largest is not None and max(size) > largest:
        raise ClipError(
            f"cannot write {path}: its pictures would be {size[0]}x{size[1]} pixels, and {ending} holds at most {largest} a side; give a "
            "name without an ending, for a folder of PNGs, or use smaller pictures"
        )


class ClipWriter:
    """A clip being written, as a context manager: `with ClipWriter(...) as writer: writer.write(picture)`.

    The output appears in its place when the block ends well; on an error or Ctrl-C nothing of it stays, and an
    older output stays as it was. Where frames take time to make, `prefetch` makes the next while one is encoded.

    Parameters
    ----------
    path : ends in .mp4 (H.264, yuv420p; odd sides get one more row or column), .webm (VP9), .gif, .webp or .apng; a
        path without an ending is a folder, of frame_000000.png and so on.
    frame_rate : frames a second.
    size : (width, height) of every picture.
    sound_from : a clip or audio file whose sound goes beside the frames of an MP4 or a WebM, cut to their length. AAC
        and MP3 are copied into an MP4, other sound is encoded as AAC, and for a WebM as Opus. The other kinds of output
        hold no sound.
    sound_start : the moment of `sound_from` that the first frame shows, in seconds from its first video frame: the
        timestamp that `ClipReader` gave with that frame.
    overwrite : replace an output that exists. Of folders only those are replaced that hold nothing but frames.
    comment : what the file says about itself.
    transparent : whether the pictures have opacity, which all kinds but MP4 keep; GIF only whether there is any.
    background : what transparent pictures are laid on; by default white, where the file cannot keep their opacity.

    Raises
    ------
    ClipError : unknown ending, the pictures are too large for it, the output exists, it cannot be written, the sound
        cannot be read, no frame was written, or the disc is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame_rate: float,
        size: tuple[int, int],
        sound_from: str | os.PathLike[str] | None = None,
        sound_start: float = 0.0,
        overwrite: bool = False,
        comment: str = GENERATED_COMMENT,
        transparent: bool = False,
        background: Colour | None = None,
    ) -> None:
        self.path = Path(path)
        self.size = size
        self.frames_written = 0
        self._ending = clip_ending(self.path)
        if self._ending not in KINDS:
            raise ClipError(
                f"cannot write {self.path}: a clip's name must end in one of {', '.join(CLIP_ENDINGS)}, or in nothing "
                "for a folder of PNGs"
            )
        if not 0.0 < frame_rate <= 1000.0:
            raise ClipError(
                f"cannot write {self.path} at {frame_rate} frames a second; give a rate such as 25"
            )
        if min(size) < 1:
            raise ValueError(f"a clip's size must be positive, not {size}")
        check_sides(self.path, size)
        self._transparent = transparent and background is None and KINDS[self._ending].transparent
        self._background = background or BACKGROUND
        self._rate = exact_rate(frame_rate)
        self._sound_from = None if sound_from is None else Path(sound_from)
        self._sound_start = sound_start
        self._comment = comment
        self._output = AtomicOutput(self.path, overwrite, ClipError, is_frame if self._ending == "" else None)
        self._encoder: Encoder | None = None
        self._stack = ExitStack()
        self.has_sound = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._output)
            sound = None
            codec = KINDS[self._ending].sound
            if self._sound_from is not None and codec is not None:
                check_file(self._sound_from, ClipError, "a clip or an audio file")
                sound = open_sound(self._sound_from, self._sound_start, codec)
                if sound is not None:
                    stack.callback(sound.close)
            with self._naming_the_output():
                self._encoder = open_encoder(
                    self._output.temporary,
                    self._ending,
                    self._rate,
                    self.size,
                    sound,
                    self._comment,
                    self._transparent,
                )
            self.has_sound = sound is not None
            stack.callback(self._close_encoder)
            self._stack = stack.pop_all()
        return self

    def write(self, picture: np.ndarray) -> None:
        """Append a frame, uint8 of the clip's size: (height, width, 3) RGB, or (height, width, 4) with opacity, which
        it must have in a transparent clip."""
        width, height = self.size
        shapes = [(height, width, channels) for channels in ((4,) if self._transparent else (3, 4))]
        if picture.shape not in shapes or picture.dtype != np.uint8:
            expected = " or ".join(map(str, shapes))
            raise ValueError(
                f"a frame must be uint8 of shape {expected}, not {picture.dtype} {picture.shape}"
            )
        if self._encoder is None:
            raise ValueError("the clip is not open: use ClipWriter as a context manager")
        with self._naming_the_output():
            opaque = picture.shape[2] == 4 and not self._transparent
            self._encoder.write(on_background(picture, self._background) if opaque else picture)
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
        if encoder is None:
            return
        with suppress(*_writing_errors()):
            encoder.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is not None or self._encoder is None:
                return
            if self.frames_written == 0:
                raise ClipError(f"{self.path} was not written: there is not one frame to write")
            with self._naming_the_output():
                self._encoder.finish()
            self._close_encoder()
            self._output.commit()

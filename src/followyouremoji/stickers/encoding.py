"""Writing a sticker: the best file that a service takes, searched for by what really comes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from followyouremoji.errors import UserError
from followyouremoji.files import atomic_output
from followyouremoji.media.pictures import resize_picture
from followyouremoji.media.writing import exact_rate
from followyouremoji.provenance.record import GENERATED_COMMENT
from followyouremoji.stickers import apng, gif, webm, webp
from followyouremoji.stickers.checking import StickerFacts, read_facts, violations
from followyouremoji.stickers.clip import Clip, Level, Picture
from followyouremoji.stickers.services import StickerFormat

LEVELS: dict[str, Callable[[Clip], list[Level]]] = {
    "webm": webm.levels,
    "webp": webp.levels,
    "apng": apng.levels,
    "gif": gif.levels,
}
_THINNING = (Fraction(1), Fraction(3, 4), Fraction(2, 3), Fraction(1, 2), Fraction(2, 5), Fraction(1, 3))
"""Shares of the frames that are tried, while there are `_LEAST_RATE` a second."""
_LEAST_RATE = 8  # frames a second, below which motion falls into pictures
_SURELY = 1.05  # times the limit: what is expected to have more bytes is not tried
_MOST_ENCODINGS = 8  # of one number of frames at one size


class StickerError(UserError):
    """A sticker cannot be written as a service wants it."""


@dataclass(frozen=True)
class Attempt:
    """One file that was encoded on the way: its frames' (width, height), their number, how, and its bytes."""

    size: tuple[int, int]
    frames: int
    words: str
    bytes: int


@dataclass(frozen=True)
class Written:
    """A sticker that was written.

    Attributes
    ----------
    path : of the file.
    facts : what its decoding showed.
    quality : in words, how it is encoded.
    tried : all that was encoded to find it, in order.
    """

    path: Path
    facts: StickerFacts
    quality: str
    tried: tuple[Attempt, ...]


def write_sticker(
    frames: Sequence[np.ndarray],
    rate: float,
    format: StickerFormat,
    output: Path,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
    comment: str = GENERATED_COMMENT,
) -> Written:
    """Write the best file of a format that its service takes: whole, or not at all.

    The best quality under the limit is searched for at the full number of frames first, then with ever fewer of them,
    spread evenly over the same time, then, where the format allows it, with smaller sides.

    Parameters
    ----------
    frames : uint8 (height, width, 4), RGBA with straight opacity, of a size that the format takes.
    rate : frames a second.
    output : its name ends as the format's files do.
    overwrite : whether a file that is there may be replaced.
    progress : is given what is about to be tried, in words.
    comment : what the file says about itself, within its limit of bytes.

    Raises
    ------
    StickerError : the frames cannot become such a sticker, the limit cannot be met, or the file cannot be written.
    """
    import av

    _check(frames, rate, format, output)
    with atomic_output(output, overwrite, StickerError, av.FFmpegError) as temporary:
        search = _Search(format, temporary, progress or (lambda words: None), comment)
        quality = search.run(frames, exact_rate(rate))
        facts = read_facts(temporary)
        wrong = violations(facts, format)
        if search.transparent and not facts.transparent:
            wrong.append("its transparency was lost")
        if wrong:
            raise StickerError(f"cannot write {output} as a {format.title}: {'; '.join(wrong)}")
    return Written(output, facts, quality, tuple(search.tried))


def _check(frames: Sequence[np.ndarray], rate: float, format: StickerFormat, output: Path) -> None:
    if not frames:
        raise StickerError(f"cannot write {output}: there is not one frame to write")
    height, width = frames[0].shape[:2]
    if any(frame.shape != (height, width, 4) or frame.dtype != np.uint8 for frame in frames):
        raise ValueError("a sticker's frames must be uint8 (height, width, 4), all of one size")
    if not 0.0 < rate <= 1000.0:
        raise StickerError(f"cannot write {output} at {rate} frames a second; give a rate such as 25")
    if output.suffix.lower() != format.ending:
        raise StickerError(f"cannot write {output}: the name of a {format.title} must end in {format.ending}")
    if not format.takes((width, height)):
        raise StickerError(
            f"cannot write {output}: its pictures have {width}x{height} pixels, and a {format.title} has "
            f"{format.sides_in_words()}"
        )
    seconds = len(frames) / rate
    if len(frames) < format.least_frames:
        raise StickerError(
            f"cannot write {output}: a {format.title} has at least {format.least_frames} frames, not {len(frames)}; "
            "use a longer motion"
        )
    if (
        format.max_seconds is not None
        and played_seconds(format, Fraction(seconds)) > format.max_seconds + 1e-6
    ):
        raise StickerError(
            f"cannot write {output}: it would last {seconds:.2f} s, and a {format.title} lasts at most "
            f"{format.max_seconds:g}; use a shorter motion"
        )


def played_seconds(format: StickerFormat, seconds: Fraction) -> Fraction:
    """How long one round of `seconds` lasts as a format asks for it: as long, or the nearest whole seconds."""
    return Fraction(max(1, round(seconds))) if format.whole_seconds else seconds


class _Search:
    """The search for the best file of a format; the best one so far lies at `path`."""

    def __init__(
        self, format: StickerFormat, path: Path, progress: Callable[[str], None], comment: str
    ) -> None:
        self._format, self._path, self._progress, self._comment = format, path, progress, comment
        self._start: int | None = None  # the level that was best before
        self.tried: list[Attempt] = []
        self.transparent = False

    def run(self, frames: Sequence[np.ndarray], rate: Fraction) -> str:
        """Write the best file; returns how it is encoded, in words."""
        format = self._format
        seconds = played_seconds(format, len(frames) / rate)
        loops = format.loops(float(seconds))
        known = (format.aim_bytes, format.max_bytes)
        limits: list[float] = [limit for limit in known if limit is not None] or [math.inf]
        clips = (
            Clip(
                [pictures[index * len(frames) // count] for index in range(count)],
                seconds,
                loops,
                self._comment,
            )
            for pictures in self._scaled(frames)
            for count in self._counts(len(frames), seconds)
        )
        least = 0.0  # bytes of a frame's pixel, at the worst fair level of the clip before
        for clip in clips:
            self.transparent = clip.transparent
            # Fewer frames differ more from one to the next, and smaller ones from pixel to pixel.
            if least * len(clip) * math.prod(clip.size) > _SURELY * limits[-1]:
                continue
            levels = [level for level in LEVELS[format.container](clip) if level.fair]
            for limit in limits:
                found = self._best(clip, levels, limit)
                if found is not None:
                    return found.words
            least = self.tried[-1].bytes / (len(clip) * math.prod(clip.size))
        # The last clip is the shortest of the smallest.
        poor = [level for level in LEVELS[format.container](clip) if not level.fair]
        found = self._best(clip, poor, limits[-1])
        if found is None:
            raise StickerError(self._failure())
        return found.words

    def _scaled(self, frames: Sequence[np.ndarray]) -> Iterator[list[Picture]]:
        """The frames as they are, then with ever smaller sides, as far as the format allows that."""
        yield [Picture(frame) for frame in frames]
        side = frames[0].shape[0]
        for smaller in self._format.smaller:
            if smaller < side:
                yield [Picture(resize_picture(frame, (smaller, smaller))) for frame in frames]

    def _counts(self, frames: int, seconds: Fraction) -> list[int]:
        """Numbers of frames to try, the most first."""
        format = self._format
        most = float(frames)
        if format.max_rate is not None:
            most = min(most, format.max_rate * float(seconds))
        if format.least_frame_ms:
            most = min(most, 1000 * float(seconds) / format.least_frame_ms)
        if format.max_frames is not None:
            most = min(most, format.max_frames)
        whole = max(1, int(most + 1e-6))
        least = max(format.least_frames, min(whole, math.ceil(_LEAST_RATE * seconds)))
        counts = (max(least, round(whole * share)) for share in _THINNING)
        return sorted({whole, *counts}, reverse=True)

    def _best(self, clip: Clip, levels: list[Level], limit: float) -> Level | None:
        """The first of the levels whose file is within the limit, by a search that takes their bytes to fall."""
        too_large, fits = -1, len(levels)
        known: dict[int, float] = {}
        guess = 0 if math.isinf(limit) else len(levels) // 3 if self._start is None else self._start
        for _ in range(_MOST_ENCODINGS):
            index = min(max(guess, too_large + 1), fits - 1)
            size = self._encode(clip, levels[index], limit)
            known[index] = math.log(size)
            if size <= limit:
                fits = index
            else:
                too_large = index
            if fits - too_large <= 1 or math.isinf(limit):
                break
            guess = _next(known, len(levels), math.log(limit), too_large, fits)
        if fits == len(levels):
            return None
        self._start = fits
        return levels[fits]

    def _encode(self, clip: Clip, level: Level, limit: float) -> int:
        """The bytes of the clip at a level; the file takes the place of the best one where it is within the limit."""
        self._progress(f"{level.words}, {len(clip)} frames of {clip.size[0]}x{clip.size[1]}")
        candidate = self._path.with_name(f"candidate{self._path.suffix}")
        level.write(candidate)
        size = candidate.stat().st_size
        self.tried.append(Attempt(clip.size, len(clip), level.words, size))
        if size <= limit:
            candidate.replace(self._path)
        return size

    def _failure(self) -> str:
        smallest = min(self.tried, key=lambda attempt: attempt.bytes)
        return (
            f"the animation does not fit into a {self._format.title}: {len(self.tried)} files were tried, down to "
            f"{smallest.frames} frames of {smallest.size[0]}x{smallest.size[1]} as {smallest.words}, and the smallest "
            f"has {smallest.bytes} bytes of {self._format.max_bytes}; a shorter motion, a calmer one, or a plain "
            "ground or none would help"
        )


_WHOLE_FALL = 1.5  # of the logarithm of the bytes from the first level to the last, where only one is known


def _next(known: dict[int, float], levels: int, target: float, too_large: int, fits: int) -> int:
    """The level to try next, strictly between those that are known to be too large and to fit.

    It is the one whose bytes are likely to reach the target first, by the line through both. Every other time it is the
    middle of them, since that line may lead in small steps; and where one of them is not known yet, the far end.
    """
    if too_large < 0 or fits == levels:
        if len(known) > 1:
            return 0 if too_large < 0 else levels - 1
        slope, begin = -_WHOLE_FALL / levels, max(too_large, 0) if fits == levels else fits
    elif len(known) % 2:
        return (too_large + fits) // 2
    else:
        slope, begin = min((known[fits] - known[too_large]) / (fits - too_large), -1e-6), too_large
    place = math.ceil(begin + (target - known[begin]) / slope)
    return min(max(place, too_large + 1), fits - 1)

"""A clip's own clock: when each frame is shown and for how long, whatever a container claims about rates and lengths.

It comes from the packets of the file alone: their presentation times, the order in which they lie there, and the places
where those times break (joined recordings, clocks that jump). Such breaks are closed for pictures and sound alike, so
that what was seen and heard together stays together. Times are seconds; arrays are NumPy's; nothing here reads a file.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

ASSUMED_RATE = 25.0
"""Frames a second where nothing tells: a single frame, or raw video without times."""
LEAST_GENERATED, MOST_GENERATED = 1.0, 60.0
"""Frames a second; fewer or more are generated only where they are asked for."""

_STANDARD_RATES = np.array(
    [
        *(5, 6, 7.5, 8, 10, 12, 12.5, 15, 16, 18, 20, 24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50),
        *(60000 / 1001, 60, 72, 90, 100, 120000 / 1001, 120, 144, 200, 240000 / 1001, 240, 300, 480, 960),
    ]
)
_HIGHEST_RATE = float(_STANDARD_RATES[-1])
_SNAP = 0.01  # a rate this near to a standard one, as a share of it, stands for that
_NEAR = 0.5  # seconds; longer intervals are pauses, and tell nothing of the rate
_ON_GRID = 0.12  # of an interval, by which regular frames may miss their place
_CLOCK_STEP = 0.0011  # seconds by which containers that count milliseconds miss it
_FILLED = 1 / 3  # share of intervals that are one step of a grid

_FALL = {
    "dts": 0.1,
    "pts": 1.0,
}  # seconds by which times may fall in a file: only presentation times are reordered
_PAUSE = 1.0  # seconds; shorter jumps of both pictures and sound are held frames and silence
_ABSURD = 60.0  # seconds in which nothing is seen or heard
_BREAK_OF_SOUND = 0.1  # seconds by which sound that goes on may miss the end of what was before
_SILENT = 0.1  # share of a jump that is heard at most where the sound jumps too

Picture = TypeVar("Picture")


@dataclass(frozen=True)
class Clock:
    """When the frames of a clip are shown: `times` (n,) rising from 0, and `durations` (n,), both seconds.

    Each frame is shown until the next; the last for a duration of its own.
    """

    times: np.ndarray
    durations: np.ndarray

    @staticmethod
    def of(times: np.ndarray, last: float | None = None) -> "Clock":
        """The clock of frames shown at `times`; the last one is held for `last` seconds, by default as long as is
        usual."""
        times = np.asarray(times, np.float64)
        return Clock(times, np.append(np.diff(times), last or 1.0 / natural_rate(times)))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def end(self) -> float:
        """When the last frame is no longer shown."""
        return float(self.times[-1] + self.durations[-1])

    @property
    def frame_rate(self) -> float:
        """Frames a second at which no frame is lost, see `natural_rate`."""
        return natural_rate(self.times)

    def begun_at(self, frame: int) -> "Clock":
        """The clock of a clip whose first frames are left out."""
        return Clock(self.times[frame:] - self.times[frame], self.durations[frame:])


def natural_rate(times: np.ndarray) -> float:
    """The constant rate at which frames shown at rising `times` (seconds) are best played.

    Regular frames lie on a grid, of which some places may be empty (held and dropped frames, clips of two rates): it is
    the grid's rate, at which none is lost. Of irregular frames (recordings of browsers and screens) it is that of the
    second that holds most of them, pauses left out. Where a standard rate is within a hundredth, it is that; slide
    shows have a multiple of theirs, once a second at least.
    """
    intervals = np.diff(times)
    intervals = intervals[intervals > 1e-6]
    if not len(intervals):
        return ASSUMED_RATE
    near = intervals[intervals < _NEAR]
    near = near if len(near) else intervals
    rate = _rate_of_grid(near)
    on_grid = rate is not None
    rate = min(rate or _rate_of_densest_second(near), _HIGHEST_RATE)
    nearest = float(_STANDARD_RATES[np.abs(_STANDARD_RATES - rate).argmin()])
    if abs(nearest - rate) <= _SNAP * nearest:
        return nearest
    return float(rate * np.ceil(1.0 / rate)) if on_grid else float(np.ceil(rate))


def _rate_of_grid(intervals: np.ndarray) -> float | None:
    step = float(np.percentile(intervals, 10))
    for _ in range(2):
        steps = np.maximum(np.rint(intervals / step), 1.0)
        step = float(intervals.sum() / steps.sum())
    misses = np.abs(intervals - steps * step) > max(_CLOCK_STEP, _ON_GRID * step)
    # A grid as fine as the clock itself holds all that comes: most places of a true one are filled.
    return None if misses.mean() > 0.05 or (steps == 1).mean() < _FILLED else 1.0 / step


def _rate_of_densest_second(intervals: np.ndarray) -> float:
    times = np.concatenate([[0.0], np.cumsum(intervals)])
    ends = np.searchsorted(times, times + min(1.0, times[-1]) - 1e-6)
    begins = np.flatnonzero(ends < len(times))
    ends = ends[begins]
    return float(((ends - begins) / (times[ends] - times[begins])).max())


def generated_rate(natural: float, wanted: float | None = None) -> float:
    """The rate at which frames are generated: the one `wanted`, else the clip's own; above 60 frames a second the
    largest whole fraction of that which is not (240 and 120 become 60, 100 becomes 50), below 1 frame a second 1."""
    if wanted is not None:
        return wanted
    return max(LEAST_GENERATED, natural / max(1.0, np.ceil(natural / MOST_GENERATED - 1e-6)))


def places_in(seconds: float, frame_rate: float) -> int:
    """How many frames of a constant rate last as long as `seconds`, to half a frame; one at least."""
    return max(1, int(np.ceil(seconds * frame_rate - 0.5 - 1e-4)))


def resample(
    frames: Iterable[tuple[float, float, Picture]], frame_rate: float, start: float | None = None
) -> Generator[tuple[float, Picture], None, None]:
    """Frames repeated or left out so that they come at a constant rate.

    Takes (seconds, duration, picture), and yields the regular times from `start` on, by default the first frame's, each
    with the picture shown in the middle of its place: the latest that begins before the place is half over. A frame is
    held until the next one, the last for its own duration, so that the result lasts as long as the frames did, to half
    a place. Holds two frames at a time.
    """
    shown = 0
    before: tuple[float, Picture] | None = None
    end = 0.0
    for time, duration, picture in frames:
        start = time if start is None else start
        while before is not None and start + (shown + 0.5) / frame_rate <= time + 1e-6:
            yield start + shown / frame_rate, before[1]
            shown += 1
        before, end = (time, picture), max(end, time + duration)
    if before is None or start is None:
        return
    for place in range(shown, max(shown, places_in(end - start, frame_rate))):
        yield start + place / frame_rate, before[1]


@dataclass(frozen=True)
class Packets:
    """The packets of one stream in the order in which they lie in the file; arrays (n,), times in seconds.

    `pts` and `dts` are when a packet is shown and when it is decoded, nan where the file does not say; `shown` is False
    for those that are decoded for others only.
    """

    pts: np.ndarray
    dts: np.ndarray
    durations: np.ndarray
    shown: np.ndarray

    def __len__(self) -> int:
        return len(self.pts)

    def __getitem__(self, part: slice) -> "Packets":
        return Packets(self.pts[part], self.dts[part], self.durations[part], self.shown[part])

    @property
    def ends(self) -> np.ndarray:
        """When each is no longer shown or heard, as far as it says so itself."""
        return self.pts + self.durations


@dataclass(frozen=True)
class Segment:
    """A part of a file whose times go on without a break, shown from `start` to `end` by the file's clock, and `shift`
    seconds later by the clip's."""

    start: float
    end: float
    shift: float


@dataclass(frozen=True)
class Schedule:
    """The picture stream on the clip's clock.

    Attributes
    ----------
    clock : of the frames, in the order in which they are shown.
    ranks : (packets,) int, which of the clock's frames a packet holds, -1 for none.
    by_time : whether `ranks` are known; else packets carry no order of their own and frames come as they are decoded,
        each at the place of its packet, less the decoder's delay.
    segments : in the order of the file.
    """

    clock: Clock
    ranks: np.ndarray
    by_time: bool
    segments: tuple[Segment, ...]

    def begun_at(self, frame: int) -> "Schedule":
        """The schedule of a clip whose first frames are left out, because they cannot be decoded."""
        late = float(self.clock.times[frame])
        segments = tuple(Segment(one.start, one.end, one.shift - late) for one in self.segments)
        ranks = np.maximum(self.ranks - frame, -1)
        return Schedule(self.clock.begun_at(frame), ranks, self.by_time, segments)

    @property
    def breaks(self) -> int:
        """How often the file's times break."""
        return len(self.segments) - 1


def schedule(
    pictures: Packets, sounds: Iterable[Packets], timed: bool, assumed_rate: float
) -> Schedule | None:
    """The clock of a file's pictures; None where no packet holds one.

    Parameters
    ----------
    sounds : the sound streams, which tell a jump of the file's clock from a frame that is held.
    timed : whether presentation times can be believed (they cannot in AVI and raw streams).
    assumed_rate : frames a second where packets say nothing, not even how long they last.
    """
    shown = pictures.shown & (np.isfinite(pictures.pts) if timed else np.ones(len(pictures), bool))
    by_time = timed and len(np.unique(pictures.pts[shown])) >= 0.5 * pictures.shown.sum()
    if not by_time:
        shown = pictures.shown
        pictures = _in_decoding_order(pictures, assumed_rate)
    numbers = np.flatnonzero(shown)
    if not len(numbers):
        return None
    pts, durations = pictures.pts[numbers], pictures.durations[numbers]
    runs: list[np.ndarray] = []
    rising = list(pairwise([0, *_falls(pictures, numbers, by_time), len(numbers)]))
    beside = [_heard_beside(sound, len(rising)) for sound in sounds]
    for place, (first, after) in enumerate(rising):
        in_order = first + np.argsort(pts[first:after], kind="stable")
        runs += np.split(in_order, _jumps(pts[in_order], [parts[place] for parts in beside]))
    usual = 1.0 / natural_rate(pts[max(runs, key=len)])

    segments: list[Segment] = []
    times: list[np.ndarray] = []
    reached = last = 0.0
    for run in runs:
        begin, last = float(pts[run[0]]), float(durations[run[-1]])
        last = last if 0.5 * usual <= last <= _ABSURD else usual
        end = float(pts[run[-1]]) + last
        segments.append(Segment(begin, end, reached - begin))
        times.append(pts[run] + (reached - begin))
        reached += end - begin
    ranks = np.full(len(pictures), -1)
    ranks[numbers[np.concatenate(runs)]] = np.arange(len(numbers))
    return Schedule(Clock.of(np.concatenate(times), last), ranks, by_time, tuple(segments))


def _in_decoding_order(pictures: Packets, assumed_rate: float) -> Packets:
    """The packets with the times at which they are decoded for those at which they are shown."""
    times = pictures.dts
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        steps = pictures.durations
        steps = steps if (steps > 0).all() else np.full(len(pictures), 1.0 / assumed_rate)
        times = np.cumsum(steps) - steps
    return Packets(times, times, pictures.durations, pictures.shown)


def _falls(pictures: Packets, numbers: np.ndarray, by_time: bool) -> list[int]:
    """Where, among the packets `numbers`, times fall back: the clock began anew."""
    which = "dts" if np.isfinite(pictures.dts[numbers]).mean() > 0.5 else "pts"
    falls: list[int] = []
    latest = -np.inf
    for at, time in enumerate(getattr(pictures, which)[numbers] if by_time else ()):
        if time < latest - _FALL[which]:
            falls.append(at)
            latest = time
        latest = max(latest, time)
    return falls


def _heard_beside(sound: Packets, runs: int) -> list[Packets]:
    """What of a sound belongs to each of so many parts of the pictures, between which times fall: its own parts where
    they fall as often, else all of it."""
    parts = list(pairwise([0, *_falls(sound, np.arange(len(sound)), True), len(sound)]))
    return [sound[slice(*part)] for part in parts] if len(parts) == runs else [sound] * runs


def _jumps(times: np.ndarray, sounds: list[Packets]) -> list[int]:
    """Where rising times jump ahead."""
    wide = np.flatnonzero(np.diff(times) > _PAUSE)
    return [at + 1 for at in wide if _is_jump(float(times[at]), float(times[at + 1]), sounds)]


def _is_jump(before: float, after: float, sounds: list[Packets]) -> bool:
    """Whether nothing is heard while nothing new is seen, and either that is absurdly long or the sound goes on
    then."""
    quiet, goes_on = True, False
    for sound in sounds:
        heard = np.clip(np.minimum(sound.ends, after) - np.maximum(sound.pts, before), 0.0, None)
        quiet &= float(np.nansum(heard)) <= _SILENT * (after - before)
        goes_on |= bool((sound.pts < before).any() and (sound.ends > after).any())
    return quiet and (goes_on or after - before > _ABSURD)


def place_sound(sound: Packets, segments: tuple[Segment, ...]) -> np.ndarray:
    """(packets,) seconds by which each packet of a sound stream is later by the clip's clock than by the file's.

    Sound goes over into the next segment where its own times break towards it.
    """
    shifts = np.empty(len(sound))
    at = 0
    expected: float | None = None
    for number, (begin, end) in enumerate(zip(sound.pts, sound.ends, strict=True)):
        if np.isfinite(begin):
            if expected is not None and abs(begin - expected) > _BREAK_OF_SOUND:
                at = _segment_of(begin, segments, at, fell=begin < expected)
            expected = end
        shifts[number] = segments[at].shift
    return shifts


def _segment_of(time: float, segments: tuple[Segment, ...], at: int, fell: bool) -> int:
    """The first segment from `at` on (beyond it, where times `fell`) that `time` lies in, or a pause before it; else
    the first that it lies a pause behind; else `at`."""
    for behind in (_BREAK_OF_SOUND, _PAUSE):
        for number in range(at + fell, len(segments)):
            if segments[number].start - _PAUSE <= time <= segments[number].end + behind:
                return number
    return at

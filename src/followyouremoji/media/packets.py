"""What lies in a video file: its streams, which of them are of use, and the times of their packets. Nothing is decoded,
but the first piece of a sound, to know that it can be.

A file is looked through once (`scan`), and the answer kept while the file stays as it is; pictures and sound are then
read with the same `Schedule`, and so stay together.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.media.headers import check_samples
from followyouremoji.media.inputs import InputFile, remembered
from followyouremoji.media.pictures import LARGEST_PIXELS
from followyouremoji.media.timing import ASSUMED_RATE, Packets, Schedule, place_sound, schedule

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,av1,obu,ivf,flv,asf,ogg,mxf,nut,dv,gif,"
    "yuv4mpegpipe,mp3,aac,wav,w64,flac,aiff,caf,amr,ac3,eac3"
)
"""What FFmpeg reads here, by its names. None of them leads to another file, as playlists do, nor to a device."""
BOUNDS = {"max_pixels": str(LARGEST_PIXELS)}
"""Of FFmpeg's decoders: a frame of more is not decoded, whatever the file's header says."""
MOST_PACKETS = 10_000_000  # a day of video at 60 frames a second with its sound

_UNTIMED_FORMATS = ("avi", "h264", "hevc", "m4v", "mpegvideo")
"""In these, packets carry at most the order in which they are decoded."""
_PATCHY_FORMAT = "mpegts"  # made for bad lines, and marked corrupt where two recordings are joined
_UNPROMISING_FORMATS = ("mpegts", "mpeg")
"""These do not say how long they are: FFmpeg estimates it from the last times, which may have begun anew."""
_LOST_END = 0.5  # seconds that may lack at the end before a file is called cut off
_MOST_ERRORS = 1000  # of reading, after which a file is given up
_STEP_KEPT = 0.04  # seconds, about one frame
_TRIED_PACKETS = 50  # of sound, until one must decode
_DEFAULT, _ATTACHED = 1, 1024  # FFmpeg's dispositions of a stream
_INVISIBLE_CODECS = ("vp8",)  # whose pictures that are only referred to lie in packets of their own
_VP8_SHOWN = 0x10  # RFC 6386, section 9.1


@dataclass(frozen=True)
class Sound:
    """The sound stream that is used: its index in the file, its packets, and the seconds that each lasts by its codec,
    0 where that does not say."""

    index: int
    packets: Packets
    step: float

    def shifts(self, plan: Schedule | None) -> np.ndarray:
        """(packets,) seconds by which each packet is later by the clip's clock than by the file's."""
        return np.zeros(len(self.packets)) if plan is None else place_sound(self.packets, plan.segments)

    def is_whole(self, plan: Schedule | None) -> bool:
        """Whether who joins the packets as they come, without a look at their times, keeps step."""
        if not np.isfinite(self.packets.pts).all() or len(np.unique(self.shifts(plan))) > 1:
            return False
        if not (np.diff(self.packets.pts) > 0).all():  # which no file that is written may say
            return False
        step = self.step or float(np.median(self.packets.durations))
        slips = self.packets.pts - self.packets.pts[0] - step * np.arange(len(self.packets))
        return bool((np.abs(slips) <= _STEP_KEPT).all())


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    pictures : index of the picture stream, None where there is none.
    schedule : of its packets; None where there are none to show.
    keys : numbers of the packets from which decoding can begin.
    sound : None where there is none that can be decoded.
    silent : how many sound streams would have been preferred to that, but cannot be decoded.
    damage : why the file ends before its clip does, in words; None where it does not.
    """

    pictures: int | None
    schedule: Schedule | None
    keys: np.ndarray
    sound: Sound | None
    silent: int
    damage: str | None

    def packet_before(self, rank: int) -> int:
        """The number of the packet to begin with, for all frames from `rank` on to be decoded rightly.

        One key frame more than needed: pictures beside the next one may refer to what is before it.
        """
        if self.schedule is None or not self.schedule.by_time:
            return 0
        ranks = self.schedule.ranks[self.keys]
        before = self.keys[(ranks >= 0) & (ranks <= rank)]
        return int(before[-2]) if len(before) > 1 else 0


def open_container(file: InputFile) -> "InputContainer":
    """The file as FFmpeg opens it, where it is of one of `FORMATS`; raises `ClipError`."""
    import av

    place: Any = file.open() if file.path is None else f"file:{file.path}"
    allowed = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        check_samples(file, ClipError)
        return av.open(place, "r", options=BOUNDS, container_options=allowed, **_leniency())
    except (av.FFmpegError, OSError, ValueError) as reason:
        raise ClipError(
            f"{file} cannot be read as a clip: it is not a video of a kind that is read, or damaged or cut off "
            f"({in_words(reason)})"
        ) from reason


def _leniency() -> dict[str, Any]:
    """Tags that are no UTF-8 must not cost the clip: before version 19 PyAV takes this as an option."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def in_words(reason: Exception) -> str:
    """What an error of FFmpeg says."""
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def is_patchy(container: "InputContainer") -> bool:
    """Whether packets of which something is missing are still worth decoding."""
    return container.format.name == _PATCHY_FORMAT


def packets(container: "InputContainer", *streams: Any) -> Iterator["Packet"]:
    """The packets of some streams, by default of all, in the order of the file; places that cannot be read are passed
    over."""
    import av

    errors = 0
    while True:
        try:
            for packet in container.demux(*streams):
                if packet.size:
                    yield packet
            return
        except IndexError:  # PyAV's at the end, where a damaged file has shown another stream on the way
            return
        except (av.FFmpegError, OSError):
            errors += 1
            if errors >= _MOST_ERRORS:
                return


@remembered
def scan(file: InputFile) -> Contents:
    """Look through a file; raises `ClipError` where FFmpeg cannot open it."""
    with open_container(file) as container:
        candidates = _picture_streams(container)
        are_hidden, whole_only = (
            {one.index: _hidden_test(one) for one in candidates},
            not is_patchy(container),
        )
        seen: dict[int, _Seen] = {}
        for number, packet in enumerate(packets(container)):
            if number == MOST_PACKETS:
                raise ClipError(
                    f"{file} has more than {MOST_PACKETS // 1_000_000} million frames; cut it into parts"
                )
            index = packet.stream_index
            hidden = index in are_hidden and (are_hidden[index](packet) or (packet.is_corrupt and whole_only))
            seen.setdefault(index, _Seen()).add(packet, hidden)
        # A cover need not be marked as one.
        moving = (one for one in candidates if one.index in seen and len(seen[one.index]) > 1)
        stream = next(moving, candidates[0] if candidates else None)
        pictures = None if stream is None else stream.index
        listed = {index: one.packets() for index, one in seen.items()}
        for one in container.streams.audio:
            if one.index in listed:
                listed[one.index] = _without_pauses(listed[one.index])
        plan, keys = None, np.zeros(0, int)
        if stream is not None and stream.index in listed:
            keys = np.flatnonzero(seen[stream.index].keys)
            rate = float(stream.average_rate or stream.guessed_rate or 0.0)
            plan = schedule(
                _from_first_key(listed[stream.index], seen[stream.index].keys),
                [listed[one.index] for one in container.streams.audio if one.index in listed],
                timed=container.format.name not in _UNTIMED_FORMATS,
                assumed_rate=rate if 0.0 < rate <= 1000.0 else ASSUMED_RATE,
            )
        damage = _damage(container, stream, seen, listed, plan)
        preferred = sorted(container.streams.audio, key=lambda one: not int(one.disposition) & _DEFAULT)
        steps = {one.index: _seconds_of_a_packet(one) for one in preferred}
    audible = [index for index in steps if index in listed]
    chosen = next((index for index in audible if _decodes(file, index)), None)
    if chosen is None:
        return Contents(pictures, plan, keys, None, len(audible), damage)
    sound = Sound(chosen, listed[chosen], steps[chosen])
    return Contents(pictures, plan, keys, sound, audible.index(chosen), damage)


def _seconds_of_a_packet(sound: Any) -> float:
    codec = sound.codec_context
    return codec.frame_size / codec.sample_rate if codec is not None and codec.sample_rate else 0.0


def _without_pauses(sound: Packets) -> Packets:
    """Sound whose packets last as long as they are heard: MP4 counts what is missing after one to its duration."""
    most = 2.0 * float(np.median(sound.durations))
    return Packets(sound.pts, sound.dts, np.minimum(sound.durations, most), sound.shown)


class _Seen:
    """The packets of a stream, as they are met."""

    def __init__(self) -> None:
        self._times = array("d")
        self._shown, self.keys = array("b"), array("b")
        self.ends_corrupt = False

    def add(self, packet: "Packet", hidden: bool) -> None:
        base = float(packet.time_base or 0)
        times = (packet.pts, packet.dts, packet.duration or 0)
        self._times.extend(np.nan if time is None else time * base for time in times)
        self._shown.append(not (packet.is_discard or hidden))
        self.keys.append(packet.is_keyframe)
        self.ends_corrupt = packet.is_corrupt

    def __len__(self) -> int:
        return len(self._shown)

    def packets(self) -> Packets:
        pts, dts, durations = np.array(self._times).reshape(-1, 3).T
        return Packets(pts, dts, durations, np.array(self._shown, bool))


def _picture_streams(container: "InputContainer") -> list[Any]:
    """The streams of pictures: not a text that FFmpeg would render, not the cover of a piece of music; those that the
    file marks as its default come first."""
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None
        and stream.codec_context.name != "ansi"
        and not int(stream.disposition) & _ATTACHED
    ]
    return sorted(streams, key=lambda stream: not int(stream.disposition) & _DEFAULT)


def _hidden_test(stream: Any) -> Callable[["Packet"], bool]:
    """Whether a packet of the stream holds a picture that is never shown itself."""
    if stream.codec_context.name not in _INVISIBLE_CODECS:
        return lambda packet: False
    return lambda packet: not memoryview(packet)[0] & _VP8_SHOWN


def _from_first_key(pictures: Packets, keys: "array[int]") -> Packets:
    """Packets before the first key frame show nothing that can be decoded."""
    shown = pictures.shown.copy()
    if any(keys):
        shown[: keys.index(1)] = False
    return Packets(pictures.pts, pictures.dts, pictures.durations, shown)


def _damage(
    container: "InputContainer",
    stream: Any,
    seen: dict[int, _Seen],
    listed: dict[int, Packets],
    plan: Schedule | None,
) -> str | None:
    if stream is None or stream.index not in seen:
        return None
    if not is_patchy(container) and seen[stream.index].ends_corrupt:
        return "it ends within a frame"
    index = stream.index_entries
    if "mp4" in container.format.name.split(",") and len(index):
        last = index[-1]
        return "its end is missing" if last.pos + last.size > container.size else None
    if container.format.name in _UNPROMISING_FORMATS:
        return None
    ends = [float(np.nanmax(one.ends)) for one in listed.values() if np.isfinite(one.ends).any()]
    if plan is not None:  # whose times may have fallen back
        ends.append(plan.clock.end)
    promised = (container.duration or 0) / 1e6
    if container.format.name == "avi":  # its header counts the places of frames, of which some may be empty
        promised = max(promised, float(stream.frames * (stream.time_base or 0)))
    return "its end is missing" if ends and max(ends) < promised - _LOST_END else None


def _decodes(file: InputFile, index: int) -> bool:
    import av

    with open_container(file) as container:
        stream = container.streams[index]
        if stream.codec_context is None:
            return False
        for packet in islice(packets(container, stream), _TRIED_PACKETS):
            try:
                if packet.decode():
                    return True
            except (av.FFmpegError, ValueError):
                continue
    return False

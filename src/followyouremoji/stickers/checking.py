"""What an animated file really holds, found by decoding it, and what a service would refuse of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from followyouremoji.errors import ClipError
from followyouremoji.media.decoding import picture_decoder
from followyouremoji.media.kinds import Size
from followyouremoji.media.pictures import DECODING_ERRORS
from followyouremoji.stickers.services import ENDLESS, StickerFormat

_KINDS = {"WEBP": "webp", "GIF": "gif", "PNG": "apng"}  # by Pillow's names
_CODECS = {"webm": "vp9", "webp": "webp", "gif": "gif", "apng": "apng"}
_CLOCK_STEP = {"webm": 0.001, "webp": 0.001, "gif": 0.01, "apng": 0.0}  # seconds that times are rounded to


@dataclass(frozen=True)
class StickerFacts:
    """What a file was found to hold.

    Attributes
    ----------
    container, codec : such as "webm" and "vp9"; they are the same for animated pictures.
    size : (width, height) of the decoded frames, in pixels.
    bytes : of the file.
    times : how long each frame is shown, in seconds.
    transparent : whether a decoded pixel of some frame is not fully opaque.
    loops : how often it is played; 0 for ever, None where the container has no word for it (WebM).
    sound : whether there is a sound track.
    """

    container: str
    codec: str
    size: Size
    bytes: int
    times: tuple[float, ...]
    transparent: bool
    loops: int | None
    sound: bool

    @property
    def frames(self) -> int:
        return len(self.times)

    @property
    def seconds(self) -> float:
        """Of one round."""
        return sum(self.times)

    @property
    def rate(self) -> float:
        """Frames a second, on average."""
        return self.frames / self.seconds if self.seconds else 0.0


def read_facts(path: Path) -> StickerFacts:
    """Decode every frame of a WebM, WebP, GIF or PNG, animated or not, and say what was found.

    Raises
    ------
    ClipError : the file cannot be read or decoded, or is of another kind.
    """
    facts, _ = _decoded(path, keep=False)
    return facts


def read_frames(path: Path) -> list[np.ndarray]:
    """Every decoded frame of such a file, uint8 (height, width, 4) with straight opacity. Raises as `read_facts`."""
    return _decoded(path, keep=True)[1]


def _decoded(path: Path, keep: bool) -> tuple[StickerFacts, list[np.ndarray]]:
    import av

    try:
        with path.open("rb") as file:
            begin = file.read(64)
        if begin[:4] == b"\x1aE\xdf\xa3":  # EBML
            return _decoded_video(path, begin, keep)
        return _decoded_animation(path, keep)
    except UnidentifiedImageError as reason:
        raise ClipError(f"{path} is no WebM, WebP, GIF or PNG; give the file of a sticker") from reason
    except (*DECODING_ERRORS, av.FFmpegError) as reason:
        raise ClipError(f"{path} cannot be read as a sticker: {reason}; write it again") from reason


def _decoded_animation(path: Path, keep: bool) -> tuple[StickerFacts, list[np.ndarray]]:
    times, frames, transparent = list[float](), list[np.ndarray](), False
    with Image.open(path, formats=tuple(_KINDS)) as image:
        kind = _KINDS[str(image.format)]
        if kind == "apng" and not getattr(image, "is_animated", False):
            kind = "png"
        first = int(getattr(image, "n_frames", 1) > 1 and image.info.get("default_image", False))
        for index, shown in enumerate(ImageSequence.Iterator(image)):
            frame = np.asarray(shown.convert("RGBA"))
            if index < first:
                continue
            times.append(float(shown.info.get("duration", 0.0) or 0.0) / 1000)
            transparent |= bool((frame[..., 3] < 255).any())
            if keep:
                frames.append(frame)
        # A GIF that says nothing is played once.
        loops = int(image.info.get("loop", 1 if kind == "gif" else ENDLESS))
        size = image.size
    facts = StickerFacts(kind, kind, size, path.stat().st_size, tuple(times), transparent, loops, False)
    return facts, frames


def _decoded_video(path: Path, begin: bytes, keep: bool) -> tuple[StickerFacts, list[np.ndarray]]:
    import av

    starts, frames, transparent = list[float](), list[np.ndarray](), False
    with av.open(f"file:{path}") as container:
        if not container.streams.video:
            raise ClipError(f"{path} holds no video; give the file of a sticker")
        stream = container.streams.video[0]
        codec, sound = stream.codec_context.name, bool(container.streams.audio)
        end = float((container.duration or 0) / av.time_base)
        decoder = picture_decoder(stream)
        for packet in container.demux(stream):
            # The packet without bytes, at the end, has the decoder give what it still holds.
            for frame in decoder.decode(packet if packet.size else None):
                starts.append(float(frame.pts * stream.time_base))
                opaque = not any(component.is_alpha for component in frame.format.components)
                shown = frame.reformat(format="rgba").to_ndarray()
                transparent |= not opaque and bool((shown[..., 3] < 255).any())
                size = (frame.width, frame.height)
                if keep:
                    frames.append(shown)
    if not starts:
        raise ClipError(f"{path} is damaged: not one frame of it can be decoded; write it again")
    times = tuple(float(time) for time in np.diff([*starts, max(end, starts[-1])]))
    kind = "webm" if b"webm" in begin else "matroska"
    return StickerFacts(kind, codec, size, path.stat().st_size, times, transparent, None, sound), frames


def violations(facts: StickerFacts, format: StickerFormat) -> list[str]:
    """What a service would refuse of a file: sentences without a full stop, none where all is well."""
    return list(_violations(facts, format))


def _violations(facts: StickerFacts, format: StickerFormat) -> Iterator[str]:
    codec = _CODECS[format.container]
    if (facts.container, facts.codec) != (format.container, codec):
        yield f"it is {facts.codec} in {facts.container}, not {codec} in {format.container}"
    if not format.takes(facts.size):
        yield f"it has {facts.size[0]}x{facts.size[1]} pixels, not {format.sides_in_words()}"
    if format.max_bytes is not None and facts.bytes > format.max_bytes:
        yield f"it has {facts.bytes} bytes, more than {format.max_bytes}"
    if facts.sound:
        yield "it has sound"
    if format.needs_transparency and not facts.transparent:
        yield "nothing of it is transparent"
    if format.max_loops == ENDLESS and facts.loops not in (ENDLESS, None):
        yield f"it is played {_times(facts.loops)}, not endlessly"
    if format.max_loops != ENDLESS and not 1 <= (facts.loops or 0) <= format.max_loops:
        yield f"it is played {_times(facts.loops)}, not 1 to {format.max_loops} times"
    yield from _violations_of_time(facts, format)


def _violations_of_time(facts: StickerFacts, format: StickerFormat) -> Iterator[str]:
    # Times are written in whole steps of the container's clock.
    step = _CLOCK_STEP[format.container] + 1e-6
    if facts.frames < format.least_frames:
        yield f"it has fewer than {format.least_frames} frames: {facts.frames}"
    if format.max_frames is not None and facts.frames > format.max_frames:
        yield f"it has {facts.frames} frames, more than {format.max_frames}"
    if format.max_seconds is not None and facts.seconds > format.max_seconds + 1e-6:
        yield f"it lasts {facts.seconds:.3f} s, longer than {format.max_seconds:g}"
    if format.whole_seconds and abs(facts.seconds - round(facts.seconds)) > step:
        yield f"it lasts {facts.seconds:.3f} s, no whole number of seconds"
    if format.max_rate is not None and facts.frames / (facts.seconds + step) > format.max_rate:
        yield f"it has {facts.rate:.2f} frames a second, more than {format.max_rate:g}"
    if facts.times and 1000 * min(facts.times) < format.least_frame_ms - 1e-3:
        yield f"a frame is shown for {1000 * min(facts.times):g} ms, less than {format.least_frame_ms:g}"
    rounds = facts.seconds * (facts.loops or 0)
    if format.max_play_seconds is not None and rounds > format.max_play_seconds + step:
        yield f"it plays for {rounds:.3f} s in all, longer than {format.max_play_seconds:g}"


def _times(loops: int | None) -> str:
    return {ENDLESS: "endlessly", None: "an unknown number of times", 1: "once"}.get(loops, f"{loops} times")

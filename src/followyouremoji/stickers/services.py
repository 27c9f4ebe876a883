"""What messengers and chats take as animated stickers and emoji, in one table with its sources.

Where sources differ, the stricter limit stands. KB means 1024 bytes where a service's own code or page says so, and
1000 where it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from followyouremoji.media.kinds import Size

Container = Literal["webm", "webp", "apng", "gif"]
Sides = Literal["exact", "longest", "square", "within", "any"]
ENDLESS = 0
"""Loops of an animation that is played until it is stopped."""

_KIB = 1024
_KB = 1000


@dataclass(frozen=True)
class IconFormat:
    """A picture that stands for a pack: PNG of exactly `size` (width, height), of at most `max_bytes`, which moves
    as the stickers do where it is `animated`."""

    name: str  # of the file, without its ending
    size: Size
    max_bytes: int
    animated: bool = False


@dataclass(frozen=True)
class PackFormat:
    """What a pack of a service's stickers consists of.

    Attributes
    ----------
    counts : numbers of stickers that a pack may have.
    icons : pictures beside the stickers; none where one of the stickers stands for the pack.
    title_length : letters of the pack's title, at most; None where no bound is documented.
    source : address of the service's page.
    """

    counts: tuple[int, ...]
    icons: tuple[IconFormat, ...]
    title_length: int | None
    source: str


@dataclass(frozen=True)
class StickerFormat:
    """A kind of animated file that a service takes. None stands for "no limit".

    Attributes
    ----------
    name, title : as users write it, and as messages call it.
    container, ending : of the file; an APNG is named .png where the service asks for that.
    size : (width, height) in pixels that is made.
    sides : which other sizes are taken. "exact": none; "longest": the longer side is that of `size`, the other at
        most; "square": squares of at most `size`; "within": at most `size`; "any": all sizes. The longer side is at
        least `least_side`.
    smaller : of a "square" format, the sides that a file may shrink to where it does not fit otherwise.
    max_bytes : of the file. `aim_bytes`, where it differs: kept to where that costs no frames.
    max_seconds : of one round of the animation; `whole_seconds`: it lasts 1, 2, 3... seconds exactly.
    max_rate, least_frame_ms : frames a second, and how long the shortest frame is shown.
    least_frames, max_frames : their number.
    needs_transparency : whether a file without transparent pixels is refused.
    outlined : whether the service asks for a white outline.
    max_loops : `ENDLESS`, or how often the animation is played at most; all rounds last `max_play_seconds` at most.
    source, checked : address of where this is documented, and the day when it was read there.
    pack : what a pack consists of; None where stickers are uploaded one by one.
    """

    name: str
    title: str
    container: Container
    ending: str
    size: Size
    sides: Sides
    source: str
    checked: str
    least_side: int = 1
    smaller: tuple[int, ...] = ()
    max_bytes: int | None = None
    aim_bytes: int | None = None
    max_seconds: float | None = None
    whole_seconds: bool = False
    max_rate: float | None = None
    least_frame_ms: float = 0.0
    least_frames: int = 1
    max_frames: int | None = None
    needs_transparency: bool = False
    outlined: bool = False
    max_loops: int = ENDLESS
    max_play_seconds: float | None = None
    pack: PackFormat | None = None

    def takes(self, size: Size) -> bool:
        """Whether files of `size` (width, height) are taken."""
        longest, largest = max(size), max(self.size)
        if longest < self.least_side:
            return False
        match self.sides:
            case "exact":
                return size == self.size
            case "longest":
                return longest == largest
            case "square":
                return size[0] == size[1] <= largest
            case "within":
                return size[0] <= self.size[0] and size[1] <= self.size[1]
        return True

    def sides_in_words(self) -> str:
        """Which sizes are taken, for a message."""
        width, height = self.size
        match self.sides:
            case "exact":
                return f"exactly {width}x{height} pixels"
            case "longest":
                return f"one side of {max(self.size)} pixels, the other no longer"
            case "square":
                least = f"{self.least_side} to " if self.least_side > 1 else "at most "
                return f"a square of {least}{width} pixels a side"
            case "within":
                return f"at most {width}x{height} pixels, with one side of at least {self.least_side}"
        return "any size"

    def fitting(self, size: Size) -> Size:
        """The size (width, height) to make of pictures of `size`: the shape is kept where the sides allow it, and the
        picture has then to be centred in what they ask for where they do not."""
        if self.sides in ("exact", "square"):
            return self.size
        if self.sides == "any" and max(size) <= max(self.size):
            return size
        scale = min(self.size[0] / size[0], self.size[1] / size[1])
        width, height = (max(1, round(side * scale)) for side in size)
        return width, height

    def loops(self, seconds: float) -> int:
        """How often an animation of `seconds` is to be played; `ENDLESS` for ever."""
        if self.max_loops == ENDLESS or self.max_play_seconds is None:
            return self.max_loops
        return max(1, min(self.max_loops, int(self.max_play_seconds / seconds + 1e-6)))


_TELEGRAM = "https://core.telegram.org/stickers/webm-vp9-encoding"
_TELEGRAM_PACK = PackFormat(
    tuple(range(1, 121)),
    (IconFormat("icon", (100, 100), 128 * _KB),),
    64,
    "https://core.telegram.org/bots/api#setstickersetthumbnail",
)
_WHATSAPP = (
    "https://github.com/WhatsApp/stickers/blob/main/Android/app/src/main/java/com/example/samplestickerapp/"
    "StickerPackValidator.java"
)
_WHATSAPP_PACK = PackFormat(tuple(range(3, 31)), (IconFormat("tray", (96, 96), 50 * _KIB),), 128, _WHATSAPP)
_SIGNAL = "https://support.signal.org/hc/en-us/articles/360031836512-Stickers"
_SIGNAL_PACK = PackFormat(tuple(range(1, 201)), (), None, _SIGNAL)
_DISCORD = "https://discord.com/developers/docs/resources/sticker#create-guild-sticker"
_DISCORD_EMOJI = "https://discord.com/developers/docs/resources/emoji"
_SLACK = "https://slack.com/help/articles/206870177-Add-custom-emoji-and-aliases-to-your-workspace"
_APPLE = "https://developer.apple.com/design/human-interface-guidelines/imessage-apps-and-stickers"
_LINE = "https://creator.line.me/en/guideline/animationsticker/"
_LINE_PACK = PackFormat(
    (8, 16, 24),
    (IconFormat("main", (240, 240), 300 * _KB, animated=True), IconFormat("tab", (96, 74), 300 * _KB)),
    40,
    _LINE,
)
_READ = "2026-11-30"

_FORMATS = (
    StickerFormat(
        "telegram",
        "Telegram video sticker",
        "webm",
        ".webm",
        (512, 512),
        "longest",
        _TELEGRAM,
        _READ,
        max_bytes=256 * _KB,
        max_seconds=3.0,
        max_rate=30.0,
        pack=_TELEGRAM_PACK,
    ),
    StickerFormat(
        "whatsapp",
        "WhatsApp sticker",
        "webp",
        ".webp",
        (512, 512),
        "exact",
        _WHATSAPP,
        _READ,
        max_bytes=500 * _KIB,
        max_seconds=10.0,
        least_frame_ms=8.0,
        outlined=True,
        least_frames=2,  # of one frame it is a still sticker, which may have 100 KB only
        pack=_WHATSAPP_PACK,
    ),
    StickerFormat(
        "signal",
        "Signal sticker",
        "apng",
        ".png",
        (512, 512),
        "square",
        _SIGNAL,
        _READ,
        smaller=(448, 384, 320, 256),
        max_bytes=300 * _KIB,
        max_seconds=3.0,
        pack=_SIGNAL_PACK,
    ),
    StickerFormat(
        "discord",
        "Discord sticker",
        "apng",
        ".png",
        (320, 320),
        "exact",
        _DISCORD,
        _READ,
        max_bytes=512 * _KB,
        max_seconds=5.0,
        max_rate=60.0,
    ),
    StickerFormat(
        "discord-emoji",
        "Discord emoji",
        "gif",
        ".gif",
        (128, 128),
        "square",
        _DISCORD_EMOJI,
        _READ,
        smaller=(112, 96, 64),
        max_bytes=256 * _KIB,
        least_frame_ms=20.0,
    ),
    StickerFormat(
        "slack",
        "Slack emoji",
        "gif",
        ".gif",
        (128, 128),
        "square",
        _SLACK,
        _READ,
        smaller=(112, 96, 64),
        max_bytes=128 * _KB,
        aim_bytes=64 * _KB,
        least_frame_ms=20.0,
        max_frames=50,
    ),
    StickerFormat(
        "imessage",
        "iMessage sticker",
        "apng",
        ".png",
        (408, 408),
        "square",
        _APPLE,
        _READ,
        least_side=300,
        smaller=(300,),
        max_bytes=500 * _KB,
    ),
    StickerFormat(
        "line",
        "LINE animated sticker",
        "apng",
        ".png",
        (320, 270),
        "within",
        _LINE,
        _READ,
        least_side=270,
        max_bytes=300 * _KB,
        max_seconds=3.0,
        whole_seconds=True,
        least_frames=5,
        max_frames=20,
        needs_transparency=True,
        max_loops=3,
        max_play_seconds=3.0,
        pack=_LINE_PACK,
    ),
    StickerFormat(
        "gif",
        "GIF",
        "gif",
        ".gif",
        (512, 512),
        "any",
        "https://www.w3.org/Graphics/GIF/spec-gif89a.txt",
        _READ,
        least_frame_ms=20.0,  # browsers show shorter ones for a tenth of a second
    ),
    StickerFormat(
        "webp",
        "animated WebP",
        "webp",
        ".webp",
        (512, 512),
        "any",
        "https://developers.google.com/speed/webp/docs/riff_container",
        _READ,
    ),
    StickerFormat(
        "apng",
        "animated PNG",
        "apng",
        ".apng",
        (512, 512),
        "any",
        "https://www.w3.org/TR/png-3/#apng-frame-based-animation",
        _READ,
    ),
)

SERVICES: dict[str, StickerFormat] = {one.name: one for one in _FORMATS}
"""By the name that users write."""

"""Captions: white letters with a dark outline, in any script that a font of this computer has letters for.

Pillow draws the text; where it comes with Raqm, letters are shaped and ordered as their script wants it: Arabic ones
are joined, and what is read from right to left stands so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from followyouremoji.errors import UserError, some_of

Place = Literal["top", "bottom"]

MOST_LINES = 2
LARGEST, LEAST = 0.13, 0.06  # sizes of letters, of the shorter side of the picture
ONE_LINE = 0.75  # of the largest size: where one line fits in that, the text is not broken into two
LEAST_PIXELS = 11  # below, letters cannot be read
OUTLINE = 0.09  # its width, of the size of the letters
MARGIN = 0.02  # of the shorter side, between the outline and the picture's edge
LINE_PITCH = 1.1  # of the height of a line

LETTERS, DARK = (255, 255, 255), (24, 24, 28)
FONT_ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
NOT_A_LETTER = (
    "\U0010ffff"  # which Unicode will never assign: what a font shows for it, it shows for all it lacks
)
SHAPED_BLOCKS = (
    (0x0590, 0x10A0),
    (0x1780, 0x1800),
    (0x1900, 0x1C80),
    (0xA800, 0xAC00),
    (0xFB1D, 0xFE00),
)
"""Code points of scripts whose letters are reordered, joined or stacked: Hebrew to Burmese, Khmer, others of Asia."""

PREFERRED_FONTS = ("arialbd", "arial bold", "segoeuib", "helveticaneue", "notosans-bold", "dejavusans-bold")
_PLAINER = ("italic", "oblique", "mono", "condensed", "narrow", "light", "thin", "serif")
_PICTURES = ("symbol", "ding", "emoji", "icon", "math", "music")
_UNSEEN = ("Zs", "Zl", "Zp", "Cc", "Cf")  # Unicode's categories of blanks and of marks that steer
_LAST_RESORT = "lastresort"  # fonts that show the block of a letter in its stead


class CaptionError(UserError):
    """A caption cannot be drawn: it is too long, or no font has its letters."""

    def __init__(self, message: str, *, font: bool = False) -> None:
        """`font`: whether the font is what to change."""
        super().__init__(message, settings=("caption", "font") if font else ("caption",))


def draw_caption(
    size: tuple[int, int], text: str, place: Place = "bottom", font: Path | None = None
) -> np.ndarray:
    """A caption in one or two lines, as large as fits, up to `LARGEST`.

    Parameters
    ----------
    size : (width, height) of the picture that it will lie on, in pixels.
    text : a line break in it breaks the lines there; other space counts as one blank.
    place : at which edge it stands.
    font : a file to use instead of the first of this computer's that has all letters.

    Returns
    -------
    uint8 (height, width, 4), straight colours and opacity.

    Raises
    ------
    CaptionError : nothing to write, more than fits at a size that can be read, letters that the font, or every font,
        lacks, or a script that needs Raqm where Pillow has none; the font is missing or is none.
    """
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise CaptionError("the caption is empty; leave it out, or write something")
    _check_shaping(text)
    path = _given_font(font, text) if font is not None else find_font(text)
    lines, drawn_font = _fitted(text, path, size)
    return _drawn(lines, drawn_font, size, place, _direction(text))


def find_font(text: str) -> Path:
    """The first font of this computer, bold ones without serifs before others, that has all letters of a text.

    Raises CaptionError where there is none.
    """
    letters = _letters(text)
    fewest: str | None = None
    for path in font_files():
        lacking = _lacking(path, letters)
        if not lacking:
            return path
        if fewest is None or len(lacking) < len(fewest):
            fewest = lacking
    if fewest is None:
        raise CaptionError(
            "no font was found on this computer; name a font file (TTF or OTF) for the caption", font=True
        )
    raise CaptionError(
        f"no font of this computer has all letters of the caption: {_named(fewest)} would be missing in the best one; "
        "name a font file (TTF or OTF) that has them",
        font=True,
    )


@cache
def font_files() -> tuple[Path, ...]:
    """The fonts of this computer in the order in which they are tried: those that fontconfig lists where it is
    installed, what lies in the system's usual folders, and the fonts that matplotlib brings."""
    found = {str(path.resolve()): path for path in chain(_listed_by_fontconfig(), _in_usual_folders())}
    return tuple(
        sorted((path for path in found.values() if _LAST_RESORT not in path.stem.lower()), key=_rank)
    )


def _listed_by_fontconfig() -> Iterator[Path]:
    try:
        listed = subprocess.run(
            ["fc-list", "--format", "%{file}\n"], capture_output=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return
    for line in os.fsdecode(listed.stdout).splitlines():
        if line.lower().endswith(FONT_ENDINGS):
            yield Path(line)


def _in_usual_folders() -> Iterator[Path]:
    for folder in _usual_folders():
        yield from (path for path in folder.rglob("*") if path.suffix.lower() in FONT_ENDINGS)


def _usual_folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        folders = [Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"]
        folders += [
            Path(local) / "Microsoft/Windows/Fonts" for local in [os.environ.get("LOCALAPPDATA")] if local
        ]
    elif sys.platform == "darwin":
        folders = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    else:
        folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts"]
    matplotlib = find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        folders.append(Path(matplotlib.origin).parent / "mpl-data/fonts/ttf")
    return [folder for folder in folders if folder.is_dir()]


def _rank(path: Path) -> tuple[bool, int, int, bool, str]:
    """Sorts fonts: pictures of things last, preferred ones first, then plain and bold ones."""
    name = path.stem.lower()
    preferred = PREFERRED_FONTS.index(name) if name in PREFERRED_FONTS else len(PREFERRED_FONTS)
    plainer = sum(word in name for word in _PLAINER)
    return any(word in name for word in _PICTURES), preferred, plainer, "bold" not in name, name


def _given_font(path: Path, text: str) -> Path:
    if not path.is_file():
        raise CaptionError(f"there is no font file {path}; name another one, or none", font=True)
    lacking = _lacking(path, _letters(text))
    if lacking is None:
        raise CaptionError(f"{path} is not a font that can be used; give a TTF or OTF file", font=True)
    if lacking:
        raise CaptionError(
            f"{path} lacks letters of the caption: {_named(lacking)}; name a font that has them, or none",
            font=True,
        )
    return path


def _letters(text: str) -> str:
    """What of a text a font must show: no blanks, no marks that only steer how others are shown."""
    shown = (letter for letter in text if unicodedata.category(letter) not in _UNSEEN)
    return "".join(dict.fromkeys(letter for letter in shown if not 0xFE00 <= ord(letter) <= 0xFE0F))


def _lacking(path: Path, letters: str) -> str | None:
    """Which letters a font shows as it shows `NOT_A_LETTER`; None for what is no font of outlines."""
    try:
        font = ImageFont.truetype(str(path), 32, layout_engine=ImageFont.Layout.BASIC)
        none = _shape(font, NOT_A_LETTER)
        return "".join(letter for letter in letters if _shape(font, letter) == none)
    except (OSError, ValueError):
        return None


def _shape(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _named(letters: str) -> str:
    return some_of([f"{letter} (U+{ord(letter):04X})" for letter in letters])


def _check_shaping(text: str) -> None:
    if features.check("raqm"):
        return
    wanting = [letter for letter in text if any(first <= ord(letter) < end for first, end in SHAPED_BLOCKS)]
    if wanting:
        raise CaptionError(
            f"the caption has letters, such as {_named(wanting[0])}, that must be joined or ordered, which the installed "
            "Pillow cannot do: it comes without Raqm (python -m PIL.report says so). Install FriBiDi, or a Pillow "
            "with Raqm, or write the caption in another script"
        )


def _direction(text: str) -> str | None:
    """In which direction all lines run, by the first letter that has one (Unicode's rules P2 and P3); None without
    Raqm."""
    if not features.check("raqm"):
        return None
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return "ltr" if next(strong, "L") == "L" else "rtl"


def _fitted(text: str, path: Path, size: tuple[int, int]) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """The lines, and the font in the largest size in which they fit; one line where that is not much smaller."""
    largest, least = (max(LEAST_PIXELS, round(share * min(size))) for share in (LARGEST, LEAST))
    for most, smallest in ((1, max(least, round(ONE_LINE * largest))), (MOST_LINES, least)):
        for pixels in range(largest, smallest - 1, -1):
            font = ImageFont.truetype(str(path), pixels)
            lines = _broken(text, font, _room(size, pixels), most)
            if lines is not None:
                return lines, font
    font, room = ImageFont.truetype(str(path), least), _room(size, least)
    fitting = bisect_left(
        range(1, len(text)), True, key=lambda end: _broken(text[:end].strip(), font, room, MOST_LINES) is None
    )
    raise CaptionError(
        f"the caption has {len(text)} letters, of which about {fitting} fit into {MOST_LINES} lines at a size that can "
        "be read; shorten it"
    )


def _room(size: tuple[int, int], pixels: int) -> float:
    """Pixels that a line of letters of a size may be long, without its outline."""
    return size[0] - 2 * MARGIN * min(size) - 2 * _outline(pixels)


def _outline(pixels: float) -> int:
    return max(1, round(OUTLINE * pixels))


def _broken(text: str, font: ImageFont.FreeTypeFont, room: float, most: int) -> list[str] | None:
    """The text in lines that fit, of two the pair of most equal lengths; None where it needs more than `most`."""
    direction = _direction(text)

    def length(line: str) -> float:
        return font.getlength(line, direction=direction)

    given = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if len(given) <= most and all(length(line) <= room for line in given):
        return given
    if len(given) > 1 or most == 1:
        return None
    line = given[0]
    if length(line) > (MOST_LINES + 0.2) * room:  # the blank at the break takes no room
        return None
    pairs = [[line[:at].rstrip(), line[at:].lstrip()] for at in _breaks(line)]
    longest, best = min(((max(map(length, pair)), pair) for pair in pairs), default=(room + 1, None))
    return best if longest <= room else None


def _breaks(line: str) -> list[int]:
    """Where a line may be broken: at blanks, and between letters of scripts that are written without any."""
    return [
        at
        for at in range(1, len(line))
        if line[at] == " "
        or (
            all(unicodedata.east_asian_width(letter) in "WF" for letter in line[at - 1 : at + 1])
            and unicodedata.category(line[at])[0] in "LNS"
        )
    ]


def _drawn(
    lines: list[str], font: ImageFont.FreeTypeFont, size: tuple[int, int], place: Place, direction: str | None
) -> np.ndarray:
    width, height = size
    outline = _outline(font.size)
    boxes = [font.getbbox(line, anchor="ms", stroke_width=outline, direction=direction) for line in lines]
    pitch = LINE_PITCH * sum(font.getmetrics())
    margin = MARGIN * min(size)
    first = (
        margin - boxes[0][1] if place == "top" else height - margin - boxes[-1][3] - pitch * (len(lines) - 1)
    )
    image = Image.new("RGBA", size, (*DARK, 0))
    draw = ImageDraw.Draw(image)
    for ink, stroke in ((DARK, outline), (LETTERS, 0)):  # no outline lies on another line's letters
        for index, (line, box) in enumerate(zip(lines, boxes, strict=True)):
            middle = width / 2 - (box[0] + box[2]) / 2  # of what is seen
            draw.text(
                (round(middle), round(first + index * pitch)),
                line,
                fill=(*ink, 255),
                font=font,
                anchor="ms",
                stroke_width=stroke,
                direction=direction,
            )
    return np.array(image)

"""Colours: sRGB and OKLab, and palettes whose neighbours go together."""

import numpy as np

Colour = tuple[float, float, float]
"""sRGB in [0, 1]."""


def hex_colour(text: str) -> Colour:
    """``"#RRGGBB"`` as sRGB in [0, 1]."""
    return int(text[1:3], 16) / 255.0, int(text[3:5], 16) / 255.0, int(text[5:7], 16) / 255.0


# OKLab (Ottosson 2020): a colour space in which straight lines between skin tones stay skin tones.
_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip


def to_oklab(colour: np.ndarray) -> np.ndarray:
    """sRGB ``(..., 3)`` in [0, 1] to OKLab."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """OKLab ``(..., 3)`` to sRGB, clipped to [0, 1]."""
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def mixed(first: Colour, second: Colour, fraction: float) -> Colour:
    """A colour between two, in OKLab; ``fraction`` 0 is the first."""
    a, b = to_oklab(np.array(first)), to_oklab(np.array(second))
    r, g, blue = from_oklab(a + fraction * (b - a)).tolist()
    return r, g, blue


def toned(colour: Colour, lightness: float = 0.0, chroma: float = 1.0) -> Colour:
    """A colour lighter by ``lightness`` (OKLab L) and with its chroma scaled."""
    lab = to_oklab(np.array(colour))
    r, g, blue = from_oklab(
        np.array([np.clip(lab[0] + lightness, 0, 1), lab[1] * chroma, lab[2] * chroma])
    ).tolist()
    return r, g, blue


def palette(text: str) -> tuple[Colour, ...]:
    """Colours listed as `"#RRGGBB #RRGGBB"`."""
    return tuple(hex_colour(word) for word in text.split())


SKIN = palette("#FFE6D9 #FAD5BF #F0C3A5 #E2AC8A #CB9474 #AF795B #8F5F47 #6F4A39 #54392D")
FANTASY_SKIN = palette("#A9D8C8 #B9B4EA #9CCBEF #F3B6CF #C6DE9B #F7CF8E")
HAIR = palette(
    "#201C1C #2E2320 #42302A #5B3E2E #7A5236 #9C6B43 #C5935A #E3BE82 #F0D9A8 #A6502C #C8693A #8F8B8A #D9D6D2"
)
BRIGHT_HAIR = palette("#E8657F #7D6BD6 #3FA9A1 #4F86D9 #F08A5D #6BBF7B #D96BB8")
IRIS = palette("#5B3A22 #7A4E2A #3E2A1E #4C7A5A #5E8FB8 #3F6FA3 #7C9A6A #8A6B3C #6E7F8D")
BACKDROP = palette(
    "#F3D9C6 #CFE3E8 #D9D2EC #F6E3B4 #CDE5D0 #F2C9C9 #BFD3EA #E8E2D8 #9FB7C9 #C9B6D6 #E9B89B #8FB5A8 #5F7A94 #7A6A8C #3F4F66 #A9C7A0"
)
CLOTHES = palette(
    "#E8604C #3F6FB5 #2E3A55 #F2B84B #4FA58A #F4F1EA #7D5BA6 #D98FA8 #5B6B73 #24303A #A8C66C #C97B4A #87B7D9"
)
EMOJI_SKIN = palette("#FFD23F #FFCB2E #FFDA57 #FFC736")
FUR = palette(
    "#E39A4F #B9793F #8A5B3A #D9B382 #F0DFC4 #8C8C90 #5C5A5E #C7C3BE #3F3A3C #D8743A #A98467 #EED9B6"
)
STONE_TINTS = palette("#D8D3CA #BDB9B4 #E9E4DA #A9A49C #C9B79C #8FA39A #9AA0AA #D9C0A4 #7F8A86 #C7A08C")
METAL = palette("#B08D57 #8C6A45 #9A5F3C #C9A24B #8D8F94 #5E4A38")
WOOD = palette("#9A6A3E #7A4E2C #B98550 #5E3D27 #C79E6B")
WORN = palette(
    "#C94F4F #2F4B7C #3E7C6B #D9A441 #6F4E7C #2B2B33 #E7DCC8 #B86A8A #8A9A5B #4F7CAC #A0522D #F2EFE6"
)
LIPSTICK = palette("#C2504F #A8323E #7A2436 #D9707A #E08A7A #8E4A5E #B5655A #D64A6E #6B2A3A")
LID_COLOURS = palette("#5E4A6E #3F5F7A #7A5A3E #8A4A5A #3E6B5A #2B2B33 #B07A9A #C99A4A #4A78B0")
OLD_MASTER = palette("#3A2E24 #2A2622 #4A4030 #38423A #54463A #23282C #5E4A36 #30383F")
GREY_HAIR = palette("#8F8B8A #B9B5B0 #D9D6D2 #EDEBE7 #6E6A68")
LIGHT = (
    (1.0, 1.0, 1.0),
    (1.06, 1.0, 0.90),
    (1.10, 0.97, 0.80),
    (0.94, 1.0, 1.08),
    (1.08, 0.95, 1.0),
    (0.97, 1.04, 0.96),
)
"""What a light multiplies colours by: daylight, lamp, sunset, overcast sky, stage, shade of trees."""


def pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of a palette."""
    return colours[rng.integers(len(colours))]


def between(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """A colour on the way through a palette whose neighbours belong together."""
    place = rng.uniform(0.0, len(colours) - 1.001)
    return mixed(colours[int(place)], colours[int(place) + 1], place % 1.0)


def varied(rng: np.random.Generator, colour: Colour) -> Colour:
    """The colour a little lighter or darker, duller or richer."""
    return toned(colour, rng.uniform(-0.03, 0.03), rng.uniform(0.85, 1.1))

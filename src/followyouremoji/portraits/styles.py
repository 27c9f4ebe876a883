"""Who is drawn: identities of five styles, at random from palettes that go together."""

from dataclasses import dataclass, field, replace

import numpy as np

from .anatomy import FaceShape

STYLES = ("person", "cartoon", "emoji", "stone", "animal")

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


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two, in OKLab; ``share`` 0 is the first."""
    a, b = to_oklab(np.array(first)), to_oklab(np.array(second))
    r, g, blue = from_oklab(a + share * (b - a)).tolist()
    return r, g, blue


def toned(colour: Colour, lightness: float = 0.0, chroma: float = 1.0) -> Colour:
    """A colour lighter by ``lightness`` (OKLab L) and with its chroma scaled."""
    lab = to_oklab(np.array(colour))
    r, g, blue = from_oklab(
        np.array([np.clip(lab[0] + lightness, 0, 1), lab[1] * chroma, lab[2] * chroma])
    ).tolist()
    return r, g, blue


def _palette(text: str) -> tuple[Colour, ...]:
    return tuple(hex_colour(word) for word in text.split())


SKIN = _palette("#FFE6D9 #FAD5BF #F0C3A5 #E2AC8A #CB9474 #AF795B #8F5F47 #6F4A39 #54392D")
FANTASY_SKIN = _palette("#A9D8C8 #B9B4EA #9CCBEF #F3B6CF #C6DE9B #F7CF8E")
HAIR = _palette(
    "#201C1C #2E2320 #42302A #5B3E2E #7A5236 #9C6B43 #C5935A #E3BE82 #F0D9A8 #A6502C #C8693A #8F8B8A #D9D6D2"
)
BRIGHT_HAIR = _palette("#E8657F #7D6BD6 #3FA9A1 #4F86D9 #F08A5D #6BBF7B #D96BB8")
IRIS = _palette("#5B3A22 #7A4E2A #3E2A1E #4C7A5A #5E8FB8 #3F6FA3 #7C9A6A #8A6B3C #6E7F8D")
BACKDROP = _palette(
    "#F3D9C6 #CFE3E8 #D9D2EC #F6E3B4 #CDE5D0 #F2C9C9 #BFD3EA #E8E2D8 #9FB7C9 #C9B6D6 #E9B89B #8FB5A8 #5F7A94 #7A6A8C #3F4F66 #A9C7A0"
)
CLOTHES = _palette(
    "#E8604C #3F6FB5 #2E3A55 #F2B84B #4FA58A #F4F1EA #7D5BA6 #D98FA8 #5B6B73 #24303A #A8C66C #C97B4A #87B7D9"
)
EMOJI_SKIN = _palette("#FFD23F #FFCB2E #FFDA57 #FFC736")
STONE = _palette("#D8D3CA #BDB9B4 #E9E4DA #A9A49C #C9B79C #8FA39A #B08D57 #8C6A45 #E2CDBE #9AA0AA")
FUR = _palette(
    "#E39A4F #B9793F #8A5B3A #D9B382 #F0DFC4 #8C8C90 #5C5A5E #C7C3BE #3F3A3C #D8743A #A98467 #EED9B6"
)

HAIR_STYLES = (
    "short",
    "crop",
    "side_part",
    "bob",
    "long",
    "fringe_long",
    "bun",
    "ponytail",
    "curly",
    "afro",
    "bald",
)
COLLARS = ("round", "v", "high", "shirt", "hood")
ANIMALS = ("cat", "dog", "bear", "fox", "rabbit", "panda", "mouse")


@dataclass(frozen=True)
class Identity:
    """Everything of a drawn portrait that stays while it moves.

    Colours are sRGB in [0, 1]. `light` points to the light in camera space. `seed` decides small details such as
    freckles and locks of hair.
    """

    style: str = "person"
    shape: FaceShape = field(default_factory=FaceShape)
    skin: Colour = SKIN[2]
    hair: Colour = HAIR[3]
    iris: Colour = IRIS[0]
    lips: Colour = (0.80, 0.42, 0.40)
    clothes: Colour = CLOTHES[1]
    trim: Colour = CLOTHES[5]
    backdrop: Colour = BACKDROP[0]
    backdrop_edge: Colour = BACKDROP[1]
    accent: Colour = CLOTHES[0]
    hair_style: str = "short"
    hair_volume: float = 1.0
    hair_length: float = 8.0
    sweep: float = 0.0
    collar: str = "round"
    shoulders: float = 1.0
    ears: float = 1.0
    brow_thickness: float = 1.0
    lashes: float = 0.5
    blush: float = 0.4
    eye_shadow: float = 0.0
    freckles: bool = False
    beard: str = "none"
    glasses: str = "none"
    hat: str = "none"
    earrings: bool = False
    animal: str = "none"
    marking: float = 0.5
    light: tuple[float, float, float] = (-0.45, 0.55, 0.70)
    warmth: float = 0.0
    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    @classmethod
    def random(cls, rng: np.random.Generator, style: str | None = None) -> "Identity":
        """A random identity; without a ``style``, people and cartoons are the most frequent.

        Raises ValueError for a style that is not in `STYLES`.
        """
        if style is None:
            style = str(rng.choice(STYLES, p=(0.40, 0.26, 0.10, 0.08, 0.16)))
        if style not in STYLES:
            raise ValueError(f"style {style!r} is not one of {', '.join(STYLES)}")
        return _RANDOM[style](rng, _common(rng, style))


def _pick(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    return palette[rng.integers(len(palette))]


def _between(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    """A colour on the way through a palette whose neighbours belong together."""
    place = rng.uniform(0.0, len(palette) - 1.001)
    return mixed(palette[int(place)], palette[int(place) + 1], place % 1.0)


def _varied(rng: np.random.Generator, colour: Colour) -> Colour:
    return toned(colour, rng.uniform(-0.03, 0.03), rng.uniform(0.85, 1.1))


def _common(rng: np.random.Generator, style: str) -> Identity:
    side = rng.choice([-1.0, 1.0])
    light = np.array([side * rng.uniform(0.15, 0.75), rng.uniform(0.25, 0.75), rng.uniform(0.6, 0.9)])
    backdrop = _varied(rng, _pick(rng, BACKDROP))
    edge = toned(backdrop, rng.uniform(-0.16, -0.05), 1.15)
    if rng.random() < 0.35:
        edge = mixed(edge, _pick(rng, BACKDROP), 0.5)
    clothes = _varied(rng, _pick(rng, CLOTHES))
    unit = (light / np.linalg.norm(light)).tolist()
    return Identity(
        style=style,
        backdrop=backdrop,
        backdrop_edge=edge,
        clothes=clothes,
        trim=toned(clothes, 0.14 if sum(clothes) < 1.5 else -0.14),
        accent=_pick(rng, CLOTHES),
        collar=str(rng.choice(COLLARS)),
        shoulders=float(rng.uniform(0.88, 1.12)),
        iris=_varied(rng, _pick(rng, IRIS)),
        light=(unit[0], unit[1], unit[2]),
        warmth=float(rng.uniform(-1.0, 1.0)),
        scale=float(rng.uniform(0.93, 1.07)),
        offset=(float(rng.uniform(-0.03, 0.03)), float(rng.uniform(-0.02, 0.02))),
        seed=int(rng.integers(2**31)),
    )


def _principal(rng: np.random.Generator, spread: float) -> tuple[float, ...]:
    # The first two shapes are mostly size and camera distance: kept small.
    return tuple((rng.normal(0.0, spread, 7).clip(-1.6, 1.6) * (0.45, 0.45, 1, 1, 1, 1, 1)).tolist())


def _random_person(rng: np.random.Generator, common: Identity) -> Identity:
    skin = _between(rng, SKIN)
    dark = sum(skin) < 1.35
    feminine = rng.random() < 0.5
    pale_hair = HAIR[:5] if dark and rng.random() < 0.8 else HAIR
    hair = _pick(rng, BRIGHT_HAIR) if rng.random() < 0.08 else _varied(rng, _pick(rng, pale_hair))
    styles = (
        HAIR_STYLES[3:10]
        if feminine
        else ("short", "crop", "side_part", "short", "side_part", "curly", "bald", "afro")
    )
    worn = str(rng.choice(styles))
    lips = mixed(
        skin,
        hex_colour("#C2504F" if not dark else "#8E3B3A"),
        rng.uniform(0.45, 0.85) if feminine else rng.uniform(0.22, 0.4),
    )
    shape = FaceShape(
        principal=_principal(rng, 0.8),
        eyes=float(rng.uniform(1.3, 1.7)),
        irises=float(rng.uniform(0.98, 1.12)),
        nose=float(rng.uniform(0.74, 0.98)),
        mouth=float(rng.uniform(0.88, 1.08)),
        lips=float(rng.uniform(0.95, 1.2) if feminine else rng.uniform(0.85, 1.05)),
        width=float(rng.uniform(0.93, 1.03)),
        jaw=float(rng.uniform(0.82, 0.94) if feminine else rng.uniform(0.88, 1.0)),
        chin=float(rng.uniform(-1.0, -0.2)),
        brow_height=float(rng.uniform(0.0, 0.5)),
        smile=float(rng.uniform(0.15, 0.6)),
    )
    return replace(
        common,
        shape=shape,
        skin=skin,
        hair=hair,
        iris=IRIS[rng.integers(3)] if dark and rng.random() < 0.85 else common.iris,
        lips=lips,
        hair_style=worn,
        hair_volume=float(rng.uniform(0.8, 1.2)),
        hair_length=float(rng.uniform(6.0, 13.0)),
        sweep=float(rng.uniform(-1.0, 1.0)),
        ears=float(rng.uniform(0.9, 1.1)),
        brow_thickness=float(rng.uniform(0.6, 0.85) if feminine else rng.uniform(0.8, 1.15)),
        lashes=float(rng.uniform(0.6, 1.0) if feminine else rng.uniform(0.1, 0.3)),
        blush=float(rng.uniform(0.25, 0.7)),
        eye_shadow=float(rng.uniform(0.2, 0.7)) if feminine and rng.random() < 0.4 else 0.0,
        freckles=bool(rng.random() < 0.12 and not dark),
        beard=str(rng.choice(["none", "stubble", "full", "moustache"], p=[0.55, 0.2, 0.15, 0.1]))
        if not feminine
        else "none",
        glasses=str(rng.choice(["none", "round", "square"], p=[0.82, 0.11, 0.07])),
        hat="beanie"
        if worn in ("short", "crop", "bob", "long", "fringe_long") and rng.random() < 0.16
        else "none",
        earrings=bool(feminine and rng.random() < 0.35),
    )


def _random_cartoon(rng: np.random.Generator, common: Identity) -> Identity:
    person = _random_person(rng, common)
    shape = replace(
        person.shape,
        liveliness=1.15,
        kind="cartoon",
        principal=_principal(rng, 0.5),
        eyes=float(rng.uniform(1.8, 2.3)),
        irises=float(rng.uniform(1.0, 1.2)),
        nose=float(rng.uniform(0.5, 0.75)),
        mouth=float(rng.uniform(0.85, 1.05)),
        width=float(rng.uniform(0.95, 1.08)),
        jaw=float(rng.uniform(0.76, 0.92)),
        chin=float(rng.uniform(-1.8, -0.8)),
        brow_height=float(rng.uniform(0.2, 0.8)),
        smile=float(rng.uniform(0.3, 0.8)),
    )
    fantasy = rng.random() < 0.15
    skin = _pick(rng, FANTASY_SKIN) if fantasy else person.skin
    return replace(
        person,
        shape=shape,
        skin=skin,
        lips=mixed(skin, hex_colour("#B8485A"), float(rng.uniform(0.4, 0.75))),
        hair=_varied(rng, _pick(rng, BRIGHT_HAIR if rng.random() < 0.3 else HAIR))
        if not fantasy
        else toned(skin, -0.35, 1.2),
        blush=float(rng.uniform(0.4, 0.9)),
        brow_thickness=float(rng.uniform(0.7, 1.15)),
    )


def _random_emoji(rng: np.random.Generator, common: Identity) -> Identity:
    skin = _between(rng, EMOJI_SKIN)
    shape = FaceShape(
        eyes=float(rng.uniform(2.3, 2.9)),
        irises=float(rng.uniform(1.0, 1.2)),
        nose=0.6,
        mouth=float(rng.uniform(1.3, 1.55)),
        lips=0.8,
        chin=-1.0,
        brow_height=float(rng.uniform(0.4, 0.9)),
        smile=float(rng.uniform(0.7, 1.3)),
        flatness=1.0,
        liveliness=1.35,
        kind="emoji",
    )
    return replace(
        common,
        shape=shape,
        skin=skin,
        lips=toned(skin, -0.35, 0.8),
        hair=hex_colour("#5A3A12"),
        iris=hex_colour("#3B2412") if rng.random() < 0.6 else common.iris,
        hair_style="bald",
        brow_thickness=float(rng.uniform(0.55, 0.8)),
        scale=common.scale * 1.07,
        lashes=float(rng.choice([0.1, 0.1, 0.8])),
        blush=float(rng.uniform(0.3, 0.9)),
        glasses=str(rng.choice(["none", "round", "square"], p=[0.9, 0.05, 0.05])),
    )


def _random_stone(rng: np.random.Generator, common: Identity) -> Identity:
    person = _random_person(rng, common)
    stone = _varied(rng, _pick(rng, STONE))
    return replace(
        person,
        shape=replace(person.shape, kind="stone"),
        skin=stone,
        hair=toned(stone, -0.05),
        iris=toned(stone, -0.30),
        lips=toned(stone, -0.05),
        clothes=toned(stone, -0.03),
        trim=toned(stone, 0.03),
        hair_style=str(rng.choice(["short", "side_part", "bob", "bun", "curly", "curly", "bald", "crop"])),
        collar=str(rng.choice(["round", "v"])),
        blush=0.0,
        eye_shadow=0.0,
        freckles=False,
        beard=str(rng.choice(["none", "full"], p=[0.75, 0.25])) if person.lashes < 0.5 else "none",
        glasses="none",
        hat="none",
        earrings=False,
        lashes=0.1,
    )


def _random_animal(rng: np.random.Generator, common: Identity) -> Identity:
    animal = str(rng.choice(ANIMALS))
    fur = {
        "fox": hex_colour("#DE7B3A"), "panda": hex_colour("#F4F1EC"), "bear": hex_colour("#8D6142"),
        "mouse": hex_colour("#A7A3A6"), "rabbit": hex_colour("#DCD3CB"),
    }.get(animal, _pick(rng, FUR))  # fmt: skip
    fur = _varied(rng, fur)
    shape = FaceShape(
        principal=_principal(rng, 0.3),
        eyes=float(rng.uniform(1.7, 2.1)),
        irises=float(rng.uniform(1.3, 1.5)),
        nose=float(rng.uniform(0.85, 1.0)),
        mouth=float(rng.uniform(1.0, 1.2)),
        lips=0.75,
        width=float(rng.uniform(1.04, 1.16)),
        jaw=float(rng.uniform(0.85, 1.0)),
        chin=float(rng.uniform(-1.8, -1.0)),
        brow_height=0.4,
        smile=float(rng.uniform(0.5, 0.9)),
        liveliness=1.15,
        kind="animal",
        muzzle=float(
            {"dog": 2.2, "fox": 2.2, "bear": 1.8, "cat": 1.0, "rabbit": 1.0, "panda": 1.5, "mouse": 1.6}[
                animal
            ]
        ),
    )
    pale = mixed(fur, hex_colour("#FFFBF2"), float(rng.uniform(0.6, 0.9)))
    return replace(
        common,
        shape=shape,
        animal=animal,
        skin=fur,
        hair=toned(fur, -0.14),
        trim=pale,
        lips=mixed(pale, hex_colour("#6B4A45"), 0.35),
        iris=_pick(rng, _palette("#5B3A22 #3E2A1E #C08A2E #7CA05A #5E8FB8 #46302A")),
        hair_style="bald",
        marking=float(rng.random()),
        brow_thickness=1.0,
        lashes=0.15,
        blush=float(rng.uniform(0.0, 0.4)),
        hat="none",
    )


_RANDOM = {
    "person": _random_person,
    "cartoon": _random_cartoon,
    "emoji": _random_emoji,
    "stone": _random_stone,
    "animal": _random_animal,
}

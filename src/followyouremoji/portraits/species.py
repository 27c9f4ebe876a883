"""More kinds of animals, as data: fur, ears, markings, and what grows on their heads. `species_features` draws it.

Places and sizes are canonical centimetres, x to one side (both sides are alike) and y up: the eyes lie at (3.2, 2.5),
the nose's tip at (0, -1), the mouth at (0, -4.2), the crown at (0, 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .palettes import Colour, hex_colour, palette

Place = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A soft patch of colour on both sides of the face: it is full where `strength` times a Gaussian exceeds 1."""

    colour: str
    """"skin", "trim", or sRGB such as "#38353A"."""
    place: Place
    spread: Place
    strength: float = 1.6


@dataclass(frozen=True)
class EarKind:
    """Ears at a place (x, y, z), so broad and long, turned outwards by degrees from upright."""

    place: tuple[float, float, float]
    broad: float
    long: float
    angle: float
    shape: str = "round"
    """One of `species_features.EAR_SHAPES`."""
    colour: str = "skin"
    inside: str = "#D9A0A0"
    tuft: float = 0.0
    """Centimetres that hair stands out at the tip."""


@dataclass(frozen=True)
class Horn:
    """A curve on each side through points (x, y), so thick at its root and tip; `knob` is the radius of a ball at the
    tip."""

    points: tuple[Place, ...]
    root: float
    tip: float
    colour: str
    knob: float = 0.0


@dataclass(frozen=True)
class Species:
    """A kind of animal.

    Attributes
    ----------
    fur, trim : colours of the coat to choose from, and of what is `trim`, such as muzzle and chest
    ears : None for birds
    muzzle : centimetres that it stands out
    nose : "leather", "snout", "nostrils", "beak", "bill" or "flat"
    cheeks : colour of the fur beside the jaw
    chest : of the fur there
    outline : of the fur beside the jaw, one of `species_features.OUTLINES`
    fringe : shortest and longest tufts along the outline, centimetres
    pattern : of the coat: "none", "rosettes", "stripes", "patches" or "blotches"
    grown : what grows beside horns: some of "wool", "spines", "forelock", "mane" and "beard"
    grown_colour : of that
    width, chin : factor and centimetres by which the face differs from other animals'
    """

    fur: tuple[Colour, ...]
    trim: tuple[Colour, ...]
    ears: EarKind | None
    marks: tuple[Mark, ...] = ()
    muzzle: float = 1.4
    nose: str = "leather"
    nose_colour: str = "#2D2526"
    whiskers: bool = False
    iris: tuple[Colour, ...] = palette("#5B3A22 #3E2A1E #46302A")
    cheeks: str = "skin"
    chest: str = "trim"
    outline: str = "round"
    fringe: tuple[float, float] = (0.15, 0.65)
    pattern: str = "none"
    horns: tuple[Horn, ...] = ()
    grown: tuple[str, ...] = ()
    grown_colour: str = "#2E2620"
    width: float = 1.0
    chin: float = 0.0

    def colour(self, name: str, skin: Colour, trim: Colour) -> Colour:
        """What a colour's name means on an animal of this skin and trim."""
        return skin if name == "skin" else trim if name == "trim" else hex_colour(name)


def _muzzle(colour: str = "trim", breadth: float = 2.9, height: float = 2.2, strength: float = 1.7) -> Mark:
    return Mark(colour, (0.0, -3.9), (breadth, height), strength)


_CREAM = palette("#F6EFE2 #EFE6D6")
_LEAF = (7.4, 6.6, -3.0)

SPECIES: Mapping[str, Species] = MappingProxyType(
    {
        "wolf": Species(
            palette("#7C7F86 #6C6A6B #8E8A84"), palette("#E9E6E0 #DDD8CF"),
            EarKind((5.2, 8.6, -2.5), 2.9, 5.2, 10.0, "pointed", inside="#C9B5AA"),
            (
                Mark("#3F4047", (0.0, 8.0), (3.4, 2.6), 1.3), Mark("trim", (5.6, -2.6), (2.3, 3.0)), _muzzle(),
                Mark("trim", (2.2, 4.9), (0.9, 0.6), 1.4), Mark("#4A4A50", (0.0, 0.6), (0.9, 1.9), 1.2),
            ),
            muzzle=2.4, iris=palette("#D9A441 #C9B25A #8FB0C4"), cheeks="trim", outline="ruff",
        ),
        "leopard": Species(
            palette("#DDAA5C #E2B56E #C99648"), _CREAM,
            EarKind((6.1, 8.5, -3.0), 2.6, 3.4, 22.0, colour="#4A382A", inside="#E6CFAE"),
            (_muzzle(), Mark("trim", (3.3, 0.2), (1.6, 0.7), 1.2), Mark("trim", (2.4, 5.2), (1.0, 0.6), 1.1)),
            whiskers=True, iris=palette("#9BB07A #C0A24A #7CA05A"), pattern="rosettes", nose_colour="#8E5A55",
        ),
        "polar_bear": Species(
            palette("#F4F1E8 #EFEADC"), palette("#FBF9F3"),
            EarKind((6.6, 8.2, -3.0), 2.2, 2.7, 32.0, inside="#4B464A"), (_muzzle(strength=1.0),),
            muzzle=2.2, width=0.96,
        ),
        "red_panda": Species(
            palette("#B5562B #A34A28 #C4642F"), palette("#F7EFE4"),
            EarKind((6.4, 8.2, -2.5), 2.9, 4.2, 30.0, "pointed", "trim", "#5A2A1E"),
            (
                Mark("trim", (5.9, -1.6), (1.9, 2.2), 1.9), _muzzle(strength=2.0), Mark("trim", (2.5, 5.3), (1.2, 0.75), 1.8),
                Mark("#7A3018", (3.6, -1.6), (0.7, 2.6), 1.5),
            ),
            muzzle=1.6, outline="ruff", cheeks="trim",
        ),
        "raccoon": Species(
            palette("#85807C #77736F #938C84"), palette("#EFEBE4"),
            EarKind((6.0, 8.3, -2.8), 2.7, 3.7, 24.0, "round", "trim", "#4B4644"),
            (
                Mark("trim", (3.4, 5.2), (2.4, 0.9), 1.8), Mark("trim", (7.0, -2.0), (1.6, 2.6), 1.5), _muzzle(strength=1.9),
                Mark("#262428", (4.0, 1.9), (2.2, 1.5), 2.6), Mark("#262428", (5.4, 0.2), (1.5, 1.2), 1.6),
                Mark("#4A4644", (0.0, 2.6), (0.7, 3.4), 1.4),
            ),
            muzzle=2.0, outline="ruff", whiskers=True,
        ),
        "badger": Species(
            palette("#F1EFEA #E8E5DE"), palette("#F8F6F1"),
            EarKind((7.0, 7.4, -2.8), 1.9, 2.4, 48.0, colour="#2B2A2E", inside="#F1EFEA"),
            (
                Mark("#232226", (3.5, 2.6), (1.5, 3.6), 2.4), Mark("#232226", (4.0, 7.6), (1.5, 2.6), 2.2),
                Mark("#232226", (2.3, -0.7), (0.8, 1.2), 1.4),
            ),
            muzzle=2.2, cheeks="#D9D5CC", outline="round", width=0.97,
        ),
        "squirrel": Species(
            palette("#B9653A #A8562E #8A5A3A"), palette("#F7EBDC"),
            EarKind((4.6, 9.0, -2.6), 1.9, 4.4, 12.0, "pointed", inside="#C99A7E", tuft=2.6),
            (Mark("trim", (3.3, 2.4), (2.1, 1.7), 1.5), Mark("skin", (3.3, 2.6), (1.2, 0.8), 1.2), _muzzle(breadth=3.4), Mark("trim", (5.2, -4.6), (2.4, 1.8), 1.5)),
            whiskers=True, nose_colour="#6B3F36", width=1.04,
        ),
        "otter": Species(
            palette("#6B4A34 #5C4030 #7A5640"), palette("#DCC7A6 #E4D3B8"),
            EarKind((7.5, 5.6, -2.6), 1.5, 1.8, 62.0, inside="#4A3426"),
            (_muzzle(breadth=3.6, height=2.1, strength=2.1), Mark("trim", (4.8, -4.6), (2.8, 2.2), 1.9)),
            whiskers=True, cheeks="trim", outline="sleek", fringe=(0.05, 0.25), width=1.08, chin=0.4,
        ),
        "monkey": Species(
            palette("#5E3E2A #4A3226 #6E4C32 #7A5A3C"), palette("#F0CBA6 #E8BE98 #DDB08A"),
            EarKind((8.3, 0.6, -2.5), 2.6, 3.6, 74.0, "round", "trim", "#C98F78"),
            (
                Mark("trim", (3.1, 2.6), (2.0, 1.6), 3.4), Mark("trim", (0.0, -4.4), (3.9, 2.9), 3.6), Mark("trim", (0.0, 0.0), (2.0, 2.4), 2.6),
            ),
            muzzle=1.9, nose="flat", chest="skin", outline="sleek", fringe=(0.2, 0.7), width=0.98,
        ),
        "pig": Species(
            palette("#F2B6B4 #EDAAA6 #F5C4BC"), palette("#F7CFCB"),
            EarKind((6.0, 8.0, -1.6), 3.2, 5.0, 42.0, "floppy", inside="#E08F92"),
            (Mark("#E8948F", (4.9, -1.4), (1.5, 1.2), 0.7),),
            muzzle=1.9, nose="snout", nose_colour="#E58F90", chest="skin", outline="sleek", fringe=(0.0, 0.12), width=1.05,
        ),
        "cow": Species(
            palette("#F2EEE6 #F0E9DD"), palette("#F0C3B2 #E9B6A4"),
            EarKind((7.4, 6.4, -2.6), 1.9, 5.4, 98.0, "leaf", "#3A302C", "#E3A99B"),
            (
                Mark("#3A302C", (5.2, 3.6), (2.2, 3.6), 2.3), Mark("#F2EEE6", (0.0, 3.0), (1.3, 6.0), 2.0),
                _muzzle(breadth=3.9, height=2.7, strength=2.2),
            ),
            muzzle=2.0, nose="nostrils", chest="skin", outline="sleek", fringe=(0.0, 0.2), pattern="blotches",
            horns=(Horn(((4.2, 9.6), (6.6, 11.0), (8.0, 12.9), (7.5, 15.0)), 1.7, 0.35, "#E6DAC2"),), chin=0.6,
        ),
        "horse": Species(
            palette("#7A4A2C #5E3A26 #96603A #3E3230"), palette("#F4EFE6"),
            EarKind((3.9, 9.4, -3.0), 1.7, 5.4, 10.0, "leaf", inside="#C79A80"),
            (Mark("trim", (0.0, 2.4), (0.95, 5.2), 2.0), Mark("#7A655C", (0.0, -3.7), (3.4, 2.5), 1.6)),
            muzzle=2.4, nose="nostrils", nose_colour="#2A2020", chest="skin", outline="sleek", fringe=(0.0, 0.15),
            grown=("forelock", "mane"), grown_colour="#241C1A", width=0.9, chin=1.3,
        ),
        "zebra": Species(
            palette("#F5F3EE #EFEBE2"), palette("#F5F3EE"),
            EarKind((4.4, 9.2, -3.0), 2.0, 4.9, 14.0, "leaf", inside="#3A3638"),
            (Mark("#4E4B50", (0.0, -3.4), (3.2, 2.3), 1.7),),
            muzzle=2.4, nose="nostrils", nose_colour="#121014", chest="skin", outline="sleek", fringe=(0.0, 0.15), pattern="stripes",
            grown=("mane",), grown_colour="#242226", width=0.9, chin=1.3,
        ),
        "giraffe": Species(
            palette("#EBCB8B #E6C27C"), palette("#F3E2C0"),
            EarKind((6.3, 7.4, -3.0), 1.7, 5.0, 76.0, "leaf", inside="#D9A48A"),
            (_muzzle(breadth=3.3, height=2.6, strength=1.6), Mark("trim", (3.3, 2.4), (2.1, 1.5), 1.1)),
            muzzle=2.3, nose="nostrils", nose_colour="#6B4A34", chest="skin", outline="sleek", fringe=(0.0, 0.2), pattern="patches",
            horns=(Horn(((2.5, 10.6), (2.9, 12.8), (3.2, 14.6)), 1.5, 1.1, "#D9B06A", knob=1.0),), width=0.95, chin=0.7,
        ),
        "sheep": Species(
            palette("#F0E3D2 #3F3837 #E6D3BE"), palette("#F6ECDD"),
            EarKind((7.4, 4.6, -2.4), 1.6, 4.6, 104.0, "leaf", inside="#D9A69A"), (_muzzle(strength=0.8),),
            muzzle=1.9, nose="leather", nose_colour="#7A5A58", chest="skin", outline="sleek", fringe=(0.0, 0.2), grown=("wool",),
            grown_colour="#F7F1E5", width=0.95, chin=0.5,
        ),
        "goat": Species(
            palette("#E9E4DA #B08A66 #8C7A6A #D9CBB6"), palette("#F6F1E8"),
            EarKind((7.2, 5.8, -2.6), 1.6, 5.0, 118.0, "leaf", inside="#D9A69A"),
            (_muzzle(strength=1.2), Mark("trim", (0.0, 4.0), (1.0, 4.0), 1.0)),
            muzzle=2.1, nose_colour="#5A4644", iris=palette("#C9A24B #B58F3A"), outline="sleek", fringe=(0.05, 0.3),
            horns=(Horn(((2.4, 10.4), (3.4, 13.2), (5.6, 15.2), (8.3, 15.3), (9.8, 13.8)), 1.9, 0.4, "#8C7B66"),),
            grown=("beard",), grown_colour="#EFEAE0", width=0.92, chin=0.9,
        ),
        "deer": Species(
            palette("#B07A48 #A06C3E #BE8A58"), palette("#F6EDDF"),
            EarKind((6.6, 7.2, -2.8), 2.0, 5.6, 68.0, "leaf", inside="#F0D9C4"),
            (
                _muzzle(breadth=2.8), Mark("trim", (3.3, 2.2), (2.0, 1.5), 1.3), Mark("skin", (3.3, 2.8), (1.3, 0.9), 1.2),
                Mark("#7A4E2C", (0.0, 6.4), (1.6, 2.6), 1.0),
            ),
            muzzle=2.1, outline="sleek", fringe=(0.05, 0.3), width=0.92, chin=0.8,
            horns=(
                Horn(((2.6, 10.4), (4.0, 12.6), (6.6, 13.8), (8.6, 16.0)), 1.2, 0.35, "#8A6A48"),
                Horn(((4.2, 12.7), (4.3, 14.4), (3.7, 16.2)), 0.8, 0.3, "#8A6A48"),
                Horn(((6.5, 13.8), (6.7, 15.4), (6.2, 17.0)), 0.75, 0.3, "#8A6A48"),
            ),
        ),
        "hedgehog": Species(
            palette("#E2C7A2 #D9BA92 #EAD3B2"), palette("#F4E6CF"),
            EarKind((7.2, 6.0, -1.6), 1.9, 2.4, 52.0, inside="#B98A74"), (_muzzle(strength=1.2), Mark("#A97E58", (3.3, 2.6), (1.9, 1.5), 0.7)),
            muzzle=2.6, outline="round", fringe=(0.1, 0.4), grown=("spines",), grown_colour="#5A4230",
        ),
        "owl": Species(
            palette("#9A7350 #7E5E44 #A88A66"), palette("#EFE0C6"),
            EarKind((5.6, 9.4, -2.4), 1.5, 4.2, 30.0, "pointed", inside="#6A4C36", tuft=1.6),
            (
                Mark("#5E4430", (3.7, 2.2), (3.1, 3.2), 2.2), Mark("trim", (3.6, 2.2), (2.4, 2.5), 2.8),
                Mark("trim", (0.0, -4.6), (3.6, 2.6), 1.6), Mark("#5E4430", (0.0, 6.6), (1.0, 2.6), 1.8),
            ),
            muzzle=0.8, nose="beak", nose_colour="#D9A03A", iris=palette("#E8A52A #F0B93A #D98A1E"), outline="round",
            fringe=(0.2, 0.5), pattern="feathers", width=1.06,
        ),
        "penguin": Species(
            palette("#26282F #2E3038 #1E2126"), palette("#FAF8F3"), None,
            (
                Mark("trim", (3.3, 2.0), (2.6, 2.4), 2.6), Mark("trim", (3.6, -3.6), (3.6, 3.2), 2.6),
                Mark("#F2C94C", (7.0, -1.6), (1.1, 2.4), 1.6), Mark("skin", (0.0, 5.4), (0.9, 2.2), 1.6),
            ),
            muzzle=2.4, nose="bill", nose_colour="#E88A32", outline="sleek", fringe=(0.0, 0.12), width=1.04,
        ),
        "duck": Species(
            palette("#F7D64A #F4CC3A #FBE06E"), palette("#FCEBA0"), None, (Mark("trim", (3.3, 2.2), (2.3, 1.9), 0.8),),
            muzzle=3.0, nose="bill", nose_colour="#EE8B2D", outline="round", fringe=(0.1, 0.5), grown=("tuft",),
            grown_colour="#F4CC3A", width=1.05,
        ),
    }
)  # fmt: skip

MORE_ANIMALS = tuple(SPECIES)
"""Animals that only who asks for them gets, so that what is drawn at random stays as it is."""

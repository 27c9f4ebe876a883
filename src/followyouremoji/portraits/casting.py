"""Random identities of every style, from palettes that go together."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from .anatomy import FaceShape
from .casting_people import (
    Random,
    common_traits,
    one_of,
    principal_shape,
    random_cartoon,
    random_painting,
    random_person,
)
from .looks import Look
from .palettes import (
    EMOJI_SKIN,
    FANTASY_SKIN,
    FUR,
    METAL,
    SKIN,
    STONE_TINTS,
    WOOD,
    between,
    hex_colour,
    mixed,
    palette,
    pick,
    toned,
    varied,
)
from .species import SPECIES
from .styles import ALL_ANIMALS, ANIMALS, HELD_OUT_STYLES, STYLES, Identity


def random_identity(rng: Random, style: str | None = None, animal: str | None = None) -> Identity:
    """A random identity of a style, made by that style's rules and given a look; without a ``style``, one of `STYLES`,
    people and cartoons the most frequent. An ``animal`` of the style "animal" is one of `ALL_ANIMALS`, by default any
    of `ANIMALS`.

    Raises ValueError for a style that is neither in `STYLES` nor in `HELD_OUT_STYLES`, and for an unknown animal.
    """
    if style is None:
        style = str(rng.choice(STYLES, p=(0.38, 0.22, 0.07, 0.07, 0.16, 0.10)))
    if style not in STYLES + HELD_OUT_STYLES:
        raise ValueError(f"style {style!r} is not one of {', '.join(STYLES + HELD_OUT_STYLES)}")
    if animal is None:
        identity = _CASTS[style](rng, common_traits(rng, style))
    elif style == "animal" and animal in ALL_ANIMALS:
        identity = _animal(rng, common_traits(rng, style), animal)
    else:
        raise ValueError(f"{animal!r} is no animal that the style {style!r} has: {', '.join(ALL_ANIMALS)}")
    if identity.look.is_plain and style not in ("koala", "doll"):
        identity = replace(identity, look=Look.random(rng))
    return identity


def _emoji(rng: Random, common: Identity) -> Identity:
    skin = between(rng, EMOJI_SKIN)
    if rng.random() < 0.2:
        skin = varied(rng, pick(rng, FANTASY_SKIN + SKIN[:4]))
    shape = FaceShape(
        eyes=rng.uniform(2.1, 2.7),
        irises=rng.uniform(1.0, 1.2),
        nose=0.6,
        mouth=rng.uniform(1.2, 1.45),
        lips=0.8,
        chin=-1.0,
        brow_height=rng.uniform(0.3, 0.7),
        smile=rng.uniform(0.6, 1.1),
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
        brow_thickness=rng.uniform(0.55, 0.8),
        scale=common.scale * 1.07,
        lashes=float(rng.choice([0.1, 0.1, 0.8])),
        blush=rng.uniform(0.3, 0.9),
        glasses=one_of(rng, {"none": 8, "round": 1, "thick": 1}),
        outline=rng.uniform(0.15, 0.35) if rng.random() < 0.25 else 0.0,
        earrings="none",
    )


def _stone(rng: Random, common: Identity) -> Identity:
    person = random_person(rng, common)
    material = one_of(
        rng, {"marble": 2, "granite": 1, "sandstone": 1.5, "bronze": 2, "wood": 1, "plaster": 1}
    )
    tints = METAL if material == "bronze" else WOOD if material == "wood" else STONE_TINTS
    stone = varied(rng, pick(rng, tints))
    return replace(
        person,
        shape=replace(person.shape, kind="stone", eyes=rng.uniform(1.3, 1.65)),
        skin=stone,
        age=min(person.age, 0.8),
        hair=toned(stone, -0.05),
        iris=toned(stone, -0.30),
        lips=toned(stone, -0.05),
        clothes=toned(stone, -0.03),
        trim=toned(stone, 0.03),
        pattern="none",
        material=material,
        hair_style=one_of(
            rng, {"short": 2, "side_part": 1, "bob": 1, "bun": 1, "curly": 3, "bald": 1, "crop": 1, "wavy": 2, "braids": 1}
        ),
        collar=one_of(rng, {"round": 1, "v": 1}),
        blush=0.0,
        eye_shadow=0.0,
        liner=0.0,
        freckles=0.0,
        moles=0,
        beard="full" if person.beard != "none" and rng.random() < 0.6 else "none",
        glasses="none",
        hat="veil" if person.hat == "veil" else "none",
        earrings="none",
        lashes=0.1,
        shine={"bronze": 0.75, "marble": 0.3, "wood": 0.2}.get(material, 0.05),
        contrast=rng.uniform(0.85, 1.3),
    )  # fmt: skip


_ANIMAL_FUR = {
    "fox": palette("#DE7B3A #C8642E"), "panda": palette("#F4F1EC"), "bear": palette("#8D6142 #6B4630 #A98467 #E8E2D6"),
    "mouse": palette("#A7A3A6 #C9B7A6"), "rabbit": palette("#DCD3CB #A88D74 #8F8B8A"), "tiger": palette("#E0893C"),
    "lion": palette("#D6A55C #C8924A"), "koala": palette("#A3A2A8 #B5AFAB"), "dog": (*FUR, *palette("#D9A066 #F2E9DC #C68642")),
}  # fmt: skip
_MUZZLES = {
    "dog": 2.4, "fox": 2.4, "bear": 2.0, "cat": 0.9, "rabbit": 1.0, "panda": 1.6, "mouse": 1.6, "tiger": 1.4,
    "lion": 1.6, "koala": 1.2,
}  # fmt: skip


def _animal(rng: Random, common: Identity, animal: str | None = None) -> Identity:
    animal = animal or one_of(
        rng, {name: 3.0 if name in ("cat", "dog") else 2.0 if name == "bear" else 1.0 for name in ANIMALS}
    )
    species = SPECIES.get(animal)
    fur = varied(rng, pick(rng, species.fur if species else _ANIMAL_FUR.get(animal, FUR)))
    shape = FaceShape(
        principal=principal_shape(rng, 0.3),
        eyes=rng.uniform(1.6, 2.05),
        irises=rng.uniform(1.25, 1.5),
        nose=rng.uniform(0.85, 1.0),
        mouth=rng.uniform(0.95, 1.15),
        lips=0.75,
        width=rng.uniform(1.02, 1.14),
        jaw=rng.uniform(0.85, 1.0),
        chin=rng.uniform(-1.6, -0.8),
        brow_height=0.4,
        smile=rng.uniform(0.5, 0.9),
        liveliness=1.15,
        kind="animal",
        muzzle=species.muzzle if species else _MUZZLES[animal],
    )
    pale = mixed(fur, hex_colour("#FFFBF2"), rng.uniform(0.55, 0.9))
    iris = palette("#5B3A22 #3E2A1E #C08A2E #7CA05A #5E8FB8 #46302A")
    if species:
        shape = replace(shape, width=shape.width * species.width, chin=shape.chin + species.chin)
        pale, iris = pick(rng, species.trim), species.iris
    return replace(
        common,
        shape=shape,
        animal=animal,
        skin=fur,
        hair=toned(fur, -0.14),
        trim=pale,
        lips=mixed(pale, hex_colour("#6B4A45"), 0.35),
        iris=pick(rng, iris),
        hair_style="bald",
        marking=rng.uniform(0.0, 1.0),
        brow_thickness=1.0,
        lashes=0.15,
        blush=rng.uniform(0.0, 0.3),
        collar=one_of(rng, {"none": 3, "round": 1, "v": 1, "hood": 1, "high": 1}),
        outline=rng.uniform(0.12, 0.3) if rng.random() < 0.15 else 0.0,
        shine=0.0,
    )


def _tapestry(rng: Random, common: Identity) -> Identity:
    person = random_person(rng, replace(common, scene="stripes", contrast=0.8))
    seed = int(rng.integers(2**31))
    look = Look(texture="weave", scale=rng.uniform(0.9, 1.3), strength=0.2, levels=12, seed=seed)
    return replace(person, look=look, shine=0.0)


def _fresco(rng: Random, common: Identity) -> Identity:
    painted = random_painting(rng, common, ("cracks",))
    return replace(
        painted, look=replace(painted.look, strength=0.2, brush=1.5, canvas="clouds", canvas_strength=0.10)
    )


def _engraving(rng: Random, common: Identity) -> Identity:
    person = random_person(rng, replace(common, scene="glow", contrast=1.5))
    row = (0.38, 0.41, 0.36, 0.05)
    look = Look(
        colours=(row, row, row), texture="mosaic", scale=1.2, strength=0.12, ink=0.6,
        seed=int(rng.integers(2**31)),
    )  # fmt: skip
    return replace(person, look=look)


def _doll(rng: Random, common: Identity) -> Identity:
    """A glossy doll: porcelain skin, round cheeks, painted lips."""
    figure = random_cartoon(rng, common)
    skin = mixed(figure.skin, hex_colour("#FFF4EC"), 0.5)
    return replace(
        figure, skin=skin, shine=0.9, finish="soft", outline=0.0, blush=1.0, freckles=0.0, beard="none", age=0.2,
        lips=hex_colour("#B8323E"), shape=replace(figure.shape, eyes=2.4, mouth=0.8),
    )  # fmt: skip


_CASTS: Mapping[str, Callable[[Random, Identity], Identity]] = MappingProxyType(
    {
        "person": random_person,
        "cartoon": random_cartoon,
        "emoji": _emoji,
        "stone": _stone,
        "animal": _animal,
        "painting": random_painting,
        "koala": partial(_animal, animal="koala"),
        "tapestry": _tapestry,
        "fresco": _fresco,
        "engraving": _engraving,
        "doll": _doll,
    }
)

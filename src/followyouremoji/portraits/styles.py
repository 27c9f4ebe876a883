"""Who is drawn: the identity, all that stays of a portrait while it moves."""

from dataclasses import dataclass, field

from .anatomy import FaceShape
from .looks import Look
from .palettes import BACKDROP, CLOTHES, HAIR, IRIS, LIGHT, SKIN, Colour
from .species import MORE_ANIMALS

STYLES = ("person", "cartoon", "emoji", "stone", "animal", "painting")
"""The styles that a random identity has."""
HELD_OUT_STYLES = ("koala", "tapestry", "fresco", "engraving", "doll")
"""Styles that only who asks for them gets: to judge a model on what it never saw in training."""

COLLARS = ("round", "v", "high", "shirt", "hood")
ANIMALS = ("cat", "dog", "bear", "fox", "rabbit", "panda", "mouse", "tiger", "lion")
"""Those that a random animal is one of."""
ALL_ANIMALS = ANIMALS + MORE_ANIMALS
"""Those that can be asked for by name."""
SCENES = ("glow", "gradient", "bokeh", "shapes", "clouds", "stripes", "checks", "dark", "landscape", "room")


@dataclass(frozen=True)
class Identity:
    """Everything of a drawn portrait that stays while it moves.

    Colours are sRGB in [0, 1]. `light` points to the light in camera space, `light_colour` multiplies what it lights,
    `contrast` is 1 for soft daylight, `shine` the strength of highlights. `age` is 0 for a child and 1 for the old.
    `freckles`, `blush` and the like go from 0 to 1. `seed` decides small details such as freckles and locks of hair.
    """

    style: str = "person"
    shape: FaceShape = field(default_factory=FaceShape)
    look: Look = field(default_factory=Look)
    skin: Colour = SKIN[2]
    hair: Colour = HAIR[3]
    iris: Colour = IRIS[0]
    lips: Colour = (0.80, 0.42, 0.40)
    clothes: Colour = CLOTHES[1]
    trim: Colour = CLOTHES[5]
    pattern: str = "none"
    backdrop: Colour = BACKDROP[0]
    backdrop_edge: Colour = BACKDROP[1]
    scene: str = "glow"
    accent: Colour = CLOTHES[0]
    age: float = 0.35
    hair_style: str = "short"
    hair_volume: float = 1.0
    hair_length: float = 8.0
    sweep: float = 0.0
    collar: str = "round"
    shoulders: float = 1.0
    neck: float = 1.0
    ears: float = 1.0
    brow_thickness: float = 1.0
    lashes: float = 0.5
    blush: float = 0.4
    eye_shadow: float = 0.0
    lid_colour: Colour = CLOTHES[0]
    liner: float = 0.0
    freckles: float = 0.0
    moles: int = 0
    beard: str = "none"
    glasses: str = "none"
    tinted: float = 0.0
    hat: str = "none"
    hat_colour: Colour = CLOTHES[0]
    earrings: str = "none"
    animal: str = "none"
    marking: float = 0.5
    material: str = "none"
    finish: str = "soft"
    outline: float = 0.0
    light: tuple[float, float, float] = (-0.45, 0.55, 0.70)
    light_colour: Colour = LIGHT[0]
    contrast: float = 1.0
    shine: float = 0.15
    rim: float = 0.0
    warmth: float = 0.0
    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

"""Who is in EmojiBench-Drawn: 500 portraits in the papers' styles, and 45 drivers who are none of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from followyouremoji.portraits import ALL_ANIMALS, Identity, Look, random_identity

COUNTS = {
    "person": 150,
    "cartoon": 70,
    "emoji": 30,
    "stone": 50,  # sculptures, of stone, bronze, wood and plaster
    "painting": 50,
    "animal": 100,  # every kind of `ALL_ANIMALS` in turn
    # Held out from all training:
    "koala": 10,
    "tapestry": 10,
    "fresco": 10,
    "engraving": 10,
    "doll": 10,
}
"""Portraits by style, in the order of their numbers."""

PORTRAITS = sum(COUNTS.values())

PLAIN, UNTEXTURED = ("person", "stone", "animal"), ("cartoon", "emoji")
"""Styles that get no random recolouring and texture, or only the former: these are made for training, are no part of
the style, and hide faces."""
MOST_CONTRAST = 1.3
"""Of these styles: with more, half of a dark face is black."""

DRIVER_STYLES = ("person", "person", "cartoon", "person", "painting")
"""Of the drivers, in turn: whom a camera could film, and whom a painter could."""

_PORTRAIT, _DRIVER = 0, 1
"""Streams of random numbers."""


def style_of(number: int) -> tuple[str, int]:
    """The style of a portrait, and its place among those of this style, from 0."""
    for style, count in COUNTS.items():
        if number < count:
            return style, number
        number -= count
    raise IndexError(f"there are {PORTRAITS} portraits")


def portrait_name(number: int) -> str:
    """Such as "animal-017-wolf"."""
    style, place = style_of(number)
    name = f"{style}-{place + 1:03d}"
    return f"{name}-{_animal(place)}" if style == "animal" else name


def portrait_identity(seed: int, number: int) -> Identity:
    """Of a portrait, by the suite's seed and its number alone."""
    style, place = style_of(number)
    rng = np.random.default_rng((seed, _PORTRAIT, number))
    identity = random_identity(rng, style, _animal(place) if style == "animal" else None)
    if style in PLAIN + UNTEXTURED:
        look = Look() if style in PLAIN else replace(identity.look, texture=None, canvas=None, levels=0)
        identity = replace(identity, look=look, contrast=min(identity.contrast, MOST_CONTRAST))
    return _centred(identity)


def driver_style(number: int) -> str:
    return DRIVER_STYLES[number % len(DRIVER_STYLES)]


def driver_identity(seed: int, number: int) -> Identity:
    """Of the driver of motion `number`, by the suite's seed and the number alone."""
    rng = np.random.default_rng((seed, _DRIVER, number))
    identity = random_identity(rng, driver_style(number))
    look = Look()
    if identity.style == "painting":
        painted = identity.look
        strength = min(painted.strength, 0.12)
        look = replace(painted, colours=None, strength=strength, canvas_strength=0.03, ink=0.0, brush=0.0)
    return _centred(replace(identity, look=look, contrast=min(identity.contrast, 1.0), tinted=0.0))


def _animal(place: int) -> str:
    return ALL_ANIMALS[place % len(ALL_ANIMALS)]


def _centred(identity: Identity) -> Identity:
    """In the middle of the picture: a head that comes nearer there does so alike in every picture, so that the
    portrait's own performance is what a perfect alignment of its driver gives."""
    return replace(identity, offset=(0.0, 0.0))

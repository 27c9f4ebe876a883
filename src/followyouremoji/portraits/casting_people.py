"""Random people: drawn true to life, as cartoons, and painted."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .anatomy import FaceShape
from .looks import Look, random_colours
from .palettes import (
    BACKDROP,
    BRIGHT_HAIR,
    FANTASY_SKIN,
    GREY_HAIR,
    HAIR,
    IRIS,
    LID_COLOURS,
    LIGHT,
    LIPSTICK,
    OLD_MASTER,
    SKIN,
    WORN,
    Colour,
    between,
    hex_colour,
    mixed,
    pick,
    toned,
    varied,
)
from .styles import COLLARS, SCENES, Identity

Random = np.random.Generator


def one_of(rng: Random, choices: Mapping[str, float]) -> str:
    """A name by weight."""
    weights = np.array(list(choices.values()))
    return str(rng.choice(list(choices), p=weights / weights.sum()))


def common_traits(rng: Random, style: str) -> Identity:
    """Traits that people, animals and emoji have in common: light, surroundings, clothes, place in the picture."""
    side = rng.choice([-1.0, 1.0])
    light = np.array([side * rng.uniform(0.1, 0.95), rng.uniform(0.1, 0.85), rng.uniform(0.45, 0.9)])
    backdrop = varied(rng, pick(rng, BACKDROP if rng.random() < 0.75 else WORN))
    edge = toned(backdrop, rng.uniform(-0.16, -0.05), 1.15)
    if rng.random() < 0.45:
        edge = mixed(edge, pick(rng, BACKDROP + WORN), 0.5)
    clothes = varied(rng, pick(rng, WORN))
    unit = (light / np.linalg.norm(light)).tolist()
    return Identity(
        style=style,
        backdrop=backdrop,
        backdrop_edge=edge,
        scene=one_of(rng, {name: (3.0 if name in ("glow", "gradient", "bokeh") else 1.0) for name in SCENES}),
        clothes=clothes,
        trim=toned(clothes, 0.14 if sum(clothes) < 1.5 else -0.14),
        pattern=one_of(rng, {"none": 5, "stripes": 1, "checks": 1, "dots": 1, "knit": 2}),
        accent=pick(rng, WORN),
        hat_colour=varied(rng, pick(rng, WORN)),
        collar=str(rng.choice(COLLARS)),
        shoulders=rng.uniform(0.88, 1.12),
        iris=varied(rng, pick(rng, IRIS)),
        light=(unit[0], unit[1], unit[2]),
        light_colour=LIGHT[0] if rng.random() < 0.4 else pick(rng, LIGHT),
        contrast=float(np.exp(rng.normal(0.05, 0.28))),
        shine=rng.uniform(0.0, 0.3),
        rim=rng.uniform(0.15, 0.5) if rng.random() < 0.3 else 0.0,
        warmth=rng.uniform(-1.0, 1.0),
        scale=rng.uniform(0.93, 1.07),
        offset=(rng.uniform(-0.03, 0.03), rng.uniform(-0.02, 0.02)),
        seed=int(rng.integers(2**31)),
    )


def principal_shape(rng: Random, spread: float) -> tuple[float, ...]:
    """Weights of the measured principal shapes, ``spread`` standard deviations."""
    # The first two shapes are mostly size and camera distance: kept small.
    return tuple((rng.normal(0.0, spread, 7).clip(-1.6, 1.6) * (0.45, 0.45, 1, 1, 1, 1, 1)).tolist())


def _hair_colour(rng: Random, dark_skin: bool, age: float) -> Colour:
    if rng.random() < 1.6 * (age - 0.55):
        return varied(rng, pick(rng, GREY_HAIR))
    if rng.random() < 0.07:
        return pick(rng, BRIGHT_HAIR)
    natural = HAIR[:5] if dark_skin and rng.random() < 0.8 else HAIR[:11]
    return varied(rng, pick(rng, natural))


def random_person(rng: Random, common: Identity) -> Identity:
    """A person of any age, skin and dress."""
    skin = between(rng, SKIN)
    dark = sum(skin) < 1.35
    feminine = rng.random() < 0.5
    age = rng.uniform(0.0, 1.0)
    child, old = age < 0.14, max(0.0, age - 0.55) / 0.45
    if feminine:
        worn = one_of(
            rng,
            {"bob": 2, "long": 2, "wavy": 3, "fringe_long": 2, "bun": 2, "ponytail": 2, "braids": 1, "pigtails": 1,
             "curly": 2, "afro": 1, "pixie": 1.5, "side_part": 0.5},
        )  # fmt: skip
    else:
        worn = one_of(
            rng,
            {"short": 3, "crop": 2, "side_part": 3, "quiff": 2, "curly": 1.5, "bald": 0.6 + old, "afro": 0.7,
             "receding": 0.3 + 3.0 * old, "pixie": 1, "long": 0.4, "wavy": 0.4},
        )  # fmt: skip
    made_up = feminine and not child and rng.random() < 0.5
    bare = mixed(skin, hex_colour("#8E3B3A" if dark else "#C2504F"), rng.uniform(0.25, 0.5))
    lips = mixed(skin, pick(rng, LIPSTICK), rng.uniform(0.6, 0.95)) if made_up else bare
    shape = FaceShape(
        principal=principal_shape(rng, 0.8),
        eyes=rng.uniform(1.5, 1.85) if child else rng.uniform(1.2, 1.65) - 0.12 * old,
        irises=rng.uniform(0.98, 1.12),
        nose=rng.uniform(0.66, 0.78) if child else rng.uniform(0.74, 1.0) + 0.05 * old,
        mouth=rng.uniform(0.85, 0.95) if child else rng.uniform(0.88, 1.1),
        lips=(rng.uniform(0.95, 1.25) if feminine else rng.uniform(0.85, 1.1)) * (1.0 - 0.2 * old),
        width=rng.uniform(0.98, 1.06) if child else rng.uniform(0.92, 1.04),
        jaw=rng.uniform(0.82, 0.9)
        if child
        else rng.uniform(0.82, 0.95)
        if feminine
        else rng.uniform(0.88, 1.02),
        chin=rng.uniform(-1.5, -0.9) if child else rng.uniform(-1.0, 0.1),
        brow_height=rng.uniform(0.0, 0.5),
        smile=rng.uniform(0.15, 0.6),
    )
    full = 0.0 if feminine or age < 0.25 else 1.0
    headwear = {"none": 6.0, "beanie": 0.7, "brim": 0.6, "bandana": 0.3, "headband": 0.5 if feminine else 0.1}
    if feminine:
        headwear |= {"scarf": 0.7, "veil": 0.4}
    if worn in ("bun", "ponytail", "curly", "afro", "quiff", "pigtails", "receding"):
        headwear = {
            name: weight for name, weight in headwear.items() if name in ("none", "headband", "scarf")
        }
    if worn in ("bald", "receding", "quiff"):
        headwear.pop("headband", None)
    hat = one_of(rng, headwear)
    return replace(
        common,
        shape=shape,
        skin=skin,
        age=age,
        hair=_hair_colour(rng, dark, age),
        iris=IRIS[rng.integers(3)] if dark and rng.random() < 0.85 else common.iris,
        lips=lips,
        hair_style=worn,
        hair_volume=rng.uniform(0.75, 1.25),
        hair_length=rng.uniform(5.0, 13.0),
        sweep=rng.uniform(-1.0, 1.0),
        neck=rng.uniform(0.78, 0.86) if child else rng.uniform(0.86, 0.96) if feminine else rng.uniform(0.98, 1.15),
        ears=rng.uniform(0.9, 1.1) + 0.1 * old,
        brow_thickness=rng.uniform(0.5, 0.95) if feminine or child else rng.uniform(0.75, 1.3),
        lashes=rng.uniform(0.55, 1.0) if feminine else rng.uniform(0.05, 0.3),
        blush=rng.uniform(0.1, 0.7),
        eye_shadow=rng.uniform(0.3, 1.0) if made_up and rng.random() < 0.7 else 0.0,
        lid_colour=pick(rng, LID_COLOURS),
        liner=rng.uniform(0.3, 1.0) if made_up and rng.random() < 0.5 else 0.0,
        freckles=rng.uniform(0.3, 1.0) if rng.random() < (0.05 if dark else 0.22) else 0.0,
        moles=int(rng.integers(1, 5)) if rng.random() < 0.3 else 0,
        beard=one_of(rng, {"none": 5, "stubble": 2 * full, "full": 2 * full, "moustache": full, "goatee": full}),
        glasses=one_of(
            rng, {"none": 4 - 2 * old, "round": 0.4, "square": 0.4, "thick": 0.3, "rimless": 0.2, "cat": 0.2 * feminine}
        ),
        tinted=rng.uniform(0.15, 0.45) if rng.random() < 0.3 else 0.0,
        hat=hat,
        earrings=one_of(rng, {"none": 3, "stud": 1, "hoop": 1, "drop": 1}) if feminine and not child else "none",
        shine=common.shine * (0.6 + 0.8 * dark),
    )  # fmt: skip


def random_cartoon(rng: Random, common: Identity) -> Identity:
    """A person with large eyes and clear colours, shaded, flat or in two tones."""
    person = random_person(rng, common)
    shape = replace(
        person.shape,
        liveliness=1.15,
        kind="cartoon",
        principal=principal_shape(rng, 0.5),
        eyes=rng.uniform(1.7, 2.3),
        irises=rng.uniform(1.0, 1.2),
        nose=rng.uniform(0.5, 0.8),
        mouth=rng.uniform(0.85, 1.1),
        width=rng.uniform(0.93, 1.1),
        jaw=rng.uniform(0.74, 0.95),
        chin=rng.uniform(-1.8, -0.6),
        brow_height=rng.uniform(0.2, 0.8),
        smile=rng.uniform(0.3, 0.8),
    )
    fantasy = rng.random() < 0.18
    skin = varied(rng, pick(rng, FANTASY_SKIN)) if fantasy else person.skin
    finish = one_of(rng, {"soft": 4, "cel": 3, "flat": 2})
    drawn = finish != "soft" or rng.random() < 0.15
    return replace(
        person,
        shape=shape,
        skin=skin,
        age=min(person.age, 0.75),
        lips=mixed(skin, hex_colour("#B8485A"), rng.uniform(0.3, 0.75)),
        hair=toned(skin, -0.35, 1.2)
        if fantasy
        else varied(rng, pick(rng, BRIGHT_HAIR if rng.random() < 0.3 else HAIR)),
        blush=rng.uniform(0.3, 0.9),
        brow_thickness=rng.uniform(0.7, 1.3),
        finish=finish,
        outline=rng.uniform(0.12, 0.32) if drawn and rng.random() < 0.75 else 0.0,
        shine=rng.uniform(0.0, 0.55) if finish == "soft" else 0.0,
        rim=person.rim if finish == "soft" else 0.0,
        moles=0,
    )


def random_painting(
    rng: Random, common: Identity, textures: tuple[str, ...] = ("strokes", "clouds", "grain")
) -> Identity:
    """A person in an old or new master's colours: lamp light, a dark or sketched room, strokes that follow the face."""
    person = random_person(rng, common)
    old = rng.random() < 0.6
    backdrop = varied(rng, pick(rng, OLD_MASTER)) if old else common.backdrop
    colours = random_colours(rng) if rng.random() < 0.5 else None
    look = Look(
        colours=colours,
        gamma=rng.uniform(0.85, 1.25),
        texture=str(rng.choice(textures)),
        scale=rng.uniform(0.5, 1.3),
        strength=rng.uniform(0.08, 0.28),
        canvas=str(rng.choice(("grain", "hatching", "strokes"))) if rng.random() < 0.6 else None,
        canvas_strength=rng.uniform(0.03, 0.12),
        brush=rng.uniform(1.5, 3.2) if rng.random() < 0.7 else 0.0,
        ink=rng.uniform(0.2, 0.5) if rng.random() < 0.2 else 0.0,
        seed=int(rng.integers(2**31)),
    )
    dull = 0.8 if old else 1.1
    return replace(
        person,
        look=look,
        skin=toned(person.skin, -0.02, dull),
        clothes=toned(person.clothes, -0.12 if old else 0.0, dull),
        backdrop=backdrop,
        backdrop_edge=toned(backdrop, -0.08),
        scene=one_of(rng, {"dark": 4, "landscape": 2, "clouds": 2, "room": 1}) if old else common.scene,
        light_colour=LIGHT[1] if old else common.light_colour,
        contrast=rng.uniform(1.0, 1.6),
        glasses=person.glasses if rng.random() < 0.2 else "none",
        lashes=min(person.lashes, 0.5),
        outline=0.0,
        collar=one_of(rng, {"round": 2, "v": 2, "high": 1}),
        pattern="none",
    )

"""Who is drawn: every style and everything worn can be drawn, stays the same from picture to picture, and moves with
the head."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("skia")

from followyouremoji.portraits import (
    HELD_OUT_STYLES,
    STYLES,
    Identity,
    Look,
    Performance,
    draw_portrait,
    random_identity,
)
from followyouremoji.portraits.backdrops import backdrop_of
from followyouremoji.portraits.coating import head_coat
from followyouremoji.portraits.palettes import from_oklab, hex_colour, to_oklab
from followyouremoji.portraits.shading import beard_weight
from followyouremoji.portraits.styles import ANIMALS, COLLARS, SCENES
from followyouremoji.portraits.textures import HELD_OUT_TEXTURES

WORN = {
    "hair_style": (
        *("short", "crop", "side_part", "quiff", "pixie", "receding", "bob", "long", "wavy", "fringe_long"),
        *("bun", "ponytail", "braids", "pigtails", "curly", "afro", "bald"),
    ),
    "hat": ("none", "beanie", "brim", "bandana", "headband", "scarf", "veil"),
    "collar": COLLARS,
    "finish": ("soft", "flat", "cel"),
    "material": ("none", "marble", "granite", "sandstone", "bronze", "wood", "plaster"),
    "scene": SCENES,
    "beard": ("none", "stubble", "full", "moustache", "goatee"),
    "glasses": ("none", "round", "square", "thick", "rimless", "cat"),
    "earrings": ("none", "stud", "hoop", "drop"),
    "pattern": ("none", "stripes", "checks", "dots", "knit"),
}


@pytest.mark.parametrize("name", WORN)
def test_each_choice_shows_in_the_picture(name: str) -> None:
    plain = Identity(pattern="none", hair_style="crop", beard="none", seed=4)
    pictures = [
        draw_portrait(replace(plain, **{name: value}), Performance(yaw=8.0), 96).picture
        for value in WORN[name]
    ]
    for k, first in enumerate(pictures):
        for other in pictures[k + 1 :]:
            assert np.abs(first.astype(int) - other).max() > 12


@pytest.mark.parametrize("animal", ANIMALS)
def test_animals_differ_from_people(animal: str) -> None:
    identity = Identity(style="animal", animal=animal, hair_style="bald")
    drawn = draw_portrait(identity, Performance.neutral(), 96).picture
    person = draw_portrait(
        replace(identity, style="person", animal="none"), Performance.neutral(), 96
    ).picture
    assert np.abs(drawn.astype(int) - person).mean() > 4


@pytest.mark.parametrize("style", STYLES + HELD_OUT_STYLES)
def test_every_style_draws_the_same_again(style: str) -> None:
    first, second = (
        draw_portrait(random_identity(rng, style), Performance.random(rng), 64)
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert np.array_equal(first.picture, second.picture)
    assert first.picture.std() > 10


def test_training_never_sees_what_is_held_out() -> None:
    rng = np.random.default_rng(1)
    drawn = [random_identity(rng) for _ in range(300)]
    assert {identity.style for identity in drawn} == set(STYLES)
    assert not {identity.animal for identity in drawn} & {"koala"}
    assert not {identity.look.texture for identity in drawn} & set(HELD_OUT_TEXTURES)
    assert not {identity.look.canvas for identity in drawn} & set(HELD_OUT_TEXTURES)


def test_people_are_of_all_ages_and_skins() -> None:
    rng = np.random.default_rng(2)
    people = [random_identity(rng, "person") for _ in range(120)]
    ages = np.array([person.age for person in people])
    lightness = to_oklab(np.array([person.skin for person in people]))[:, 0]
    assert np.histogram(ages, 5, (0.0, 1.0))[0].min() > 8
    assert np.histogram(lightness, 4, (0.38, 0.95))[0].min() > 8
    assert len({person.hair_style for person in people}) > 12


def test_skin_moves_with_the_face_and_not_the_picture() -> None:
    """A head that moved shows the same freckles where it is; where it was, there are others."""
    identity = Identity(freckles=1.0, moles=4, seed=3, scene="glow", hair_style="bald", look=Look())
    here = draw_portrait(identity, Performance.neutral(), 128)
    there = draw_portrait(identity, Performance(shift=(8 / 128, 0.0)), 128)
    step = round(float((there.points - here.points)[[1, 50, 280]].mean(axis=0)[0]))
    assert step >= 8
    rows, columns = slice(50, 80), slice(48, 80)
    before = here.picture[rows, columns].astype(int)
    after = there.picture[rows, 48 + step : 80 + step].astype(int)
    assert np.abs(before - after).mean() < 0.5 * np.abs(before - there.picture[rows, columns]).mean()


def test_coats_darken_and_never_blacken_the_skin() -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        coat = head_coat(replace(random_identity(rng, "person"), beard="none"))
        assert coat is not None
        assert coat.dtype == np.uint8
        assert 190 < coat.mean() < 255


def test_beards_leave_the_lips_and_the_forehead_free() -> None:
    x, y = np.array([0.0, 0.0, 4.0]), np.array([-4.5, 6.0, 5.0])
    for kind in ("stubble", "full", "goatee", "moustache"):
        assert beard_weight(x, y, kind).max() < 0.2
        assert beard_weight(np.array([0.0]), np.array([-2.75]), kind)[0] > 0.5


def test_backdrops_are_opaque_and_of_the_size_asked_for() -> None:
    for scene in SCENES:
        picture = backdrop_of(Identity(scene=scene), 96)
        assert picture.shape == (96, 96, 4)
        assert (picture[..., 3] == 255).all()
        assert picture[..., :3].std() > 1


def test_oklab_goes_there_and_back() -> None:
    colours = np.array([hex_colour(text) for text in ("#102030", "#FFE6D9", "#54392D", "#FFFFFF", "#000000")])
    np.testing.assert_allclose(from_oklab(to_oklab(colours)), colours, atol=1e-4)

"""Recolouring and textures that stick to the face."""

import numpy as np
import pytest

from followyouremoji.portraits import Look
from followyouremoji.portraits.textures import HELD_OUT_TEXTURES, TEXTURES, texture_tile
from tests.face.test_warping import points as points  # the fixture

ALL = TEXTURES + HELD_OUT_TEXTURES


@pytest.mark.parametrize("kind", ALL)
def test_a_texture_is_a_function_of_its_seed_and_has_no_mean(kind) -> None:
    tile = texture_tile(kind, 4)
    assert abs(tile.mean()) < 0.2
    assert 0.1 < tile.std() <= 0.75
    assert not np.array_equal(tile, texture_tile(kind, 5)) or kind == "dots"
    texture_tile.cache_clear()
    np.testing.assert_array_equal(tile, texture_tile(kind, 4))


def test_a_plain_look_changes_nothing(points) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    np.testing.assert_array_equal(Look().apply(picture, points), picture)


def test_a_texture_moves_with_the_face(points) -> None:
    """Shifted by whole pixels, the face carries the same texture; the background, whose border stays, does not."""
    grey = np.full((128, 128, 3), 128, np.uint8)
    look = Look(texture="clouds", strength=0.4, seed=1)
    here, there = look.apply(grey, points), look.apply(grey, points + np.array([6, -4]))
    face, moved = here[44:84, 44:84].astype(int), there[40:80, 50:90].astype(int)
    assert here[44:84, 44:84].std() > 8
    assert np.abs(face - moved).mean() < 2.5 < np.abs(face - there[44:84, 44:84]).mean()


def test_training_never_sees_held_out_textures() -> None:
    rng = np.random.default_rng(0)
    seen = {Look.random(rng).texture for _ in range(200)}
    assert seen == {None, *TEXTURES}
    assert not seen & set(HELD_OUT_TEXTURES)
    assert {Look.random(rng, HELD_OUT_TEXTURES).texture for _ in range(100)} == {None, *HELD_OUT_TEXTURES}

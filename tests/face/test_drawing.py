"""Landmark pictures and masks: the release's pixels, and what a small picture still has to show."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.face.drawing import (
    CONTOUR_COLOUR,
    EXPRESSION_POINTS,
    PARTS,
    PUPIL_COLOUR,
    LandmarkStyle,
    draw_landmarks,
    expression_mask,
    face_mask,
)
from followyouremoji.face.geometry import irises_at, project
from followyouremoji.face.topology import FACE_OVAL_LOOP, LEFT_IRIS, OUTER_LIPS_LOOP, RIGHT_IRIS, mean_face

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "landmarks" / "drawing.npz"
SMOOTH = LandmarkStyle(antialiased=True)


def face_points(size: int, distance: float = 18.0, gaze: float = 0.5) -> np.ndarray:
    """The mean face, about two thirds as high as the picture; gaze 0 looks to the left, 1 to the right."""
    pose = np.eye(4)
    pose[2, 3] = -distance
    places = np.tile([gaze, 0.5], (1, 10, 1))
    return irises_at(project(mean_face()[None], pose[None], (size, size)), places)[0]


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=-1).any())


def test_the_pixels_are_those_of_the_release() -> None:
    """At least 99.9 % of the pixels drawn in either picture; measured: all 10 066."""
    if not GOLDEN.is_file():
        pytest.skip("the golden landmark pictures are not beside this checkout")
    golden = np.load(GOLDEN)
    drawn = np.stack([draw_landmarks(points, (512, 512)) for points in golden["points"]])
    either = drawn.any(axis=-1) | golden["images"].any(axis=-1)
    same = (drawn == golden["images"]).all(axis=-1)
    assert same[either].mean() >= 0.999


def test_each_part_has_the_colour_that_networks_have_learnt() -> None:
    """As the released network was trained: its inference code's colours, by a point in the middle of each part."""
    colours = {
        386: (180, 200, 10), 282: (180, 220, 10), 159: (10, 200, 180), 52: (10, 220, 180),  # eyes and brows
        88: (100, 100, 30), 318: (100, 150, 50), 80: (120, 100, 200), 310: (150, 120, 100),  # lips
    }  # fmt: skip
    assert {
        point: colour for point in colours for colour, edges in PARTS if any(point in edge for edge in edges)
    } == colours
    assert (PUPIL_COLOUR, CONTOUR_COLOUR) == ((255, 0, 0), (200, 200, 200))


def test_the_default_leaves_out_the_contour_and_the_outer_lips() -> None:
    points = face_points(512)
    moved = points.copy()
    moved[[*FACE_OVAL_LOOP, *OUTER_LIPS_LOOP]] += 10
    np.testing.assert_array_equal(draw_landmarks(points, (512, 512)), draw_landmarks(moved, (512, 512)))


def test_the_contour_lies_under_everything_else() -> None:
    points = face_points(512)
    plain, contour = (draw_landmarks(points, (512, 512), LandmarkStyle(contour=c)) for c in (False, True))
    drawn = plain.any(axis=-1)
    np.testing.assert_array_equal(contour[drawn], plain[drawn])
    assert has_colour(contour[~drawn], CONTOUR_COLOUR)


@pytest.mark.parametrize("antialiased", [False, True])
def test_the_variants_of_table_2(antialiased: bool) -> None:
    points = face_points(512)
    plain = draw_landmarks(points, (512, 512), LandmarkStyle(antialiased=antialiased))
    contour = draw_landmarks(points, (512, 512), LandmarkStyle(antialiased=antialiased, contour=True))
    blind = draw_landmarks(points, (512, 512), LandmarkStyle(antialiased=antialiased, pupils=False))
    assert has_colour(plain, PUPIL_COLOUR)
    assert not has_colour(plain, CONTOUR_COLOUR)
    assert has_colour(contour, CONTOUR_COLOUR)
    assert not has_colour(blind, PUPIL_COLOUR)


def test_whole_pixels_keep_to_the_release_at_the_border() -> None:
    """A point outside is skipped, and so is an edge with one end outside."""
    points = np.full((478, 2), -5.0)
    points[RIGHT_IRIS] = (1, 1)
    picture = draw_landmarks(points, (64, 64))
    assert {tuple(place) for place in np.argwhere(picture.any(axis=-1))} == {
        (y, x) for y in range(4) for x in range(4)
    }


@pytest.mark.parametrize("size", [64, 128, 256])
def test_a_glance_of_a_third_of_a_pixel_shows_when_antialiased(size: int) -> None:
    points = face_points(size)
    moved = points.copy()
    moved[RIGHT_IRIS:] += (1 / 3, 0)
    before, after = (draw_landmarks(p, (size, size), SMOOTH)[..., 0].astype(float) for p in (points, moved))
    assert np.abs(before - after).max() > 40


def test_the_antialiased_pupil_is_where_its_centre_is() -> None:
    centre = np.array([40.3, 57.8])
    points = np.full((478, 2), 1e6)
    points[LEFT_IRIS] = centre
    weight = draw_landmarks(points, (128, 128), SMOOTH)[..., 0].astype(float)
    y, x = np.mgrid[:128, :128] + 0.5
    assert np.allclose(
        [(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()], centre, atol=0.1
    )


def test_the_antialiased_pupil_grows_with_the_picture() -> None:
    areas = []
    for size in (256, 512, 1024):
        points = np.full((478, 2), 1e6)
        points[RIGHT_IRIS] = size / 2
        areas.append(draw_landmarks(points, (size, size), SMOOTH)[..., 0].sum() / 255)
    np.testing.assert_allclose(areas, [np.pi * r**2 for r in (1.5, 3, 6)], rtol=0.1)


@pytest.mark.parametrize(
    "style", [LandmarkStyle(contour=True), LandmarkStyle(contour=True, antialiased=True)]
)
@pytest.mark.parametrize("offset", [-1e9, -400.0, 100.0, 1e9, np.nan])
def test_points_anywhere_can_be_drawn(style: LandmarkStyle, offset: float) -> None:
    picture = draw_landmarks(face_points(128) + offset, (160, 128), style)
    assert picture.shape == (128, 160, 3)
    assert picture.dtype == np.uint8


def test_the_expression_mask_dilates_every_point_and_no_other() -> None:
    points = face_points(256)
    mask = expression_mask(points, (256, 256), radius=5)
    y, x = np.mgrid[:256, :256] + 0.5
    nearest = np.min([np.hypot(x - px, y - py) for px, py in points[list(EXPRESSION_POINTS)]], axis=0)
    assert mask[nearest < 4].all()
    assert not mask[nearest > 6].any()


@pytest.mark.parametrize("shift", [(0, 0), (90, 0), (150, 120), (-60, -140)])
def test_the_expression_mask_of_a_part_is_the_part_of_the_mask(shift: tuple[int, int]) -> None:
    points = face_points(256) + 256
    whole = expression_mask(points, (768, 768), radius=7.5)
    left, top = np.add(256, shift)
    part = expression_mask(points - (left, top), (256, 200), radius=7.5)
    np.testing.assert_array_equal(part, whole[top : top + 200, left : left + 256])
    assert part.any()


def test_the_expression_mask_scales_with_the_face() -> None:
    small, large = (expression_mask(face_points(size), (size, size)).mean() for size in (128, 512))
    assert small == pytest.approx(large, rel=0.15)


def test_an_expression_mask_reaches_in_from_outside_and_may_be_empty() -> None:
    points = np.full((478, 2), -1e6)
    assert not expression_mask(points, (64, 64), radius=4).any()
    points[RIGHT_IRIS] = (-2, 30)
    assert 0 < expression_mask(points, (64, 64), radius=4).sum() < 20


def test_the_face_mask_fills_the_contour() -> None:
    points = face_points(256)
    mask = face_mask(points, (256, 256))
    x, y = points[list(FACE_OVAL_LOOP)].T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert mask.sum() == pytest.approx(area, rel=0.02)
    inside = np.floor(points[[1, RIGHT_IRIS, LEFT_IRIS, 13, 9]]).astype(int)
    assert mask[inside[:, 1], inside[:, 0]].all()
    assert mask.dtype == bool

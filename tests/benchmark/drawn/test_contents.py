"""What EmojiBench-Drawn holds: who, what they do, and in which pairs."""

from collections import Counter

import numpy as np
import pytest

from followyouremoji.benchmark.drawn import FULL, MINI
from followyouremoji.benchmark.drawn.identities import (
    COUNTS,
    driver_identity,
    portrait_identity,
    portrait_name,
    style_of,
)
from followyouremoji.benchmark.drawn.motions import (
    ALL_GROUPS,
    FIRST_FRAMES,
    FRAMES,
    MOTIONS,
)
from followyouremoji.benchmark.drawn.slices import SEED, motion_of
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.expressions import CONTROLS, EXPRESSIONS, NAMED_EXPRESSIONS
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS
from followyouremoji.portraits import HELD_OUT_STYLES, STYLES, Performance


@pytest.fixture(scope="module")
def played() -> dict[str, list[Performance]]:
    return {motion.name: motion.performances(SEED, number) for number, motion in enumerate(MOTIONS)}


def test_five_hundred_portraits_of_all_styles_and_twenty_animals() -> None:
    assert list(COUNTS)
    assert set(COUNTS) == set(STYLES + HELD_OUT_STYLES)
    people = [portrait_identity(SEED, number) for number in range(500)]
    assert Counter(who.style for who in people) == COUNTS
    assert len({who.animal for who in people} - {"none"}) >= 20
    assert len({portrait_name(number) for number in range(500)}) == 500
    with pytest.raises(IndexError):
        style_of(500)


def test_drivers_are_none_of_the_portraits_and_can_be_filmed() -> None:
    drivers = [driver_identity(SEED, number) for number in range(45)]
    portraits = [portrait_identity(SEED, number) for number in range(500)]
    assert not {who.seed for who in drivers} & {who.seed for who in portraits}
    assert {who.style for who in drivers} == {"person", "cartoon", "painting"}
    assert len(set(drivers)) == 45


def test_motions_are_named_once_and_cover_the_named_expressions(played) -> None:
    assert len(MOTIONS) == len(played) == 45
    assert len(NAMED_EXPRESSIONS) == 18
    assert set(NAMED_EXPRESSIONS) < set(EXPRESSIONS)
    assert len(ALL_GROUPS) == 12
    assert [motion.name for motion in MOTIONS[:18]] == list(NAMED_EXPRESSIONS)


def test_each_motion_begins_at_rest_and_moves_smoothly(played) -> None:
    for name, moments in played.items():
        assert len(moments) == FRAMES
        assert moments[0] == Performance.neutral()
        controls = np.array([moment.controls for moment in moments])
        head = np.array([(m.yaw, m.pitch, m.roll) for m in moments])
        assert np.abs(controls[1]).max() < 0.1, name
        assert np.abs(head[1]).max() < 0.5, name
        assert np.abs(np.diff(head, axis=0)).max() < 8.0, name
        assert controls.max() <= 2.0
        assert np.abs([m.gaze for m in moments]).max() <= 0.95


@pytest.mark.parametrize("name", NAMED_EXPRESSIONS)
def test_an_expression_has_its_full_course_in_the_frames_that_are_measured(played, name: str) -> None:
    wanted = EXPRESSIONS[name].vector()
    place = int(
        np.argmax(
            np.abs(wanted)
            * [not control.startswith("blink") or "wink" in name or "closed" in name for control in CONTROLS]
        )
    )
    shown = np.array([moment.controls[place] for moment in played[name]]) / wanted[place]
    height = min(1.0, 1.1 / abs(wanted[place]))
    peak = int(np.argmax(shown[:FIRST_FRAMES]))
    assert shown[peak] > 0.95 * height
    assert (shown[:FIRST_FRAMES] > 0.9 * height).sum() >= 15  # held for more than half a second
    assert shown[peak:FIRST_FRAMES].min() < 0.05
    assert shown[-1] < 0.05


def test_eyes_and_heads_go_both_ways_in_the_frames_that_are_measured(played) -> None:
    gaze = {
        name: np.array([moment.gaze for moment in moments[:FIRST_FRAMES]]) for name, moments in played.items()
    }
    for name, axis in (("horizontal-1", 0), ("horizontal-2", 0), ("vertical-1", 1), ("vertical-2", 1)):
        assert gaze[name][..., axis].max() > 0.7, name
        assert gaze[name][..., axis].min() < -0.7, name
        np.testing.assert_array_equal(gaze[name][:, 0], gaze[name][:, 1])
    assert (gaze["crossed-1"][:, 0, 0] - gaze["crossed-1"][:, 1, 0]).max() > 1.4
    for name, moving in (("right-eye", 0), ("left-eye", 1)):
        assert np.ptp(gaze[name][:, moving, 0]) > 1.4
        assert np.abs(gaze[name][:, 1 - moving]).max() < 0.35
    for name in ("yaw", "pitch", "roll"):
        turns = [getattr(moment, name) for moment in played[name][:FIRST_FRAMES]]
        assert max(turns) > 13.0
        assert min(turns) < -13.0
    sizes = [moment.scale for moment in played["approach"][:FIRST_FRAMES]]
    assert max(sizes) > 1.2
    assert min(sizes) < 0.85


def test_each_portrait_meets_a_motion_and_each_motion_many_styles() -> None:
    assert len(FULL.driven) == 45
    assert len(FULL.portraits) == 500
    motions = Counter(map(motion_of, FULL.portraits))
    assert set(motions.values()) == {11, 12}
    assert len(motions) == 45
    for style in COUNTS:
        groups = {MOTIONS[motion_of(n)].group for n in FULL.portraits if style_of(n)[0] == style}
        assert len(groups) >= 6, style


def test_mini_is_a_part_of_the_suite_with_all_styles_and_groups() -> None:
    assert len(MINI.driven) == 6
    assert len(MINI.portraits) == 12
    assert {style_of(number)[0] for number in MINI.portraits} == set(COUNTS)
    assert {MOTIONS[motion_of(number)].group for number in MINI.portraits} == set(ALL_GROUPS)
    assert set(MINI.items) < set(FULL.items)
    assert set(map(motion_of, MINI.portraits)) <= set(MINI.clips)


def test_the_detector_sees_people_where_they_are() -> None:
    pytest.importorskip("skia")
    from followyouremoji.portraits import draw_portrait

    errors = []
    with FaceDetector() as detector:
        for number in (0, 40, 80, 120):
            identity = portrait_identity(SEED, number)
            for moment in (Performance.neutral(), MOTIONS[0].performances(SEED, 0)[25]):
                drawn = draw_portrait(identity, moment, 256)
                pupils = np.linalg.norm(drawn.points[LEFT_IRIS] - drawn.points[RIGHT_IRIS])
                found = detector.detect(drawn.picture).points
                errors.append(np.linalg.norm(found - drawn.points, axis=1).mean() / pupils)
    assert max(errors) < 0.12
    assert np.mean(errors) < 0.07

"""Which frames become clips: each filter by itself, on surveys made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.data.preparation import selection
from followyouremoji.data.preparation.selection import divided, select_pieces, stable_crop
from followyouremoji.data.preparation.settings import Cutting, Filters, PrepareSettings
from followyouremoji.data.preparation.survey import Survey
from tests.data.samples import face_points

SIZE = (640, 480)
FRAMES = 120
SETTINGS = PrepareSettings(filters=Filters(face_size=160, min_frames=20))


def survey(frames: int = FRAMES, side: float = 200.0) -> Survey:
    """A sharp frontal face of `side` pixels in the middle of every frame of one scene."""
    points = (face_points(1, 2)[0] - (1, 1, 0)) * side + (320, 240, 0)
    landmarks = np.repeat((points / (SIZE[0], SIZE[1], SIZE[0]))[None], frames, axis=0)
    return Survey(
        size=SIZE,
        times=np.arange(frames) / 25,
        scenes=np.zeros(frames, int),
        found=np.ones(frames, bool),
        landmarks=landmarks.astype(np.float32),
        sharpness=np.full(frames, 0.2),
        change=np.concatenate([[np.inf], np.full(frames - 1, 1.5)]),
    )


def moved(given: Survey, frames: slice, pixels: tuple[float, float]) -> Survey:
    landmarks = given.landmarks.copy()
    landmarks[frames, :, :2] += np.array(pixels) / SIZE
    return replace(given, landmarks=landmarks)


def changed(given: Survey, name: str, frames: slice, value: object) -> Survey:
    values = getattr(given, name).copy()
    values[frames] = value
    return replace(given, **{name: values})


def spans(given: Survey, used: PrepareSettings = SETTINGS) -> list[tuple[int, int]]:
    return [(int(p.frames[0]), int(p.frames[-1]) + 1) for p in select_pieces(given, used).pieces]


def reasons(given: Survey, used: PrepareSettings = SETTINGS) -> set[str]:
    return {str(reason) for reason in select_pieces(given, used).reasons}


def test_a_good_clip_is_one_piece_and_nothing_is_left_out() -> None:
    assert spans(survey()) == [(0, FRAMES)]
    assert reasons(survey()) == {""}


def test_a_scene_change_cuts() -> None:
    cut = changed(survey(), "scenes", slice(70, None), 1)
    assert spans(cut) == [(0, 70), (70, FRAMES)]


def test_a_jump_to_another_face_cuts_and_a_moving_face_does_not() -> None:
    assert spans(moved(survey(), slice(60, None), (120, 0))) == [(0, 60), (60, FRAMES)]
    assert spans(moved(survey(), slice(60, None), (20, 0))) == [(0, FRAMES)]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("found", False, selection.Reason.NO_FACE), ("change", 0.0, selection.Reason.FROZEN)],
)
def test_bad_frames_end_a_piece(name: str, value: object, reason: str) -> None:
    bad = changed(survey(), name, slice(40, 60), value)
    assert spans(bad) == [(0, 40), (60, FRAMES)]
    assert reasons(bad) == {"", reason}
    assert (select_pieces(bad, SETTINGS).reasons == reason).sum() == 20


def test_repeated_frames_are_skipped_within_a_piece() -> None:
    repeated = changed(survey(), "change", slice(4, None, 5), 0.0)
    pieces = select_pieces(repeated, SETTINGS).pieces
    assert len(pieces) == 1
    assert pieces[0].frames.tolist() == [frame for frame in range(FRAMES) if frame % 5 != 4]


def test_small_faces_and_faces_outside_are_left_out() -> None:
    assert reasons(survey(side=140)) == {selection.Reason.SMALL_FACE}
    assert reasons(moved(survey(), slice(None), (300, 0))) == {selection.Reason.OUTSIDE}


@pytest.mark.parametrize(("axes", "limit"), [((0, 2), "yaw"), ((2, 1), "pitch"), ((1, 0), "roll")])
def test_turned_heads_are_left_out(axes: tuple[int, int], limit: str) -> None:
    angle = np.radians(30)
    turn = np.eye(3)
    turn[np.ix_(axes, axes)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    straight = survey()
    points = straight.landmarks[0] * (SIZE[0], SIZE[1], SIZE[0])
    centre = points[:468].mean(axis=0)
    turned = ((points - centre) @ turn.T + centre) / (SIZE[0], SIZE[1], SIZE[0])
    clip = changed(straight, "landmarks", slice(None), turned.astype(np.float32))
    assert reasons(clip) == {""}
    strict = replace(SETTINGS, filters=replace(SETTINGS.filters, **{limit: 20.0}))
    assert reasons(clip, strict) == {selection.Reason.TURNED}


def test_a_face_that_is_rarely_seen_is_not_believed() -> None:
    rare = changed(survey(), "found", slice(50, None), False)
    assert selection.Reason.RARELY_FOUND in reasons(rare)
    assert spans(rare) == []
    assert spans(changed(survey(), "found", slice(70, None), False)) == [(0, 70)]


def test_short_and_blurred_pieces_are_dropped_and_counted() -> None:
    short = changed(survey(), "found", slice(15, 20), False)
    chosen = select_pieces(short, SETTINGS)
    assert spans(short) == [(20, FRAMES)]
    assert chosen.dropped_pieces == {selection.Reason.TOO_SHORT: 1}
    assert (chosen.reasons == selection.Reason.TOO_SHORT).sum() == 15
    blurred = changed(survey(), "sharpness", slice(None), 0.01)
    assert select_pieces(blurred, SETTINGS).dropped_pieces == {selection.Reason.BLURRED: 1}
    # One blurred moment, such as a fast turn, does not make a blurred piece.
    assert spans(changed(survey(), "sharpness", slice(30, 40), 0.01)) == [(0, FRAMES)]


def test_a_face_too_close_for_the_margin_has_no_room_and_one_that_moves_is_cut_into_pieces_that_have() -> (
    None
):
    assert reasons(survey(side=450)) == {selection.Reason.NO_ROOM}
    close = moved(survey(side=350), slice(60, None), (45, 0))
    assert spans(close) == [(0, 60), (60, FRAMES)]


def test_long_runs_are_divided_evenly_and_wandering_heads_cut() -> None:
    boxes = survey().boxes
    parts = divided(np.arange(FRAMES), boxes, Cutting(max_frames=50), 480)
    assert [len(part) for part in parts] == [40, 40, 40]
    wandering = boxes + np.linspace(0, 300, FRAMES)[:, None] * (1, 0, 1, 0)
    for part in divided(np.arange(FRAMES), wandering, Cutting(), 480):
        width = wandering[part, 2].max() - wandering[part, 0].min()
        assert width <= 1.5 * 200 + 1e-6
    assert len(divided(np.arange(FRAMES), wandering, Cutting(), 480)) > 1


boxes_of_a_head = st.tuples(
    st.floats(50, 500), st.floats(50, 500), st.floats(40, 300), st.floats(0.7, 1.4), st.floats(0, 80)
)


@given(boxes_of_a_head, st.tuples(st.integers(200, 2000), st.integers(200, 1200)))
@settings(deadline=None)
def test_a_crop_lies_in_the_picture_and_holds_every_face(
    head: tuple[float, float, float, float, float], size: tuple[int, int]
) -> None:
    x, y, wide, aspect, travel = head
    ways = np.array([[0, 0], [travel, 0], [travel, travel / 2]])
    low = np.array([x, y]) + ways
    boxes = np.concatenate([low, low + np.array([wide, wide * aspect])], axis=1)
    if boxes[:, 2].max() > size[0] or boxes[:, 3].max() > size[1]:
        return
    crop = stable_crop(boxes, size, 2.0, 1.25)
    if crop is None:
        union = (boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)).max()
        assert 1.25 * union > min(size)
        return
    assert crop.x >= -1e-6
    assert crop.y >= -1e-6
    assert crop.x + crop.side <= size[0] + 1e-6
    assert crop.y + crop.side <= size[1] + 1e-6
    inside = crop.to_crop(boxes.reshape(-1, 2), 1)
    assert inside.min() >= -1e-6
    assert inside.max() <= 1 + 1e-6

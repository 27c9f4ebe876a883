"""Named points: what a file may hold, and what is wrong with it in a user's words."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import PointsError, SettingsError
from followyouremoji.face.placed_points import LARGEST_FILE, POINTS, PlacedPoints
from followyouremoji.face.shapes import face_shapes
from followyouremoji.face.topology import N_MESH

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "points_file.md"


@pytest.fixture
def content() -> dict:
    """What a good file holds."""
    return json.loads(PlacedPoints.template((640, 480)).text())


def refusal(content: object) -> str:
    with pytest.raises(PointsError) as refused:
        PlacedPoints.parse(json.dumps(content), "face.json")
    assert refused.value.settings == ("points",)
    assert str(refused.value).startswith("face.json: ")
    return str(refused.value)


def test_each_point_of_one_side_is_the_mirror_image_of_one_of_the_other() -> None:
    mirror = face_shapes()["mirror"]
    for name, one in POINTS.items():
        other = POINTS[name.replace("right", "left")] if "right" in name else one
        on_mesh = [point for point in one.landmarks if point < N_MESH]
        if "right" in name or "left" not in name:
            assert sorted(mirror[on_mesh]) == sorted(p for p in other.landmarks if p < N_MESH), name


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    placed = PlacedPoints.template((640, 480))
    placed.save(tmp_path / "face.json")
    assert PlacedPoints.read(tmp_path / "face.json") == placed
    with pytest.raises(PointsError, match="exists already"):
        placed.save(tmp_path / "face.json")


def test_order_in_the_file_does_not_matter(content: dict) -> None:
    turned = dict(reversed(content["points"].items()))
    again = PlacedPoints.parse(json.dumps({**content, "points": turned}), "face.json")
    assert [*again.points] == [*POINTS]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("format"), ["the entry `format` is missing"]),
        (lambda c: c.update(version=2), ["`version` must be 1, not 2"]),
        (lambda c: c.update(format="motion"), ["`format` must be 'followyouremoji-points'"]),
        (lambda c: c.update(pictures=[1, 2]), ["unknown entry `pictures`", "did you mean `picture`?"]),
        (lambda c: c.update(picture=[640]), ["picture"]),
        (lambda c: c.update(picture=[640, 0]), ["`picture[1]` must be a whole number"]),
        (lambda c: c["points"].update(nose=[1, 2]), ["no point `nose`", "did you mean nose_tip"]),
        (lambda c: c["points"].update(zzz=[1, 2]), ["no point `zzz`", "known are right_eye_outer"]),
        (lambda c: c["points"].update(chin=[320]), ["points.chin[1]", "missing"]),
        (lambda c: c["points"].update(chin=[320, "low"]), ["`points.chin[1]` must be a number, not 'low'"]),
        (lambda c: c["points"].update(chin=[320, None]), ["`points.chin[1]` must be a number, not null"]),
        (lambda c: c["points"].update(chin=[320, 5000]), ["chin lies at 320, 5000", "640x480"]),
        (lambda c: c["points"].pop("nose_tip"), ["too few", "the nose_tip"]),
        (lambda c: c.update(points={}), ["a point of an eye", "the nose_tip", "mouth", "5 points in all, not 0"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(content: dict, change: Callable[[dict], object], words: list[str]) -> None:
    change(content)
    message = refusal(content)
    for word in words:
        assert word in message


def test_points_in_shares_of_the_picture_are_refused(content: dict) -> None:
    content["points"] = {name: [x / 640, y / 480] for name, (x, y) in content["points"].items()}
    assert "not in shares of the picture" in refusal(content)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_left_and_right_exchanged(turns: int) -> None:
    """However the picture is turned."""
    placed = PlacedPoints.template((640, 480)).turned(turns)
    swapped = {"right": "left", "left": "right"}
    names = {name: re.sub("right|left", lambda found: swapped[found[0]], name) for name in placed.points}
    exchanged = {names[name]: place for name, place in placed.points.items()}
    with pytest.raises(SettingsError, match=r"left and right are exchanged.*exchange `right` and `left`"):
        PlacedPoints(picture=placed.picture, points=exchanged)
    # A profile has points of one side alone.
    side = {name: place for name, place in exchanged.items() if "left" not in name}
    with pytest.raises(SettingsError, match="left and right are exchanged"):
        PlacedPoints(picture=placed.picture, points=side)
    # One wrong pair is for the fit to find.
    pair = {"right_pupil": placed.points["left_pupil"], "left_pupil": placed.points["right_pupil"]}
    PlacedPoints(picture=placed.picture, points={**placed.points, **pair})


def test_no_file_a_folder_no_json_and_a_huge_one(tmp_path: Path) -> None:
    with pytest.raises(PointsError, match=r"no file of points .*nowhere\.json; `fye points` makes one"):
        PlacedPoints.read(tmp_path / "nowhere.json")
    with pytest.raises(PointsError, match="it is a folder"):
        PlacedPoints.read(tmp_path)
    (tmp_path / "text.json").write_bytes(b"\xff\xfe no JSON")
    with pytest.raises(PointsError, match=r"text\.json: it is no JSON text"):
        PlacedPoints.read(tmp_path / "text.json")
    (tmp_path / "huge.json").write_bytes(b" " * (LARGEST_FILE + 1))
    with pytest.raises(PointsError, match=r"huge\.json is too large"):
        PlacedPoints.read(tmp_path / "huge.json")


def test_points_of_a_scaled_copy_and_of_another_picture() -> None:
    placed = PlacedPoints.template((640, 480))
    half = placed.scaled_to((320, 240))
    for name, place in placed.points.items():
        np.testing.assert_allclose(half.points[name], np.divide(place, 2), atol=0.01)
    assert placed.scaled_to((213, 160)).picture == (213, 160)  # rounded to whole pixels
    with pytest.raises(PointsError, match=r"face\.json.*640x480.*480x640, another shape"):
        placed.scaled_to((480, 640), "face.json")


def test_points_turn_with_the_picture() -> None:
    """A pixel is painted at a point, and found at the turned point in the turned picture."""
    placed = PlacedPoints.template((64, 48))
    points = {name: (np.floor(x) + 0.5, np.floor(y) + 0.5) for name, (x, y) in placed.points.items()}
    placed = PlacedPoints(picture=(64, 48), points=points)
    picture = np.zeros((48, 64), np.uint8)
    x, y = placed.points["chin"]
    picture[int(y), int(x)] = 255
    for turns in range(4):
        x, y = placed.turned(turns).points["chin"]
        assert np.rot90(picture, turns)[int(y), int(x)] == 255


def test_the_page_describes_every_point() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert rows == {name: one.label for name, one in POINTS.items()}


def test_the_example_of_the_page_is_read() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert PlacedPoints.parse(example, "the example").points


@pytest.mark.parametrize(
    ("place", "is_used"), [((-300, 100), True), ((-330, 100), False), ((900, 790), True), ((970, 100), False)]
)
def test_a_point_may_lie_outside_by_half_of_the_longer_side(
    content: dict, place: tuple[int, int], is_used: bool
) -> None:
    content["points"] = {**content["points"], "chin": place}
    if is_used:
        assert PlacedPoints.parse(json.dumps(content), "face.json").points["chin"] == place
    else:
        assert "chin lies at" in refusal(content)

"""Points placed by hand on the command line: `fye points`, and `--points` of other commands."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.face.placed_points import POINTS, PlacedPoints
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture, write_picture
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused

PROFILE = Path(__file__).parents[2] / "docs" / "pictures" / "profile.json"


@pytest.fixture
def profile() -> Path:
    """The drawn profile of the guide on points, which no detector finds, beside the points placed on it by eye."""
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.portraits import Performance, draw_portrait, random_identity

    who = random_identity(np.random.default_rng(2), "cartoon")
    write_picture(Path("profile.png"), draw_portrait(who, Performance(yaw=80.0), 512).picture)
    shutil.copy(PROFILE, "face.json")
    return Path("profile.png")


def test_a_profile_that_no_detector_finds(fye: Run, profile: Path, model: Path) -> None:
    command = ["animate", profile, "bundled:hello", "--weights", model, "--stop", 2, "-o", "result.mp4"]
    assert_refused(fye(*command), "profile.png", "No face was found", "place points", "(--points)")
    made = fye(*command, "--points", "face.json")
    assert made.code == 0, made.err
    with ClipReader(Path("result.mp4")) as clip:
        frames = [frame for _, frame in clip]
    assert len(frames) == 2
    assert frames[0].shape == (512, 512, 3)


def test_a_preview_draws_the_placed_eye(fye: Run, profile: Path) -> None:
    still = ["--start", 0, "--stop", 1]
    assert_refused(fye("motion", "preview", profile, "bundled:hello", "look.png", *still), "(--points)")
    made = fye("motion", "preview", profile, "bundled:hello", "look.png", *still, "--points", "face.json")
    assert made.code == 0, made.err
    red, green, blue = np.moveaxis(read_picture(Path("look.png")).astype(int), -1, 0)
    assert ((green > 200) & (blue > 150) & (red < 60)).sum() > 50  # the right eye and brow


def test_points_are_written_for_a_start_and_looked_at(fye: Run) -> None:
    assert fye("points", "bundled:ada", "ada.json", "--show", "look.png").code == 0
    placed = PlacedPoints.read(Path("ada.json"))
    assert [*placed.points] == [*POINTS]
    picture = read_picture(Path("look.png"))
    before = Path("ada.json").read_bytes()
    again = fye("points", "bundled:ada", "ada.json", "--show", "look.png")
    assert_refused(again, "look.png exists already", "--overwrite")
    content = json.loads(before)
    content["points"]["chin"][0] += 0.4 * placed.picture[0]
    Path("ada.json").write_text(json.dumps(content))
    moved = fye("points", "bundled:ada", "ada.json", "--show", "look.png", "--overwrite")
    assert moved.code == 0
    assert "chin" in moved.err
    assert (read_picture(Path("look.png")) != picture).any()
    assert json.loads(Path("ada.json").read_text()) == content


def test_without_a_face_the_points_lie_in_the_middle(fye: Run) -> None:
    write_picture(Path("meadow.png"), np.full((200, 300, 3), (90, 120, 90), np.uint8))
    made = fye("points", "meadow.png", "meadow.json")
    assert made.code == 0
    assert "No face was found" in made.err
    x, y = np.mean([*PlacedPoints.read(Path("meadow.json")).points.values()], axis=0)
    assert abs(x - 150) < 15
    assert abs(y - 100) < 30
    assert_refused(fye("points", "meadow.png", "other.json", "--face", 2), "No face was found")
    assert not Path("other.json").exists()


def test_a_picture_on_its_side_is_turned_by_its_points(fye: Run) -> None:
    from followyouremoji.requests.bundled import portrait_path

    upright = read_picture(portrait_path("bundled:ada"))
    write_picture(Path("side.png"), np.ascontiguousarray(np.rot90(upright)))
    assert fye("points", "bundled:ada", "ada.json").code == 0
    PlacedPoints.read(Path("ada.json")).turned(1).save(Path("side.json"))
    still = ["bundled:hello", "--start", 0, "--stop", 1]
    made = fye(
        "motion", "preview", "side.png", still[0], "side_look.png", *still[1:], "--points", "side.json"
    )
    assert "was turned upright" in made.err
    fye("motion", "preview", "bundled:ada", still[0], "look.png", *still[1:], "--points", "ada.json")
    apart = read_picture(Path("side_look.png")).astype(int) - read_picture(Path("look.png"))
    assert np.abs(apart).mean() < 2.0
    # The start for a picture on its side lies on its side, too.
    assert fye("points", "side.png", "start.json").code == 0
    start, side = (PlacedPoints.read(Path(name)) for name in ("start.json", "side.json"))
    unit = np.ptp([*side.points.values()], axis=0).max()
    for name, place in side.points.items():
        assert np.linalg.norm(np.subtract(start.points[name], place)) < 0.08 * unit


def test_points_that_cannot_be_used(fye: Run) -> None:
    animate = ["animate", "bundled:ada", "bundled:hello", "-o", "result.mp4", "--points"]
    assert_refused(fye(*animate, "nowhere.json"), "no file of points nowhere.json", "(--points)")
    Path("text.json").write_text("not JSON")
    assert_refused(fye(*animate, "text.json"), "text.json: it is no JSON text")
    PlacedPoints.template((300, 100)).save(Path("other.json"))
    assert_refused(fye(*animate, "other.json"), "other.json", "300x100", "another shape")
    assert_refused(fye(*animate, "other.json", "--face", 1), "--points", "--face")
    assert_refused(fye("points", "bundled:ada", "face.txt"), "face.txt", ".json")
    assert not Path("result.mp4").exists()


def test_a_job_with_other_points_is_another_job(fye: Run, model: Path) -> None:
    assert fye("points", "bundled:ada", "ada.json").code == 0
    job = ["animate", "bundled:ada", "bundled:hello", "--weights", model, "--stop", 2, "--job", "job"]
    first = fye(*job, "-o", "first.mp4", "--points", "ada.json")
    assert first.code == 0, first.err
    assert_refused(fye(*job, "-o", "second.mp4"), "another request: another points")
    again = fye(*job, "-o", "second.mp4", "--points", "ada.json")
    assert again.code == 0, again.err

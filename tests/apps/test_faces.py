"""`fye animate --face`: several faces of one picture, from the command line to the written clip."""

from pathlib import Path

import numpy as np
import pytest

from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture, resize_picture, write_picture
from followyouremoji.requests.bundled import EXAMPLES
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_nothing_written, assert_refused
from tests.apps.test_jobs import kill_after
from tests.programs import frames_of

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("mediapipe")

SIDE = 192


@pytest.fixture
def family(fye: Run) -> Path:
    """Ada and Max beside each other, each 192 pixels wide."""
    pictures = [read_picture(EXAMPLES / f"{name}.png") for name in ("ada", "max")]
    path = Path("family.png")
    write_picture(path, np.concatenate([resize_picture(one, (SIDE, SIDE)) for one in pictures], axis=1))
    return path


def quick(model: Path, *more: object) -> tuple[object, ...]:
    return ("--weights", model, "--steps", 1, *more)


def test_all_faces_follow_one_driving(fye: Run, model: Path, clip: Path, family: Path) -> None:
    done = fye("animate", family, clip, "--face", "all", *quick(model))
    assert done.code == 0, done.err
    assert done.out.startswith(
        "family_smile.mp4: 5 frames, 0.2 s at 25 frames a second, with sound; made in "
    )
    made = frames_of("family_smile.mp4")
    assert made.shape == (5, SIDE, 2 * SIDE, 3)
    still = read_picture(family).astype(int)
    for half in (np.s_[:, :, :SIDE], np.s_[:, :, SIDE:]):
        assert np.abs(made[half] - still[half[1:]]).max() > 60


def test_each_face_follows_its_own(fye: Run, model: Path, clip: Path, family: Path) -> None:
    """What has sound gives it; the longest decides the length; one result holds both."""
    for faces, name in (
        (("--face", "1=bundled:hello", "--face", f"2={clip}"), "family_hello_smile.png"),
        ((clip, "--face", "2", "--face", "1=bundled:hello"), "family_smile_hello.png"),
    ):
        made = Path(name).with_suffix(".mp4")
        done = fye("animate", family, *faces, "--stop", 8, *quick(model))
        assert done.code == 0, done.err
        assert done.out.startswith(f"{made}: 8 frames, 0.3 s at 25 frames a second, with sound; ")
    first, second = frames_of("family_hello_smile.mp4"), frames_of("family_smile_hello.mp4")
    np.testing.assert_array_equal(first, second)
    done = fye("animate", family, clip, "--face", 2, "-o", "right.mp4", *quick(model))
    assert done.code == 0, done.err
    right, middle = frames_of("right.mp4"), np.s_[:, :, SIDE + 60 : 2 * SIDE - 60]
    assert np.abs(right[middle] - first[:5][middle]).mean() < 6  # H.264
    assert np.abs(first[5:][middle] - first[4][middle[1:]]).mean() < 3  # holds its last pose
    assert np.abs(right[:, :, :SIDE] - read_picture(family)[:, :SIDE]).mean() < 3


def test_two_pictures_drive_one_picture(fye: Run, model: Path, family: Path) -> None:
    ada, emoji = (EXAMPLES / f"{name}.png" for name in ("ada", "emoji"))
    done = fye("animate", family, "--face", f"1={ada}", "--face", f"2={emoji}", *quick(model))
    assert done.code == 0, done.err
    assert read_picture(Path("family_ada_emoji.png")).shape == (SIDE, 2 * SIDE, 3)


def test_all_clips_lie_beside_the_result(fye: Run, model: Path, clip: Path, family: Path) -> None:
    faces = ("--face", "1=bundled:hello", "--face", f"2={clip}")
    done = fye("animate", family, *faces, "--stop", 6, "--side-by-side", "-o", "row.mp4", *quick(model))
    assert done.code == 0, done.err
    with ClipReader(Path("row.mp4")) as row:
        width, height = row.info.size
        assert len(list(row)) == 6  # the shorter clip's last frame stays
    assert height == SIDE
    assert width == 2 * SIDE + 3 * 2 * SIDE  # two square drivings; landmarks, portrait and result


def test_a_preview_shows_the_whole_picture(fye: Run, clip: Path, family: Path) -> None:
    done = fye("motion", "preview", family, clip, "look.mp4", "--face", "all", "--size", 256)
    assert done.code == 0, done.err
    with ClipReader(Path("look.mp4")) as look:
        assert look.info.size == (256, 128)
        pictures = np.stack([picture for _, picture in look])
    colourful = np.ptp(pictures.astype(int), axis=3) > 120  # lines, over the dimmed picture
    assert colourful[:, :, :128].any(axis=(1, 2)).all()
    assert colourful[:, :, 128:].any(axis=(1, 2)).all()


def test_a_job_of_two_faces_is_gone_on_with(fye: Run, model: Path, family: Path) -> None:
    faces = ("--face", "1=bundled:hello", "--face", "2=bundled:talk")
    command = ["animate", family, *faces, "--stop", 12, *quick(model), "--steps", 2]
    command = [str(word) for word in command]
    assert fye(*command, "--job", "job", "-o", "out.mp4").code == 0
    latents = [path.name for path in sorted(Path("job/latents").iterdir())]
    for face in ("1-", "2-"):
        assert sum(name.startswith(face) for name in latents) >= 2
    assert len(list(Path("job").glob("motion-*.fyemotion"))) == 2
    kill_after([*command, "--job", "again", "-o", "again.mp4"], 3, Path("again/latents"))
    assert not Path("again.mp4").exists()
    times = {path: path.stat().st_mtime_ns for path in Path("again/latents").glob("[0-9]*")}
    ended = fye(*command, "--job", "again", "-o", "again.mp4")
    assert ended.code == 0, ended.err
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert np.abs(frames_of("again.mp4") - frames_of("out.mp4")).max() <= 2
    turned_round = [*command[:2], "--face", "1=bundled:talk", "--face", "2=bundled:hello", *command[6:]]
    assert_refused(fye(*turned_round, "--job", "job", "-o", "other.mp4"), "another driving")
    one = ["animate", str(family), "bundled:hello", "--face", "1", *command[6:]]
    assert_refused(fye(*one, "--job", "job", "-o", "other.mp4"), "faces was 1, 2, now 1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bundled:hello", "--face", 3), ("Face 3 was asked for, but only 2 faces were found",)),
        (("bundled:hello", "--face", 1, "--face", 1), ("face 1 is named twice", "(--face)")),
        (("bundled:hello", "--face", "all", "--face", 1), ("all faces are named", "(--face)")),
        (("bundled:hello", "--face", "left"), ("left is no face", "(--face)")),
        (("bundled:hello", "--face", "1=bundled:talk"), ("bundled:hello drives no face", "(--face)")),
        (("--face", 1), ("face 1 is to move, but nothing is given that drives it", "(DRIVING, --face)")),
        ((), ("the face is to move, but nothing is given that drives it",)),
        (("--face", "1=nowhere.mp4"), ("there is no file nowhere.mp4",)),
        (("bundled:hello", "--face", "all", "--no-crop"), ("which is cropped", "--no-crop")),
        (("bundled:hello", "--face", "all", "--no-paste"), ("which is put back", "--no-paste")),
    ],
)
def test_faces_that_cannot_be_animated(
    fye: Run, model: Path, family: Path, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    assert_refused(fye("animate", family, *arguments, "-o", "made.mp4", *quick(model)), *words)
    assert_nothing_written()


def test_a_bundled_portrait_has_one_face(fye: Run, model: Path) -> None:
    refused = fye("animate", "bundled:ada", "bundled:hello", "--face", 2, *quick(model))
    assert_refused(refused, "Face 2 was asked for, but only 1 face was found")

"""Suites out of folders: what is in them, and what is refused."""

from __future__ import annotations

import csv
import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia", reason="portraits are drawn, which needs skia")

from followyouremoji.benchmark.building import (
    BuildSettings,
    Built,
    NothingAccepted,
    build_suite,
    cross_pairs,
    in_square,
    square_around,
)
from followyouremoji.benchmark.gathering import gather, unique_name
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import Suite
from followyouremoji.errors import DataError, PictureError, SettingsError
from followyouremoji.executors import Local, Processes
from followyouremoji.face.detection import FaceDetector
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import read_picture
from followyouremoji.media.writing import ClipWriter
from tests.benchmark.suites import (
    SIDE,
    draw_face,
    draw_smile,
    small_suite,
    write_clip,
    write_picture,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "media"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return small_suite(tmp_path_factory.mktemp("built"))


def test_a_suite_says_what_is_in_it(built: Built) -> None:
    suite = Suite.read(built.suite.folder)
    assert suite.manifest == built.suite.manifest
    assert not built.refused
    b, zoe = suite.manifest.portraits
    assert (b.name, b.style, b.licence, b.source) == ("b", "cartoon", "CC0", "a drawing (faces/b.webp)")
    assert (zoe.name, zoe.style, zoe.licence) == ("Zoe-1", "people", "MIT")
    assert zoe.source == "our own (faces/people/Zoë 1.png)"
    (clip,) = suite.manifest.clips
    assert (clip.name, clip.expression, clip.style) == ("first", "smile", "person")
    assert (clip.footage.frames, clip.footage.frame_rate) == (5, 25.0)
    assert [pair.name for pair in suite.manifest.pairs] == ["first", "b--first", "Zoe-1--first"]
    assert (suite.folder / "overview.jpg").stat().st_size > 1000


def test_landmarks_lie_on_the_face_of_the_square(built: Built) -> None:
    """A detector that looks at the squares themselves finds the face where the suite says that it is."""
    own, cross, _ = built.suite.cases(Protocol(size=128))
    assert own.driving.shape == (5, 128, 128, 3)
    with FaceDetector() as detector:
        for picture, points in (
            (cross.portrait, cross.portrait_landmarks.points),
            (own.driving[0], own.motion.points[0]),
            (own.driving[-1], own.motion.points[-1]),
        ):
            found = detector.detect(picture)
            # pixels: the mesh itself is found anew in other pixels; its forehead and sides are the least certain
            assert np.linalg.norm(found.points - points, axis=1).mean() < 1.5


@pytest.mark.slow
def test_the_same_files_make_the_same_suite_in_processes_too(built: Built, tmp_path: Path) -> None:
    source = built.suite.folder.parent
    settings = BuildSettings(size=128, licence="MIT", source="our own", name="suite")
    with Processes(1) as executor:
        again = build_suite(tmp_path / "again", [source / "faces"], [source / "moves"], settings, executor)
    assert again.suite.fingerprint == built.suite.fingerprint


def test_what_cannot_be_used_is_refused_with_its_reason(tmp_path: Path) -> None:
    faces, moves = tmp_path / "faces", tmp_path / "moves"
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    ada, eve = draw_face(17), draw_face(3)
    write_picture(faces / "ada.png", ada)
    write_picture(faces / "ada.bmp", eve)
    write_picture(faces / "copy.webp", ada)  # lossy
    write_picture(faces / "copy2.bmp", ada)
    (faces / "broken.png").write_bytes((faces / "ada.png").read_bytes()[:3000])
    (faces / "notes.txt").write_text("who is who")
    (faces / ".hidden").write_text("of the file system")
    (faces / "nowhere.png").symlink_to("nothing.png")
    write_picture(faces / "noise.png", noise)
    write_picture(faces / "tiny.png", ada[::4, ::4])
    write_picture(faces / "half.png", ada[:, : SIDE // 2 + 10])
    together = np.concatenate([ada[:, 30:-30], eve[:, 30:-30]], axis=1)
    write_picture(faces / "two.png", np.concatenate([together, np.full_like(together, 128)]))
    smile = draw_smile(17)
    write_clip(moves / "smile.mkv", smile)
    write_clip(moves / "smile again.mkv", smile)
    write_clip(moves / "short.mkv", smile[:2])
    write_picture(moves / "still.png", ada)
    (moves / "notes.txt").write_text("what is what")
    write_clip(moves / "late.mkv", np.concatenate([noise[None], smile]))
    write_clip(moves / "hidden.mkv", np.concatenate([smile[:2], noise[None], smile[2:]]))
    aside = np.roll(draw_smile(3), 60, axis=2)
    write_clip(moves / "cut.mkv", np.concatenate([smile, aside]))
    with ClipWriter(moves / "broken.mp4", 25.0, (SIDE, SIDE)) as writer:
        for frame in smile:
            writer.write(frame)
    (moves / "broken.mp4").write_bytes((moves / "broken.mp4").read_bytes()[:-2500])

    built = build_suite(tmp_path / "suite", [faces], [moves], BuildSettings(size=128), Local())

    reasons = {one.place: one.reason for one in built.refused}
    expected = {
        "faces/ada.png": "faces/ada.bmp has the same name",
        "faces/broken.png": "damaged",
        "faces/notes.txt": "not a picture",
        "faces/nowhere.png": "no file that can be read",
        "faces/noise.png": "No face was found",
        "faces/tiny.png": "has 48 pixels a side, at least 64 are needed",
        "faces/half.png": "its face reaches out of the picture",
        "faces/two.png": "several faces",
        "moves/smile.mkv": "it is the same clip as moves/smile again.mkv",
        "moves/short.mkv": "too short: 2 frames",
        "moves/still.png": "too short: 1 frames",
        "moves/notes.txt": "the file",
        "moves/late.mkv": "first frame, the reference, shows no whole face",
        "moves/hidden.mkv": "1 of its 6 frames show no whole face",
        "moves/cut.mkv": "the scene changes after 0.20 s",
        "moves/broken.mp4": "damaged",
    }
    assert {
        place: reason for place, reason in reasons.items() if expected.get(place, "?") not in reason
    } == {}
    assert reasons.keys() == expected.keys()
    assert [one.name for one in built.suite.manifest.portraits] == ["ada", "copy", "copy2"]
    assert [one.name for one in built.suite.manifest.clips] == ["smile-again"]
    with (tmp_path / "suite" / "refused.csv").open(newline="") as file:
        assert {row["file"]: row["reason"] for row in csv.DictReader(file)} == reasons
    assert len(list((tmp_path / "suite" / "clips").iterdir())) == 2  # nothing of the copy is left


def test_without_a_face_that_moves_there_is_no_suite(tmp_path: Path) -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    write_clip(tmp_path / "moves" / "grey.mkv", np.stack([grey] * 3))
    write_picture(tmp_path / "faces" / "grey.png", grey)
    (tmp_path / "empty").mkdir()
    for portraits, clips, words in (
        ([], ["moves"], "No clip can be used (1 refused: moves/grey.mkv: No face"),
        (["faces"], ["empty"], "No clip can be used (there is none)"),
    ):
        with pytest.raises(NothingAccepted) as failure:
            build_suite(
                tmp_path / "suite",
                [tmp_path / name for name in portraits],
                [tmp_path / name for name in clips],
                BuildSettings(),
                Local(),
            )
        assert words in str(failure.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "faces", "moves"]


def test_an_earlier_suite_is_not_replaced_and_a_full_disk_leaves_nothing(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = built.suite.folder.parent
    folders = [source / "faces"], [source / "moves"]
    with pytest.raises(DataError, match="is not replaced"):
        build_suite(built.suite.folder, *folders, BuildSettings(), Local())
    assert Suite.read(built.suite.folder).manifest == built.suite.manifest

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("followyouremoji.benchmark.building.write_lossless", full)
    with pytest.raises(DataError, match="No space left on device"):
        build_suite(tmp_path / "full", *folders, BuildSettings(size=128), Local())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,style\na.png,x\n", "unknown column 'name'"),
        ("style\nx\n", "no column `file`"),
        ("file,expression\na.png,smile\n", "unknown column 'expression'"),
        ("file\nb.png\n", "'b.png', which is not in its folder"),
        ("file\na.png\na.png\n", "'a.png' twice"),
        (b"file\n\xff\n", "UTF-8"),
        ("", "no column `file`"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, table: str | bytes, words: str) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DataError, match=words):
        gather("portrait", [tmp_path], "", "")


def test_labels_as_spreadsheets_write_them(tmp_path: Path) -> None:
    (tmp_path / "talk").mkdir()
    (tmp_path / "talk" / "ä.mp4").touch()
    (tmp_path / "labels.csv").write_text("file;expression;style\r\ntalk\\ä.mp4;;animal\r\n", "utf-8-sig")
    (given,), _ = gather("clip", [tmp_path], "MIT", "")
    assert (given.name, given.expression, given.style, given.licence) == ("a", "talk", "animal", "MIT")


def test_names_are_safe_and_unlike_each_other() -> None:
    taken: set[str] = set()
    given = ["Zoë", "zoe", "日本", "中国", "../../etc", "a" * 200, "a" * 200, "-x--y-"]
    assert [unique_name(text, "clip", taken) for text in given] == [
        *("Zoe", "zoe-2", "clip", "clip-2", "etc", "a" * 40, "a" * 38 + "-2", "x-y"),
    ]


def test_cross_pairs_take_turns() -> None:
    portraits, clips = [f"p{n}" for n in range(4)], [f"c{n}" for n in range(3)]
    pairs = cross_pairs(portraits, clips, 3)
    assert len({pair.name for pair in pairs}) == 12
    assert cross_pairs(portraits, clips, None) == cross_pairs(portraits, clips, 9) == pairs
    used = [pair.clip for pair in cross_pairs(portraits * 3, clips, 2)]
    assert [used.count(clip) for clip in clips] == [8, 8, 8]
    assert cross_pairs(portraits, clips, 0) == []


def test_the_square_stays_in_the_picture() -> None:
    points = np.zeros((1, 478, 2))
    points[0, :2] = [[0, 0], [110, 110]]  # face_crop: a side of 220 around (55, 44)
    assert square_around(points, (400, 300), 256) == Crop(0.0, 0.0, 220.0)
    assert square_around(points, (150, 120), 128) == Crop(0.0, 0.0, 120.0)
    with pytest.raises(PictureError, match="120 pixels a side, at least 128"):
        square_around(points, (150, 120), 256)
    wide = np.concatenate([points, points + np.array([600, 0])])
    with pytest.raises(PictureError, match="moves so far"):
        square_around(wide, (1000, 1000), 256)
    landmarks = np.array([[[0.25, 0.5, 0.1]]])
    assert np.allclose(in_square(landmarks, (400, 200), Crop(50, 50, 100)), [[[0.5, 0.5, 0.4]]])


def test_settings_out_of_range() -> None:
    with pytest.raises(SettingsError, match="frames"):
        BuildSettings(frames=2)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared clips and portraits are not here")
def test_filmed_people_and_pictures(tmp_path: Path) -> None:
    for name in ("s0.jpg", "s23.jpg"):
        (tmp_path / "faces").mkdir(exist_ok=True)
        shutil.copy(SHARED / "portraits" / name, tmp_path / "faces")
    (tmp_path / "moves").mkdir()
    shutil.copy(SHARED / "driving" / "d0.mp4", tmp_path / "moves")
    built = build_suite(
        tmp_path / "s", [tmp_path / "faces"], [tmp_path / "moves"], BuildSettings(frames=20), Local()
    )
    assert [one.place for one in built.refused] == ["faces/s23.jpg"]
    assert [pair.name for pair in built.suite.manifest.pairs] == ["d0", "s0--d0"]
    case = built.suite.cases(Protocol())[0]
    assert case.driving.shape == (20, 256, 256, 3)
    assert read_picture(tmp_path / "s" / "portraits" / "s0.png").shape == (256, 256, 3)
